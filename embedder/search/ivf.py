"""Search of a part of the corpus: an inverted file (Sivic and Zisserman 2003), whose recall must be measured."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from embedder.errors import EmbedderError
from embedder.search.pairs import Ints, Shard, Vectors, streamed_pair_scores

# FAISS's own advice: 39 to 256 training vectors a list.
_TRAINED_ON = 64
FEWEST = 39
"""The passages a list must have on average for the lists to mean anything."""
_OVERFETCH = 64


class InvertedFile:
    """The corpus cut into lists by its vectors; all of it is in memory."""

    def __init__(self, shards: Callable[[], Iterable[Shard]], lists: int, size: int) -> None:
        """Cut the corpus.

        Args:
            shards: gives the corpus anew each time it is called.
            lists: into how many it is cut.
            size: how many passages there are.

        Raises:
            EmbedderError: there are fewer passages than lists, or FAISS is not installed.
        """
        self._shards = shards
        self._index = _index(shards, lists, size)

    def top_k(self, queries: Vectors, k: int, probes: int) -> tuple[Ints, Vectors]:
        """Find about the `k` passages with the largest inner product for every query: those of the nearest lists.

        Equal vectors at the end are those with the smallest places as long as no more than `_OVERFETCH` of them tie.

        Returns:
            [q, k] places, best first, ties by place, -1 where fewer were found; and their scores, -inf there.
        """
        self._index.nprobe = probes
        _, places = self._index.search(queries, k + _OVERFETCH)
        rows, columns = np.nonzero(places >= 0)
        scores = np.full(places.shape, -np.inf, np.float32)
        scores[rows, columns] = streamed_pair_scores(queries, self._shards(), rows, places[rows, columns])
        order = np.lexsort((places, -scores), axis=-1)[:, :k]
        return np.take_along_axis(places, order, 1), np.take_along_axis(scores, order, 1)


def recall(found: Ints, exact: Ints) -> float:
    """The mean share of the exactly best passages [q, k] that were found [q, k]."""
    shares = [len(np.intersect1d(one, best)) / len(best) for one, best in zip(found, exact, strict=True)]
    return float(np.mean(shares)) if shares else 1.0


def _index(shards: Callable[[], Iterable[Shard]], lists: int, size: int) -> Any:  # noqa: ANN401 - faiss ships no types
    try:
        import faiss
    except ImportError as error:
        raise EmbedderError("search: FAISS is not installed; pip install '.[cpu]' (or '.[gpu]')") from error
    if size < lists:
        raise EmbedderError(f"index: {lists} lists for {size} passages; lower `lists`, or set `index` to kind: exact")
    sample = _evenly(shards(), lists * _TRAINED_ON, size)
    dimensions = sample.shape[1]
    quantiser = faiss.IndexFlatIP(dimensions)
    index = faiss.IndexIVFFlat(quantiser, dimensions, lists, faiss.METRIC_INNER_PRODUCT)
    threads = faiss.omp_get_max_threads()
    # One thread, since the order of a sum, and with it the lists, depends on their number.
    faiss.omp_set_num_threads(1)
    try:
        index.train(sample)
    finally:
        faiss.omp_set_num_threads(threads)
    for places, vectors in shards():
        index.add_with_ids(vectors, places)
    return index


def _evenly(shards: Iterable[Shard], most: int, size: int) -> Vectors:
    """Return about `most` vectors that stand at even distances in the corpus, in the order of their places."""
    wanted = np.unique(np.linspace(0, size - 1, min(most, size)).astype(np.int64))
    places, vectors = [], []
    for held, part in shards:
        chosen = np.isin(held, wanted)
        places.append(held[chosen])
        vectors.append(part[chosen])
    return np.concatenate(vectors)[np.argsort(np.concatenate(places))]
