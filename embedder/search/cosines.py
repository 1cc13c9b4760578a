"""Cosines of pairs of passages: both sides of a pair come in shards, so one side is held a part at a time."""

from collections.abc import Callable, Iterable

import numpy as np

from embedder.search.pairs import Ints, Shard, Vectors, pair_cosines, streamed_pair_scores


def cosines(shards: Callable[[], Iterable[Shard]], left: Ints, right: Ints, most: int) -> Vectors:
    """Return the cosine of each pair of passages, in the same bits for any cut of the corpus and any `most`.

    Args:
        shards: gives the corpus anew each time it is called.
        left: [p] places in the corpus.
        right: [p] places in the corpus; the fewer distinct ones, the fewer times the corpus is read.
        most: how many vectors are in memory besides a shard.

    Raises:
        IndexError: a place is in no shard.
    """
    out = np.empty(len(left), np.float32)
    distinct, row = np.unique(right, return_inverse=True)
    for start in range(0, len(distinct), most):
        held = _vectors(shards(), distinct[start : start + most])
        pairs = np.flatnonzero((row >= start) & (row < start + most))
        out[pairs] = streamed_pair_scores(held, shards(), row[pairs] - start, left[pairs], pair_cosines)
    return out


def _vectors(shards: Iterable[Shard], places: Ints) -> Vectors:
    """Return the vectors [n, d] at distinct ascending places [n], each of which is in a shard."""
    found = np.empty((len(places), 0), np.float32)
    for held, vectors in shards:
        at = np.searchsorted(places, held)
        wanted = np.flatnonzero((at < len(places)) & (places[np.minimum(at, len(places) - 1)] == held))
        if not found.size:
            found = np.empty((len(places), vectors.shape[1]), np.float32)
        found[at[wanted]] = vectors[wanted]
    return found
