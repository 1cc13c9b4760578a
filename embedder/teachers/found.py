"""What a search found, as pairs of a query and a passage, and how they become a teacher's block."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.search.pairs import Ints, Shard, Vectors, streamed_pair_scores
from embedder.search.streamed import ranks
from embedder.teachers import Block, Queries

Shards = Callable[[], Iterable[Shard]]
"""Streams the corpus anew each time it is called."""
Find = Callable[[Vectors, int], tuple[Ints, Vectors]]
"""queries [q, d], k -> [q, k] places, best first, -1 where there is none, and their scores."""

# Queries that want up to so much more than the least of them are searched together.
_ALIKE = 1.25


@dataclass(frozen=True)
class Found:
    """Pairs (query row, place in the corpus), each once, in any order; a rank of 0 is unknown."""

    rows: Ints
    places: Ints
    scores: Vectors
    ranks: Ints


def pairs_of_best(most: Ints, vectors: Vectors, find: Find) -> Found:
    """Find of each query (`vectors` [q, d]) about as many of the best passages as it wants, and no fewer."""
    parts = []
    for rows, k in _alike(most):
        places, scores = find(vectors[rows], k)
        row, column = np.nonzero(places >= 0)
        parts.append(Found(rows[row], places[row, column], scores[row, column], column + 1))
    return _join(parts)


def with_judged(found: Found, vectors: Vectors, shards: Shards, queries: Queries) -> Found:
    """Add the judged passages that are not among the best: with their scores, and their ranks where these are wanted."""
    rows = np.repeat(np.arange(len(queries.judged)), [len(one) for one in queries.judged])
    places = np.concatenate([np.empty(0, np.int64), *queries.judged])
    corpus = max(places.max(initial=0), found.places.max(initial=0)) + 1
    absent = _absent(rows * corpus + places, found.rows * corpus + found.places)
    if not absent.any():
        return found
    rows, places = rows[absent], places[absent]
    scores = streamed_pair_scores(vectors, shards(), rows, places)
    deep = ranks(vectors, shards(), rows, places, scores) if queries.deep else np.zeros(len(rows), np.int64)
    return _join([found, Found(rows, places, scores, deep)])


def block(found: Found, queries: int) -> Block:
    """Put all pairs into one block, queries in order."""
    order = np.argsort(found.rows, kind="stable")
    return Block(
        np.concatenate([[0], np.cumsum(np.bincount(found.rows, minlength=queries))]),
        found.places[order].astype(np.int32),
        found.scores[order],
        np.full(queries, -np.inf, np.float32),
        found.ranks[order],
    )


def _absent(wanted: Ints, found: Ints) -> NDArray[np.bool_]:
    """Say which of the distinct numbers `wanted` are not among the many `found`: np.isin would sort or hash these."""
    order, out = np.argsort(wanted), np.ones(len(wanted), bool)
    ascending = wanted[order]
    at = ascending.searchsorted(found)
    hit = at < len(ascending)
    hit[hit] = ascending[at[hit]] == found[hit]
    out[order[at[hit]]] = False
    return out


def _alike(most: Ints) -> Iterator[tuple[Ints, int]]:
    """Yield groups of queries that want about as many passages, and the most that one of them wants."""
    order = np.argsort(most, kind="stable")
    start = 0
    while start < len(order):
        end = int(np.searchsorted(most[order], _ALIKE * most[order[start]], "right"))
        rows = np.sort(order[start:end])
        yield rows, int(most[rows].max())
        start = end


def _join(parts: list[Found]) -> Found:
    return Found(
        np.concatenate([one.rows for one in parts]),
        np.concatenate([one.places for one in parts]),
        np.concatenate([one.scores for one in parts]),
        np.concatenate([one.ranks for one in parts]),
    )
