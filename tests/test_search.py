"""Facts about exact search."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import EmbedderError
from embedder.search import exact_top_k, pair_scores


def _unit(rows: int, width: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _by_sorting(queries: np.ndarray, corpus: np.ndarray, k: int) -> np.ndarray:
    rows, columns = np.indices((len(queries), len(corpus)))
    scores = pair_scores(queries, corpus, rows.ravel(), columns.ravel()).reshape(rows.shape)
    return np.lexsort((columns, -scores), axis=-1)[:, :k]


@pytest.mark.parametrize("k", [1, 7, 99, 100])
def test_ties_stand_by_index_when_every_vector_is_there_twice(k: int) -> None:
    """With every vector twice, in any places, the order is by score, then index: what a full sort gives."""
    once = _unit(300, 32, 1)
    corpus = np.concatenate([once, once])[np.random.default_rng(2).permutation(600)]
    queries = _unit(40, 32, 3)
    ids, scores = exact_top_k(queries, corpus, k)
    np.testing.assert_array_equal(ids, _by_sorting(queries, corpus, k))
    assert (np.diff(scores, axis=1) <= 0).all()


def test_one_vector_a_hundred_times() -> None:
    """Where far more passages tie than are fetched at first, the smallest indices win."""
    corpus = np.concatenate([_unit(50, 8, 1), np.tile(_unit(1, 8, 9), (100, 1))])
    ids, _ = exact_top_k(_unit(1, 8, 9), corpus, 5)
    assert ids.tolist() == [[50, 51, 52, 53, 54]]


def test_the_order_in_which_a_library_proposes_equal_scores_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that proposes the largest index first among equal scores changes nothing: search widens until sure."""
    corpus = np.concatenate([_unit(50, 8, 1), np.tile(_unit(1, 8, 9), (100, 1))])
    queries = np.concatenate([_unit(1, 8, 9), _unit(3, 8, 4)])
    expected = exact_top_k(queries, corpus, 5)[0]

    class Backwards:
        def search(self, asked: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
            scores = asked @ corpus.T
            order = np.lexsort((-np.indices(scores.shape)[1], -scores.round(5)), axis=-1)[:, :width]
            return np.take_along_axis(scores, order, 1), order

    monkeypatch.setattr("embedder.search._flat_index", lambda _: Backwards())
    np.testing.assert_array_equal(exact_top_k(queries, corpus, 5)[0], expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 60), st.integers(1, 70), st.integers(0, 99))
def test_search_by_parts_is_search_of_the_whole(parts: int, size: int, k: int, seed: int) -> None:
    """The merged best of any cut of the corpus are the best of the whole corpus, ids and scores."""
    corpus = np.repeat(_unit(size, 16, seed), 2, axis=0)
    queries = _unit(3, 16, seed + 1)
    whole_ids, whole_scores = exact_top_k(queries, corpus, k)
    found = []
    for part in np.array_split(np.arange(len(corpus)), parts):
        ids, scores = exact_top_k(queries, corpus[part], k)
        found.append((part[ids] if len(part) else ids, scores))
    ids, scores = (np.concatenate(column, axis=1) for column in zip(*found, strict=True))
    order = np.lexsort((ids, -scores), axis=-1)[:, :k]
    np.testing.assert_array_equal(np.take_along_axis(ids, order, 1), whole_ids)
    np.testing.assert_array_equal(np.take_along_axis(scores, order, 1), whole_scores)


def test_no_more_than_the_corpus_has() -> None:
    """Asked for more passages than there are, search returns all of them; an empty corpus gives none."""
    queries = _unit(2, 4, 1)
    assert exact_top_k(queries, _unit(3, 4, 2), 10)[0].shape == (2, 3)
    assert exact_top_k(queries, np.empty((0, 4), np.float32), 10)[0].shape == (2, 0)


def test_without_faiss_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where FAISS is missing, one line names the extra to install."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(EmbedderError, match=r"pip install '\.\[cpu\]'"):
        exact_top_k(_unit(1, 4, 1), _unit(3, 4, 2), 1)
