"""The lower bound of contamination: the share of kept candidates on which there is evidence."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.contamination.evidence import KINDS, Found
from embedder.contamination.shares import wilson
from embedder.params.models import Leak
from embedder.seeds import rng

WORDS = (
    "a lower bound: only what the texts and judgements themselves show (copies, edited copies, answers of the same "
    "question, passages that a dense teacher cannot tell from a positive)"
)


class Tally:
    """Counts of evidence over blocks of whole queries; memory does not grow with the queries."""

    def __init__(self) -> None:
        self._kinds = dict.fromkeys(KINDS, 0)
        # How many queries have so many kept candidates, and so many with evidence.
        self._queries: Counter[tuple[int, int]] = Counter()

    def add(self, query: NDArray[np.int64], found: Found) -> None:
        """Count the kept candidates of some whole queries.

        Args:
            query: [rows] of each kept candidate.
            found: the evidence on each.
        """
        for kind, holds in found.kinds.items():
            self._kinds[kind] += int(np.count_nonzero(holds))
        numbers, place = np.unique(query, return_inverse=True)
        kept = np.bincount(place, minlength=len(numbers))
        relevant = np.bincount(place[found.any], minlength=len(numbers))
        self._queries.update(zip(kept.tolist(), relevant.tolist(), strict=True))

    def report(self, settings: Leak) -> dict[str, Any]:
        """Return kept, evidence per kind, any, and the share with its interval, as JSON; null of nothing kept."""
        pairs = np.array(sorted(self._queries), dtype=np.int64).reshape(-1, 2)
        queries = np.array([self._queries[kept, relevant] for kept, relevant in pairs.tolist()], dtype=np.int64)
        kept, relevant = (int(count) for count in queries @ pairs) if len(pairs) else (0, 0)
        counts = {"kept": kept, "queries": int(queries.sum()), "evidence": self._kinds, "any": relevant}
        if not kept:
            return {**counts, "lower": None, "low": None, "high": None, "words": WORDS}
        low, high = _interval(pairs, queries, settings)
        return {**counts, "lower": relevant / kept, "low": low, "high": high, "words": WORDS}


def _interval(pairs: NDArray[np.int64], queries: NDArray[np.int64], settings: Leak) -> tuple[float, float]:
    """Return the percentile interval of the share, with queries drawn anew; Wilson's where there is nothing to draw.

    Queries with the same counts are alike, so a draw of queries is a draw of how many there are of each sort.
    """
    kept, relevant = queries @ pairs
    if relevant in (0, kept):
        return wilson(relevant / kept, int(queries.sum()), settings.confidence)
    total = int(queries.sum())
    draws = rng(settings.seed, "lower bound").multinomial(total, queries / total, size=settings.bootstrap_samples)
    sums = draws @ pairs
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(sums[:, 1] / sums[:, 0], [tail, 1 - tail])
    return float(low), float(high)
