"""Facts about search of a corpus that comes in shards."""

import numpy as np
import pytest
from faiss.contrib.exhaustive_search import knn_ground_truth
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.search import exact_top_k, streamed
from embedder.search.engines import by_torch, faiss_cpu
from embedder.search.pairs import Ints, Vectors, pair_scores
from embedder.search.streamed import Merge, proposing, ranks, top_k
from embedder.search.tiles import Tiles
from tests.search.vectors import by_sorting, doubled, shards, unit


def _torch(queries: Vectors, vectors: Vectors, width: int) -> tuple[Ints, Vectors]:
    return by_torch(queries, vectors, width, "cpu")


def _backwards(queries: Vectors, vectors: Vectors, width: int) -> tuple[Ints, Vectors]:
    """Propose the largest index first among products that round to the same."""
    products = queries @ vectors.T
    order = np.lexsort((-np.indices(products.shape)[1], -products.round(5)), axis=-1)[:, :width]
    return order, np.take_along_axis(products, order, 1)


FAISS = proposing(faiss_cpu)
ENGINES: dict[str, Merge] = {
    "faiss": FAISS,
    "torch": proposing(_torch),
    "backwards": proposing(_backwards),
    "tiles": Tiles(FAISS),
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_ties_stand_by_place_whatever_the_shards_and_the_engine(engine: Merge, parts: int) -> None:
    """With every vector twice, any number of shards and any engine give what a full sort gives, bit for bit."""
    corpus, queries = doubled(300, 32, 1), unit(40, 32, 3)
    expected, scores = by_sorting(queries, corpus, 99)
    found = top_k(queries, shards(corpus, parts), 99, engine)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], scores)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_search_is_a_full_sort(data: st.DataObject) -> None:
    """Any vectors, also equal, zero and negative ones, any cut, any k: the places and scores of a full sort."""
    size, width, asked = (data.draw(st.integers(1, most)) for most in (40, 5, 4))
    values = st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 3.0]), min_size=width, max_size=width)
    corpus = np.array(data.draw(st.lists(values, min_size=size, max_size=size)), np.float32)
    queries = np.array(data.draw(st.lists(values, min_size=asked, max_size=asked)), np.float32)
    k, parts = data.draw(st.integers(1, size)), data.draw(st.integers(1, size))
    found = top_k(
        queries,
        shards(corpus, parts, data.draw(st.integers(0, 9))),
        k,
        ENGINES[data.draw(st.sampled_from(sorted(ENGINES)))],
    )
    expected = by_sorting(queries, corpus, k)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are searched in blocks; a block of 7 gives what one block gives."""
    corpus, queries = doubled(100, 16, 1), unit(30, 16, 3)
    whole = top_k(queries, shards(corpus, 3), 20, FAISS)
    monkeypatch.setattr(streamed, "_QUERIES", 7)
    for one, other in zip(whole, top_k(queries, shards(corpus, 3), 20, FAISS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_runs_equal_faiss_ground_truth() -> None:
    """On vectors without ties the places are those of FAISS's knn_ground_truth, the scores equal to 1e-6."""
    corpus, queries = unit(3000, 64, 1), unit(50, 64, 2)
    scores, places = knn_ground_truth(queries, iter(np.array_split(corpus, 3)), 100, metric_type=0)  # type: ignore[no-untyped-call]
    found = top_k(queries, shards(corpus, 5), 100, FAISS)
    np.testing.assert_array_equal(found[0], places)
    np.testing.assert_allclose(found[1], scores, atol=1e-6)


def test_more_than_2048_passages() -> None:
    """K is not limited by what FAISS's GPU kernels select: 3,000 of 4,000 passages come in order."""
    corpus, queries = unit(4000, 8, 1), unit(3, 8, 2)
    for engine in ENGINES.values():
        np.testing.assert_array_equal(
            top_k(queries, shards(corpus, 2), 3000, engine)[0], by_sorting(queries, corpus, 3000)[0]
        )


def test_one_vector_a_hundred_times() -> None:
    """Where far more passages tie than are fetched at first, the smallest places win."""
    corpus = np.concatenate([unit(50, 8, 1), np.tile(unit(1, 8, 9), (100, 1))])
    assert exact_top_k(unit(1, 8, 9), corpus, 5)[0].tolist() == [[50, 51, 52, 53, 54]]


def test_no_more_than_the_corpus_has() -> None:
    """Asked for more passages than there are, search returns all of them; an empty corpus gives none."""
    queries = unit(2, 4, 1)
    assert exact_top_k(queries, unit(3, 4, 2), 10)[0].shape == (2, 3)
    assert exact_top_k(queries, np.empty((0, 4), np.float32), 10)[0].shape == (2, 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 50))
def test_ranks_are_those_of_a_full_sort(parts: int, seed: int) -> None:
    """The rank of any pair, found by counting, is its place in the sorted corpus, ties by place."""
    corpus, queries = doubled(40, 4, seed), unit(5, 4, seed + 7)
    order, _ = by_sorting(queries, corpus, len(corpus))
    draws = np.random.default_rng(seed)
    rows = np.sort(draws.integers(0, len(queries), 20))
    places = draws.integers(0, len(corpus), 20)
    scores = pair_scores(queries, corpus, rows, places)
    expected = [order[row].tolist().index(place) + 1 for row, place in zip(rows, places, strict=True)]
    assert ranks(queries, shards(corpus, parts, seed), rows, places, scores).tolist() == expected


def test_fewer_passages_than_wanted_are_a_bug() -> None:
    """Places that no shard holds are not made up."""
    with pytest.raises(ValueError, match="fewer than 9"):
        top_k(unit(2, 4, 1), shards(unit(5, 4, 2), 1), 9, FAISS)


def test_rounding_bounds_sums_in_any_order() -> None:
    """A product that adds up badly lies within the bound, so the rank found by counting is that of a full sort."""
    width, tail = 256, np.float32(np.sqrt(0.49 * 2.0**-23))
    query = np.full((1, width), tail, np.float32)
    query[0, 0] = 1
    corpus = np.concatenate([query, np.zeros((999, width), np.float32)])
    corpus[1:, 0] = np.float32(1 + 100 * 2.0**-23)
    rows = places = np.zeros(1, np.int64)
    score = pair_scores(query, corpus, rows, places)
    order, _ = by_sorting(query, corpus, len(corpus))
    assert ranks(query, shards(corpus, 2), rows, places, score).tolist() == [order[0].tolist().index(0) + 1]
