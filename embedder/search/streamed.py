"""Search of a corpus that comes in shards past queries that stay: the memory is one shard and what was found so far.

An engine proposes passages of a shard by a fast product that rounds by a pair's place in its block. What could belong
to the best is scored again, one pair at a time, and ordered by (score, place); where a passage that was not proposed
could belong there too, that query asks again for more. So the result is that of sorting all pairs, in the same bits for
any cut of the corpus, any engine and any number of threads.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from embedder.search.pairs import Ints, Shard, Vectors, pair_scores

Propose = Callable[[Vectors, Vectors, int], tuple[Ints, Vectors]]
"""queries [q, d], vectors [m, d], width <= m -> [q, width] indices of the largest products, best first, and these."""
Keys = NDArray[np.uint64]
Merge = Callable[[Keys, Vectors, Shard], Keys]
"""The best [q, k] keys so far in any order, queries [q, d], a shard -> the best [q, k] with those of the shard."""

_OVERFETCH = 24
_QUERIES = 32_768
_PRODUCTS = 16_000_000
_LAST_PLACE = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_SIGN = np.uint32(0x8000_0000)


def top_k(queries: Vectors, shards: Iterable[Shard], k: int, merge: Merge) -> tuple[Ints, Vectors]:
    """Find the `k` passages with the largest inner product for every query, ties by place.

    Args:
        queries: [q, d] float32, all in memory.
        shards: the corpus, each place once, in any order and cut.
        k: how many passages, at most as many as there are; below 2**32 places.
        merge: the engine, see `proposing`.

    Returns:
        [q, k] places, best first, and their scores.

    Raises:
        ValueError: there are fewer than k passages.
    """
    best = np.zeros((len(queries), k), np.uint64)
    if not k or not len(queries):
        return best.astype(np.int64), best.astype(np.float32)
    for shard in shards:
        for start in range(0, len(queries), _QUERIES):
            block = slice(start, start + _QUERIES)
            best[block] = merge(best[block], queries[block], shard)
        # Or two shards would be in memory while the next one is read.
        del shard
    if not best.all():
        raise ValueError(f"the shards hold fewer than {k} passages")
    best = np.sort(best, axis=1)[:, ::-1]
    return _places(best), scores_of(best)


def proposing(propose: Propose) -> Merge:
    """Return an engine that has the passages of a shard proposed by a fast product."""
    return partial(_merge, propose)


def ranks(queries: Vectors, shards: Iterable[Shard], rows: Ints, places: Ints, scores: Vectors) -> Ints:
    """Return the rank of each pair (queries[rows[i]], passage at places[i]) among all passages, by counting.

    Args:
        queries: [q, d] float32.
        shards: the corpus, as for `top_k`.
        rows: [p] ascending.
        places: [p].
        scores: [p] what `pair_scores` gives these pairs.
    """
    better = np.zeros(len(rows), np.int64)
    for held, vectors in shards:
        slack = rounding(queries, float(lengths(vectors).max(initial=0)))
        step = max(1, _PRODUCTS // max(1, len(vectors)))
        asked = np.unique(rows)
        for start in range(0, len(asked), step):
            block = asked[start : start + step]
            products = queries[block] @ vectors.T
            for pair in range(*np.searchsorted(rows, [block[0], block[-1] + 1])):
                row = rows[pair]
                difference = products[np.searchsorted(block, row)] - scores[pair]
                near = np.flatnonzero(np.abs(difference) <= slack[row])
                exact = pair_scores(queries, vectors, np.full(len(near), row), near)
                before = (exact > scores[pair]) | ((exact == scores[pair]) & (held[near] < places[pair]))
                better[pair] += np.count_nonzero(difference > slack[row]) + np.count_nonzero(before)
    return better + 1


def rounding(queries: Vectors, longest: float) -> NDArray[np.float64]:
    """How far a float32 sum of d products, in any order, may lie from a pair's score: the bound d u |q| |p|, twice.

    See Higham 2002, "Accuracy and Stability of Numerical Algorithms", 3.1; u is half of float32's epsilon.
    """
    norms = lengths(queries).astype(np.float64)
    return np.asarray(queries.shape[1] * np.finfo(np.float32).eps * norms * longest, dtype=np.float64)


def lengths(vectors: Vectors) -> Vectors:
    """Return the length of each vector, without a second array of their size."""
    return np.asarray(np.sqrt(np.vecdot(vectors, vectors)))


def _merge(propose: Propose, best: Keys, queries: Vectors, shard: Shard) -> Keys:
    (places, vectors), k, merged = shard, best.shape[1], best.copy()
    slack = rounding(queries, float(lengths(vectors).max(initial=0)))
    lowest = scores_of(best.min(axis=1))
    rows, width = np.arange(len(queries)), min(k + _OVERFETCH, len(vectors))
    while len(rows) and width:
        found, products = propose(queries[rows], vectors, width)
        row, column = np.nonzero(products + slack[rows, None] >= lowest[rows, None])
        local = found[row, column]
        keys = np.zeros(found.shape, np.uint64)
        keys[row, column] = keys_of(pair_scores(queries, vectors, rows[row], local), places[local])
        merged[rows] = largest(np.concatenate([best[rows], keys], axis=1), k)
        unsure = scores_of(merged[rows].min(axis=1)) <= products[:, -1] + slack[rows]
        rows = rows[unsure] if width < len(vectors) else rows[:0]
        width = min(2 * width, len(vectors))
    return merged


def largest(keys: Keys, k: int) -> Keys:
    """Return the `k` largest of each row, in no order."""
    return np.partition(keys, keys.shape[1] - k, axis=1)[:, -k:]


def keys_of(scores: Vectors, places: Ints) -> Keys:
    """Return one number a passage that sorts as (score, earlier place first) does; 0 is smaller than any."""
    bits = scores.view(np.uint32)
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    return (ordered << _HALF) | (_LAST_PLACE - places.astype(np.uint64))


def _places(keys: Keys) -> Ints:
    return (_LAST_PLACE - (keys & _LAST_PLACE)).astype(np.int64)


def scores_of(keys: Keys) -> Vectors:
    """Return the scores in keys, -inf where nothing was found."""
    bits = (keys >> _HALF).astype(np.uint32)
    scores = np.where(bits & _SIGN, bits & ~_SIGN, ~bits).astype(np.uint32).view(np.float32)
    return np.where(keys == 0, np.float32(-np.inf), scores)
