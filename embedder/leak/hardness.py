"""What settings leave to draw from: how many candidates of each query, and how hard."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.filters import Candidates, percentile
from embedder.leak.kept import Bools, kept, within
from embedder.leak.left_out import Ints
from embedder.leak.resampling import exact
from embedder.leak.settings import Setting

Floats = NDArray[np.float64]

_PLACES = 6


class Hardness:
    """Counts and percentiles of what each setting keeps, with all positives judged, block by block.

    Args:
        settings: how many there are.
        draws: how many negatives a training row sees.
        stored: how many materialize stores of a query.
    """

    def __init__(self, settings: int, draws: int, stored: int) -> None:
        self._draws, self._stored = draws, stored
        # Queries by how many candidates are kept: [settings, counts].
        self._counts = np.zeros((settings, 1), dtype=np.int64)
        # Percentiles summed, and candidates: of all kept, and of those that would be stored from the top.
        self._hardness = np.zeros((settings, 2, 2))

    def add(self, of: Ints, candidates: Candidates, queries: Ints, settings: Sequence[Setting]) -> None:
        """Count the candidates of `queries` that nothing refuses but perhaps a setting."""
        hardness = exact(percentile(candidates.score, candidates.scale))
        first, last = np.searchsorted(of, queries, "left"), np.searchsorted(of, queries, "right")
        self._make_room(int((last - first).max(initial=0)))
        for number, chosen in enumerate(kept(candidates, settings)):
            counts = np.bincount(within(chosen, first, last))
            self._counts[number, : len(counts)] += counts
            top = chosen & (_places(chosen, candidates.is_negative, first, last) <= self._stored)
            self._hardness[number] += [[chosen @ hardness, chosen.sum()], [top @ hardness, top.sum()]]

    def fewer(self, count: int) -> Floats:
        """Return for each setting the share of queries with fewer kept than `count`."""
        return np.asarray(self._counts[:, :count].sum(axis=1) / np.maximum(self._counts.sum(axis=1), 1))

    def figures(self) -> list[dict[str, float | None]]:
        """Return for each setting its figures, as a row has them."""
        short = self.fewer(self._draws)
        return [
            {
                "kept_per_query": _median(self._counts[number]),
                "short_share": known(short[number]),
                "hardness": known(random[0] / random[1] if random[1] else np.nan),
                "hardness_top": known(top[0] / top[1] if top[1] else np.nan),
            }
            for number, (random, top) in enumerate(self._hardness)
        ]

    def _make_room(self, most: int) -> None:
        self._counts = np.pad(self._counts, ((0, 0), (0, max(0, most + 1 - self._counts.shape[1]))))


def _median(counts: Ints) -> float:
    """The median of values 0, 1, 2 ... that occur so many times."""
    ends = np.cumsum(counts)
    middle = np.searchsorted(ends, [(ends[-1] - 1) // 2, ends[-1] // 2], side="right")
    return float(middle.mean())


def _places(chosen: Bools, judged: Bools, first: Ints, last: Ints) -> Ints:
    """Return for each row its place, from 1 on, among the chosen of its part: judged ones first, then by rank."""
    other, judged = chosen & ~judged, chosen & judged
    before = np.repeat(first, last - first)
    ends = (np.concatenate([[0], np.cumsum(one)]) for one in (judged, other))
    own, rest = (end[1:] - end[before] for end in ends)
    return np.asarray(np.where(judged, own, np.repeat(within(judged, first, last), last - first) + rest))


def known(value: float) -> float | None:
    """Return a figure as rows have it: rounded, null for NaN."""
    return None if np.isnan(value) else round(float(value), _PLACES)
