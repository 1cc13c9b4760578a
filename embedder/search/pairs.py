"""Scores of single pairs: the same bits wherever a pair stands, which a matrix product does not promise."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from embedder.devices import cores

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]
Shard = tuple[Ints, Vectors]
"""[m] places in the corpus, and [m, d] the vectors that stand there."""
Compare = Callable[[Vectors, Vectors, NDArray[np.integer], NDArray[np.integer]], NDArray[np.float32]]
"""Gives what `pair_scores` gives, or something like it."""

# So few that the rows gathered stay in a core's cache.
_PAIRS = 512
_WORTH_THREADS = 16


def pair_scores(
    left: Vectors, right: Vectors, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return the inner products of the pairs (left[rows[i]], right[columns[i]]); equal pairs get equal bits.

    Summed in float64 and rounded once, they are the true products to half a unit in the last place, so near ties are ties
    on any CPU.
    """
    out = np.empty(len(rows), np.float32)

    def score(start: int) -> None:
        part = slice(start, start + _PAIRS)
        # One dot product a pair. Adding 0 makes -0 and 0 the same bits.
        out[part] = np.vecdot(left[rows[part]].astype(np.float64), right[columns[part]].astype(np.float64)) + 0.0

    starts = range(0, len(rows), _PAIRS)
    if len(starts) < _WORTH_THREADS:
        for start in starts:
            score(start)
    else:
        with ThreadPoolExecutor(cores()) as threads:
            for _ in threads.map(score, starts):
                pass
    return out


def pair_cosines(
    left: Vectors, right: Vectors, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return the cosines of the pairs (left[rows[i]], right[columns[i]]); equal pairs get equal bits.

    Of two equal vectors it is 1, and 0 where one is all zeros.
    """
    squares = [pair_scores(each, each, *2 * (np.arange(len(each)),)).astype(np.float64) for each in (left, right)]
    sizes = np.sqrt(squares[0][rows] * squares[1][columns])
    cosines = np.divide(pair_scores(left, right, rows, columns), sizes, out=np.zeros(len(rows)), where=sizes > 0)
    return np.asarray(np.clip(cosines, -1, 1), np.float32)


def streamed_pair_scores(
    queries: Vectors, shards: Iterable[Shard], rows: Ints, places: Ints, compare: Compare = pair_scores
) -> NDArray[np.float32]:
    """Return the scores of the pairs (queries[rows[i]], passage at places[i]) of a corpus that comes in shards.

    Args:
        queries: [q, d], all in memory.
        shards: the corpus, each place at most once.
        rows: [p] of the queries.
        places: [p] in the corpus.
        compare: `pair_scores`, or `pair_cosines`.

    Raises:
        IndexError: a place is in no shard.
    """
    out = np.full(len(rows), np.nan, np.float32)
    order = np.argsort(places, kind="stable")
    for pairs, local, vectors in _pairs_of_shards(shards, places[order]):
        out[order[pairs]] = compare(queries, vectors, rows[order[pairs]], local)
    if np.isnan(out).any():
        raise IndexError(f"{int(np.isnan(out).sum())} pairs name places that no shard holds")
    return out


def _pairs_of_shards(shards: Iterable[Shard], places: Ints) -> Iterator[tuple[Ints, Ints, Vectors]]:
    """Yield for each shard which of the sorted `places` it holds, where it holds them, and its vectors."""
    for held, vectors in shards:
        by_place = np.argsort(held)
        sorted_held = held[by_place]
        first, last = np.searchsorted(places, sorted_held, "left"), np.searchsorted(places, sorted_held, "right")
        counts = last - first
        starts = np.cumsum(counts) - counts
        pairs = np.repeat(first - starts, counts) + np.arange(int(counts.sum()))
        yield pairs, np.repeat(by_place, counts), vectors
