"""Facts about search by tiles: what is left out is never among the best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.search import tiles
from embedder.search.engines import faiss_cpu
from embedder.search.pairs import Shard, Vectors
from embedder.search.streamed import Keys, proposing, top_k
from embedder.search.tiles import Tiles, _true
from tests.search.vectors import doubled, shards, unit

PLAIN = proposing(faiss_cpu)


class Noted:
    """The plain engine, and how many pairs it was given."""

    def __init__(self) -> None:
        self.pairs = 0

    def __call__(self, best: Keys, queries: Vectors, shard: Shard) -> Keys:
        """Count and merge."""
        self.pairs += len(queries) * len(shard[0])
        return PLAIN(best, queries, shard)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles so small that few vectors make many."""
    monkeypatch.setattr(tiles, "_QUERIES", 8)
    monkeypatch.setattr(tiles, "_PASSAGES", 64)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("made", ["random", "close together", "long and short", "twice", "tiny"])
@pytest.mark.parametrize("parts", [1, 3])
def test_tiles_find_what_faiss_finds(made: str, parts: int) -> None:
    """Any kind of vectors, any cut: places and scores are the plain engine's, bit for bit."""
    corpus, queries = doubled(600, 24, 1) if made == "twice" else unit(1200, 24, 1), unit(20, 24, 3)
    if made == "close together":
        corpus = np.asarray(0.05 * corpus + unit(1, 24, 9), np.float32)
        queries = np.asarray(0.05 * queries + unit(1, 24, 9), np.float32)
    if made == "long and short":
        corpus *= np.random.default_rng(5).lognormal(0, 2, (1200, 1)).astype(np.float32)
    if made == "tiny":
        corpus, queries = corpus * np.float32(1e-19), queries * np.float32(1e-19)
    found = top_k(queries, shards(corpus, parts), 10, Tiles(PLAIN))
    expected = top_k(queries, shards(corpus, parts), 10, PLAIN)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.usefixtures("small")
def test_most_pairs_are_left_to_the_tiles() -> None:
    """On random vectors the plain engine sees few more than the first passages, with which the others are compared."""
    plain = Noted()
    top_k(unit(16, 64, 1), shards(unit(4000, 64, 2), 1), 3, Tiles(plain))
    assert 16 * 64 <= plain.pairs < 16 * 4000 / 10


@pytest.mark.usefixtures("small")
def test_where_the_bound_passes_everything_the_plain_engine_searches() -> None:
    """Vectors that differ by less than bfloat16 tells are searched plainly, and found right."""
    corpus = np.asarray(unit(1, 8, 1) + 1e-4 * unit(500, 8, 2), np.float32)
    queries, plain = np.asarray(100 * unit(8, 8, 3), np.float32), Noted()
    corpus[:, 0] += np.linspace(0, 50, 500, dtype=np.float32)
    found = top_k(queries, shards(corpus, 1), 400, Tiles(plain))
    assert plain.pairs == 8 * 500
    np.testing.assert_array_equal(found[0], top_k(queries, shards(corpus, 1), 400, PLAIN)[0])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 40), st.floats(0, 1), st.integers(0, 99))
def test_what_is_true_is_found(rows: int, columns: int, share: float, seed: int) -> None:
    """The flat indices are those of flatnonzero, whatever the shape."""
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    np.testing.assert_array_equal(_true(mask), np.flatnonzero(mask))
