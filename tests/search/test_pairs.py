"""Facts about scores of single pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.search.pairs import pair_scores, streamed_pair_scores
from tests.search.vectors import shards, unit


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 1500), st.integers(0, 99))
def test_equal_pairs_get_equal_bits(width: int, pairs: int, seed: int) -> None:
    """A pair's score depends on nothing but its two vectors: not on its place, its block or how many there are."""
    left, right = unit(3, width, seed), unit(5, width, seed + 1)
    draws = np.random.default_rng(seed)
    rows, columns = draws.integers(0, 3, pairs), draws.integers(0, 5, pairs)
    alone = {(r, c): pair_scores(left, right, np.array([r]), np.array([c]))[0] for r in range(3) for c in range(5)}
    expected = np.array([alone[pair] for pair in zip(rows.tolist(), columns.tolist(), strict=True)], np.float32)
    np.testing.assert_array_equal(pair_scores(left, right, rows, columns).view(np.uint32), expected.view(np.uint32))


def test_scores_are_inner_products() -> None:
    """The score is the inner product, to float32's precision."""
    left, right = unit(4, 768, 1), unit(6, 768, 2)
    rows, columns = np.indices((4, 6)).reshape(2, -1)
    expected = (left.astype(np.float64) @ right.astype(np.float64).T).ravel()
    np.testing.assert_allclose(pair_scores(left, right, rows, columns), expected, atol=2e-7)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 60), st.integers(0, 99))
def test_pairs_of_a_streamed_corpus_are_those_of_the_whole(size: int, parts: int, pairs: int, seed: int) -> None:
    """Whatever the shards and however often a place is asked for, the scores are those of the corpus in memory."""
    queries, corpus = unit(4, 8, seed), unit(size, 8, seed + 1)
    draws = np.random.default_rng(seed)
    rows, places = draws.integers(0, 4, pairs), draws.integers(0, size, pairs)
    found = streamed_pair_scores(queries, shards(corpus, min(parts, size), seed), rows, places)
    np.testing.assert_array_equal(found, pair_scores(queries, corpus, rows, places))


def test_a_place_that_no_shard_holds_is_a_bug() -> None:
    """A pair whose passage never came is not given a made-up score."""
    corpus = unit(3, 4, 1)
    with pytest.raises(IndexError, match="1 pairs"):
        streamed_pair_scores(corpus, [(np.array([0, 2]), corpus[[0, 2]])], np.array([0, 0]), np.array([0, 1]))
