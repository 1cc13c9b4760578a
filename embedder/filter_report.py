"""What the filter's report.json says: counts per verdict and rule, and what each window would have let through."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder.candidates import Block, Filtering
from embedder.filters import BIT, VERDICTS, score_bounds, verdicts
from embedder.leak.known import WINDOWS, known_false_negatives
from embedder.params.models import Dataset

Ints = NDArray[np.int64]


class Tally:
    """Counts of a dataset's blocks; of each query and each kept row it holds one number.

    Args:
        filtering: the dataset's.
        entry: the dataset's entry.
        draws: how many negatives of a query a training row sees.
    """

    def __init__(self, filtering: Filtering, entry: Dataset, draws: int) -> None:
        self._filtering, self._entry, self._draws = filtering, entry, draws
        queries = len(filtering.query_ids)
        self._verdicts = np.zeros(len(VERDICTS), np.int64)
        self._refused = dict.fromkeys(BIT, 0)
        self._kept = np.zeros(queries, np.int64)
        self._lengths = np.zeros(queries, np.int64)
        self._scores: list[NDArray[np.float32]] = []
        self._margin_unknown = 0

    def add(self, block: Block) -> None:
        """Count one block; blocks come in order and once."""
        kept = block.refused_by == 0
        self._verdicts += np.bincount(verdicts(block.refused_by), minlength=len(VERDICTS))
        for name, bit in BIT.items():
            self._refused[name] += int(np.count_nonzero(block.refused_by & bit))
        self._kept += np.bincount(block.query[kept], minlength=len(self._kept))
        self._lengths += _run_lengths(block.query, block.candidates.rank, len(self._lengths))
        self._scores.append(block.candidates.score[kept].astype(np.float32))
        self._margin_unknown += self._unknown(block)

    @property
    def verdicts(self) -> dict[str, int]:
        """The rows per verdict, in the order of the rules, zeros included."""
        return dict(zip(VERDICTS, self._verdicts.tolist(), strict=True))

    @property
    def without_negatives(self) -> int:
        """How many mined queries keep nothing, those included of which nothing was retrieved."""
        return int(np.count_nonzero(self._kept == 0))

    def report(self, made_by: Mapping[str, str]) -> dict[str, Any]:
        """Return the report, `made_by` first."""
        judged, rules = self._filtering.judged, self._filtering.rules
        rows = judged.positives_of(0, len(self._kept))
        asked = () if self._entry.labelled else WINDOWS
        windows = known_false_negatives(judged.query[rows], judged.rank[rows], self._lengths, asked, self._draws)
        most, least = score_bounds(rules, judged.scale)
        return {
            **made_by,
            "candidates": int(self._verdicts.sum()),
            "verdicts": self.verdicts,
            "refused_by": self._refused,
            "rules_without_data": self._filtering.rules_without_data,
            "bounds": {"max_score": most, "min_score": least},
            "margin_unknown": self._margin_unknown,
            "queries": len(self._kept),
            "queries_without_negatives": self.without_negatives,
            "kept_per_query": quantiles(self._kept),
            "scores_kept": quantiles(np.concatenate([np.empty(0, np.float32), *self._scores])),
            "scores_positive": quantiles(judged.scale.astype(np.float32)),
            "known_false_negatives": [asdict(window) for window in windows],
        }

    def _unknown(self, block: Block) -> int:
        """Count the rows that a margin would have been asked of, had their query's positives all had scores."""
        rules, found = self._filtering.rules, block.candidates
        if rules.absolute_margin is rules.relative_margin is rules.percentile_margin is None:
            return 0
        return int(np.count_nonzero(np.isnan(found.positive_score) & ~found.is_positive & ~found.is_negative))


def _run_lengths(query: Ints, rank: Ints, queries: int) -> Ints:
    """Count the rows of each query up to the run's depth: judged passages that lie deeper leave gaps in the ranks."""
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    place = np.arange(len(query)) - np.repeat(starts, np.diff(np.append(starts, len(query)))) + 1
    return np.bincount(query[rank == place], minlength=queries)


def verdict_counts(candidates: pa.Table) -> Mapping[str, int]:
    """Count the rows per verdict of table `candidates`, in the order of the rules, zeros included."""
    counts = {row["values"]: row["counts"] for row in pc.value_counts(candidates["verdict"]).to_pylist()}
    return {verdict: counts.get(verdict, 0) for verdict in VERDICTS}


def quantiles(values: NDArray[Any]) -> dict[str, float] | None:
    """Return minimum, quartiles and maximum, or None of nothing."""
    if not len(values):
        return None
    names = ("min", "q25", "median", "q75", "max")
    return {
        name: round(float(q), 6) for name, q in zip(names, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]), strict=True)
    }
