"""Counts over all candidates of a dataset, batch by batch: what rules refuse together, where scores and ranks lie."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder.filters import BIT

_BINS = 64


@dataclass(frozen=True)
class Scale:
    """Equal bins from `low` to `high`."""

    low: float
    high: float
    bins: int

    def counts(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Count values per bin; what is no number is not counted."""
        finite = values[np.isfinite(values)].astype(np.float64)
        width = (self.high - self.low) / self.bins or 1.0
        place = np.clip(np.floor((finite - self.low) / width), 0, self.bins - 1).astype(np.int64)
        return np.bincount(place, minlength=self.bins)


def scale_of_scores(low: float, high: float) -> Scale:
    """The scale of a picture of scores."""
    return Scale(low, high, _BINS)


def scale_of_ranks(depth: int) -> Scale:
    """The scale of a picture of ranks 1 to `depth`: every bin holds equally many whole ranks."""
    width = max(1, -(-depth // _BINS))
    bins = max(1, -(-depth // width))
    return Scale(1, 1 + bins * width, bins)


@dataclass
class Tally:
    """What a pass over candidates and positives counts.

    Attributes:
        score_scale: of scores.
        rank_scale: of ranks.
        refused_by: how many candidates each set of rules refuses.
        scores: per group, counts per bin.
        ranks: likewise.
        deeper: per group, how many are not found as deep as that scale goes.
    """

    score_scale: Scale
    rank_scale: Scale
    refused_by: Counter[int] = field(default_factory=Counter)
    scores: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    ranks: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    deeper: Counter[str] = field(default_factory=Counter)

    def add_candidates(self, rows: pa.Table) -> None:
        """Count rows with the columns refused_by, score and rank."""
        refused_by, score, rank = (rows[name].to_numpy() for name in ("refused_by", "score", "rank"))
        sets, counts = np.unique(refused_by, return_counts=True)
        self.refused_by.update(dict(zip(sets.tolist(), counts.tolist(), strict=True)))
        kept = refused_by == 0
        refused = ~kept & ((refused_by & BIT["is_positive"]) == 0)
        self._add("kept", score[kept], rank[kept])
        self._add("refused", score[refused], rank[refused])

    def add_positives(self, rows: pa.Table) -> None:
        """Count positives with the columns score and rank, either of which may be null."""
        score, rank = (rows[name].to_numpy().astype(np.float64) for name in ("score", "rank"))
        self._add("positives", score, rank)

    def _add(self, group: str, score: NDArray[Any], rank: NDArray[Any]) -> None:
        found = rank[rank < self.rank_scale.high]
        self.deeper[group] += len(rank) - len(found)
        for counts, more in (
            (self.scores, self.score_scale.counts(score)),
            (self.ranks, self.rank_scale.counts(found)),
        ):
            counts[group] = counts[group] + more if group in counts else more


def median(scale: Scale, counts: NDArray[np.int64]) -> float | None:
    """Return about where half of the values lie below: exact to a bin; None of nothing."""
    total = int(counts.sum())
    if not total:
        return None
    edges = np.linspace(scale.low, scale.high, scale.bins + 1)
    return float(np.interp(total / 2, np.concatenate([[0], np.cumsum(counts)]), edges))
