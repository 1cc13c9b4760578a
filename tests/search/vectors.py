"""Vectors for tests of search, and the order that a full sort gives."""

from collections.abc import Iterator

import numpy as np

from embedder.search.pairs import Ints, Shard, Vectors, pair_scores


def unit(rows: int, width: int, seed: int) -> Vectors:
    """Random vectors of length 1."""
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def doubled(rows: int, width: int, seed: int) -> Vectors:
    """Random vectors, each twice, in any places."""
    once = unit(rows, width, seed)
    return np.concatenate([once, once])[np.random.default_rng(seed + 1).permutation(2 * rows)]


def shards(corpus: Vectors, parts: int, seed: int = 0) -> Iterator[Shard]:
    """Cut a corpus into parts that hold places in any order."""
    for held in np.array_split(np.random.default_rng(seed).permutation(len(corpus)), parts):
        yield held, corpus[held]


def by_sorting(queries: Vectors, corpus: Vectors, k: int) -> tuple[Ints, Vectors]:
    """Score all pairs one at a time and sort them by score, then place."""
    rows, columns = np.indices((len(queries), len(corpus)))
    scores = pair_scores(queries, corpus, rows.ravel(), columns.ravel()).reshape(rows.shape)
    order = np.lexsort((columns, -scores), axis=-1)[:, :k]
    return order, np.take_along_axis(scores, order, 1)
