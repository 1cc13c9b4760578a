"""Facts about cosines of pairs of passages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.search.cosines import cosines
from embedder.search.pairs import Vectors
from tests.search.vectors import shards, unit


def _vectors(size: int, seed: int) -> Vectors:
    """Vectors of lengths from a thousandth to a thousand."""
    lengths = 10 ** np.random.default_rng(seed).uniform(-3, 3, (size, 1))
    return np.asarray(unit(size, 8, seed) * lengths, np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 9), st.integers(0, 60), st.integers(0, 99))
def test_cosines_are_the_same_for_any_shards(size: int, parts: int, most: int, pairs: int, seed: int) -> None:
    """They equal brute force to 1e-6, in the same bits however the corpus is cut and however much is held."""
    corpus, draws = _vectors(size, seed), np.random.default_rng(seed)
    left, right = draws.integers(0, size, pairs), draws.integers(0, size, pairs)
    found = cosines(lambda: shards(corpus, min(parts, size), seed), left, right, most)
    exact = corpus.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(found, (exact[left] * exact[right]).sum(axis=1), atol=1e-6)
    whole = cosines(lambda: shards(corpus, 1), left, right, size)
    np.testing.assert_array_equal(found.view(np.uint32), whole.view(np.uint32))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.integers(0, 999))
def test_equal_vectors_have_cosine_1(width: int, seed: int) -> None:
    """Exactly 1, so that a bound of 1 is a bound; and 0 beside a vector of zeros."""
    vector = np.random.default_rng(seed).standard_normal(width).astype(np.float32)
    corpus = np.stack([vector, vector, np.zeros(width, np.float32)])
    found = cosines(lambda: shards(corpus, 2), np.array([0, 0, 2, 2]), np.array([1, 2, 1, 2]), 2)
    assert found.tolist() == [1, 0, 0, 0]


def test_a_place_that_no_shard_holds_is_a_bug() -> None:
    """A pair that names it is refused rather than given a number."""
    with pytest.raises(IndexError, match="1 pairs name places that no shard holds"):
        cosines(lambda: shards(unit(3, 8, 1), 2), np.array([0, 3]), np.array([1, 1]), 2)
