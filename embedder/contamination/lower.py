"""The lower bound of contamination: the share of kept candidates on which there is evidence."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.contamination.evidence import KINDS, Found
from embedder.contamination.shares import envelope
from embedder.contamination.twins import FEWEST
from embedder.params.models import Leak
from embedder.seeds import rng

WORDS = (
    "a lower bound of unjudged kept candidates, as far as copies and answers to the same question are right answers: only "
    "what texts and judgements themselves show (copies, edited copies, answers to the same question)"
)
HINT = "a hint, no part of the bound: a dense teacher cannot tell these from a positive"
UNTOLD = f"a teacher's twins need {FEWEST} queries of which the run has two positives; of no member there are as many"


class Tally:
    """Counts of evidence over blocks of whole queries; memory does not grow with the queries."""

    def __init__(self) -> None:
        self._kinds = dict.fromkeys(KINDS, 0)
        self._judged = self._twins = self._only_twins = 0
        # How many queries have so many kept candidates, and so many with evidence.
        self._queries: Counter[tuple[int, int]] = Counter()

    def add(self, query: NDArray[np.int64], found: Found, judged: int = 0) -> None:
        """Count the kept candidates of some whole queries.

        Args:
            query: [rows] of each that nobody judged.
            found: the evidence on each.
            judged: how many others are kept: what was judged is known.
        """
        self._judged += judged
        self._twins += int(np.count_nonzero(found.twin))
        self._only_twins += int(np.count_nonzero(found.twin & ~found.any))
        for kind, holds in found.kinds.items():
            self._kinds[kind] += int(np.count_nonzero(holds))
        numbers, place = np.unique(query, return_inverse=True)
        kept = np.bincount(place, minlength=len(numbers))
        relevant = np.bincount(place[found.any], minlength=len(numbers))
        self._queries.update(zip(kept.tolist(), relevant.tolist(), strict=True))

    def report(self, settings: Leak, thresholds: Mapping[str, float | None] | None = None) -> dict[str, Any]:
        """Return kept, judged, evidence per kind, any, the share with its interval, and the hint, as JSON.

        Args:
            settings: of the interval.
            thresholds: of each teacher the cosine from which a passage is a twin of a positive, None where that cannot
                be told; None where nobody wrote cosines.
        """
        pairs = np.array(sorted(self._queries), dtype=np.int64).reshape(-1, 2)
        queries = np.array([self._queries[kept, relevant] for kept, relevant in pairs.tolist()], dtype=np.int64)
        kept, relevant = (int(count) for count in queries @ pairs) if len(pairs) else (0, 0)
        share, low, high = _interval(pairs, queries, settings) if kept else (None, None, None)
        return {
            "kept": kept,
            "judged": self._judged,
            "queries": int(queries.sum()),
            "evidence": self._kinds,
            "any": relevant,
            "lower": share,
            "low": low,
            "high": high,
            "words": WORDS,
            "teacher_twin": None if thresholds is None else self._hint(thresholds),
        }

    def _hint(self, thresholds: Mapping[str, float | None]) -> dict[str, Any]:
        known = any(threshold is not None for threshold in thresholds.values())
        return {
            "candidates": self._twins if known else None,
            "without_evidence": self._only_twins if known else None,
            "thresholds": dict(thresholds),
            "words": HINT if known else UNTOLD,
        }


def _interval(pairs: NDArray[np.int64], queries: NDArray[np.int64], settings: Leak) -> tuple[float, float, float]:
    """Return the share and the ends of its interval, with queries drawn anew.

    Queries with the same counts are alike, so a draw of queries is a draw of how many there are of each sort.
    """
    (kept, relevant), total = queries @ pairs, int(queries.sum())
    draws = rng(settings.seed, "lower bound").multinomial(total, queries / total, size=settings.bootstrap_samples)
    sums, share = draws @ pairs, float(relevant / kept)
    return share, *envelope(share, sums[:, 1] / sums[:, 0], total, int(kept), settings.confidence)
