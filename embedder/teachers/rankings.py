"""What a teacher's blocks say of each query, best passage first: what other teachers build on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.teachers import Block, Queries, Teacher

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Ranking:
    """One query's passages: as many of the best as were wanted, then judged ones whose rank is known.

    Attributes:
        passages: [n] indices into the corpus, best first.
        ranks: [n] their ranks in the whole corpus, ascending.
        scores: [n] the teacher's.
    """

    passages: Ints
    ranks: Ints
    scores: Floats


def rankings(teacher: Teacher, queries: Queries, corpus: int) -> Iterator[Ranking]:
    """Yield what `teacher` says of each query, whatever the size of its blocks.

    Deeper than `queries.most` only judged passages are kept, and only where `queries.deep` wants them. Where
    `queries.everything` is wanted, those that are not retrieved follow with the floor's score, unless nobody knows it.
    """
    query = 0
    for block in teacher.score(queries):
        block = _filled(block, corpus) if queries.everything and block.ranks is None else block  # noqa: PLW2901 - the same, whole
        for row in range(len(block.floor)):
            yield _ranking(block, row, int(queries.most[query]), judged_of(queries, query) if queries.deep else None)
            query += 1


def judged_of(queries: Queries, query: int) -> Ints:
    """Return the judged passages of one query, none where `queries` has none."""
    return np.asarray(queries.judged[query] if len(queries.judged) else (), np.int64)


def by_score(passages: Ints, scores: Floats) -> Ints:
    """Return the order of passages: larger scores first, ties by index."""
    return np.lexsort((passages, -scores))


def _filled(block: Block, corpus: int) -> Block:
    """Store every passage of the corpus, those that are not retrieved with the floor's score."""
    scores = np.repeat(block.floor[:, np.newaxis], corpus, axis=1)
    rows = np.repeat(np.arange(len(block.floor)), np.diff(block.indptr))
    scores[rows, block.passages] = block.scores
    order = np.lexsort((np.broadcast_to(np.arange(corpus), scores.shape), -scores), axis=-1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, corpus + 1)[np.newaxis], axis=1)
    ranks[np.isneginf(scores)] = 0
    passages = np.tile(np.arange(corpus, dtype=np.int32), len(scores))
    indptr = np.arange(0, scores.size + 1, corpus)
    return Block(indptr, passages, scores.ravel(), block.floor, ranks.ravel())


def _ranking(block: Block, row: int, most: int, deep: Ints | None) -> Ranking:
    part = slice(int(block.indptr[row]), int(block.indptr[row + 1]))
    passages, scores = block.passages[part].astype(np.int64), block.scores[part]
    if block.ranks is None:
        retrieved = np.flatnonzero(scores > block.floor[row])
        if deep is None:
            retrieved = retrieved[_at_least(scores[retrieved], most)]
        order = retrieved[by_score(passages[retrieved], scores[retrieved])]
        ranks = np.arange(1, len(order) + 1)
    else:
        known = np.flatnonzero(block.ranks[part] > 0)
        order = known[np.argsort(block.ranks[part][known])]
        ranks = block.ranks[part][order]
    kept = ranks <= most
    if deep is not None:
        kept |= np.isin(passages[order], deep)
    return Ranking(passages[order][kept], ranks[kept], scores[order][kept])


def _at_least(scores: Floats, most: int) -> NDArray[np.bool_]:
    """Mark the scores that are no worse than the `most`-th best, so that only they need sorting."""
    if len(scores) <= most:
        return np.ones(len(scores), bool)
    return np.asarray(scores >= np.partition(scores, -most)[-most])
