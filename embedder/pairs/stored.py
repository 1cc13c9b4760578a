"""Scores of pairs that are computed once: each is stored when its unit is done, so a kill loses one unit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from embedder import layout
from embedder.progress import track

if TYPE_CHECKING:
    from embedder.vectors.keys import Keys
    from embedder.vectors.store import Space


Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class PairModel(Protocol):
    """A loaded model."""

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the scores of consecutive pairs, unit by unit; the pairs of one passage follow each other."""
        ...


class StoredScores:
    """A model's scores: those in the cache, and for the others the model, which is loaded when one is missing.

    Args:
        reading: all that fixes a pair's score: the model and how it reads.
        circumstances: what may change its last bits besides: the type of device, libraries.
        load: loads the model.
        interval: seconds between two lines of progress.
        what: the word before them.
    """

    def __init__(
        self,
        reading: Mapping[str, object],
        circumstances: Mapping[str, object],
        load: Callable[[], PairModel],
        interval: float,
        what: str = "rescore",
    ) -> None:
        self._reading, self._circumstances = reading, circumstances
        self._load, self._interval, self._what = load, interval, what
        self._model: PairModel | None = None
        self._space: Space | None = None
        self._pairs = 0

    def identity(self) -> Mapping[str, object]:
        """Return what fixes a pair's score."""
        return self._reading

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the scores of all pairs at once, after those that were missing are computed and stored."""
        from embedder.vectors.keys import text_keys
        from embedder.vectors.store import Space

        if not queries:
            return
        if self._space is None:
            self._space = Space(layout.VECTORS, self._facts(), "float32")
        keys = text_keys(map(_pair, queries, passages))
        missing = self._space.missing(keys)
        done = self._fill(self._space, keys, missing, queries, passages)
        sum(track(done, len(missing), f"{self._what}: pairs", self._interval))
        self._pairs += len(keys)
        yield self._space.vectors(keys)[:, 0]

    def known(self, queries: Sequence[str], passages: Sequence[str]) -> Bools:
        """Say of which pairs there are scores already; makes and writes nothing, and loads no model."""
        from embedder.vectors.keys import text_keys
        from embedder.vectors.stored import known

        return known(layout.VECTORS, self._facts(), "float32", text_keys(map(_pair, queries, passages)))

    def report(self) -> Mapping[str, object]:
        """Return how many pairs there were; not how many were in the cache, which another run may change."""
        return {"pairs": self._pairs}

    def _facts(self) -> dict[str, object]:
        return {**self._reading, **self._circumstances}

    def _fill(
        self, space: "Space", keys: "Keys", missing: Ints, queries: Sequence[str], passages: Sequence[str]
    ) -> Iterator[int]:
        if not len(missing):
            return
        if self._model is None:
            self._model = self._load()
        start = 0
        for scores in self._model.score([queries[i] for i in missing], [passages[i] for i in missing]):
            unit = missing[start : start + len(scores)]
            space.add(keys[unit], scores[:, np.newaxis])
            start += len(scores)
            yield from repeat(1, len(scores))


def _pair(query: str, passage: str) -> str:
    """Name a pair. The length tells where the query ends, whatever characters there are."""
    return f"{len(query)}\0{query}{passage}"
