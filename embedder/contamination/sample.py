"""The pairs that a judge labels: kept candidates drawn by stratum, and controls whose answer is known.

Strata are bands of ranks x how close the score comes to the positive's x whether something makes a candidate suspicious.
They say where to look; each label stands for `weight` candidates of its stratum, so no choice of strata biases what is
estimated (Horvitz and Thompson 1952; of runs: Yilmaz, Kanoulas and Aslam 2008).
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder import schemas
from embedder.contamination.priorities import priorities
from embedder.filters import percentile
from embedder.params.models import Leak

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Where a band of ranks ends.
_BANDS = (10, 30, 60, 100)
_RANKS = ("1-10", "11-30", "31-60", "61-100", "101-")
# By how much of the positives' scores the score lies below the positive's.
_CLOSE = 0.25
_GAPS = ("above the positive", "close", "far", "no positive score")
_LOOKS = ("", ", suspicious")
NAMES = tuple(f"ranks {ranks}, {gap}{look}" for ranks in _RANKS for gap in _GAPS for look in _LOOKS)
ALL = "all"

# What the standard deviation of the judge's answers may be in a stratum: that of shares of a half, an eighth, a 25th. A
# wrong guess costs precision, never truth.
_SUSPICIOUS, _ABOVE, _OTHERS = 0.5, 0.33, 0.2
_FEWEST = 2

_SEEN = pa.schema(
    [
        ("query_id", pa.string()),
        ("passage_id", pa.string()),
        ("stratum", pa.int64()),
        ("priority", pa.uint64()),
    ]
)


def strata(rank: Ints, score: Floats, positive_score: Floats, scale: Floats, suspicious: Bools) -> Ints:
    """Return the stratum of each candidate, as an index into `NAMES`.

    Args:
        rank: [n] as the window counts it.
        score: [n] the teacher's.
        positive_score: [n] the lowest of the query's positives; NaN where one has none.
        scale: the scores of all positives of the dataset, ascending.
        suspicious: [n] whether there is evidence, or a reason to look.
    """
    below = percentile(positive_score, scale) - percentile(score, scale)
    gap = np.where(score >= positive_score, 0, np.where(below <= _CLOSE, 1, 2))
    gap = np.where(np.isnan(positive_score), 3, gap)
    band = np.searchsorted(_BANDS, rank, side="left")
    return np.asarray((band * len(_GAPS) + gap) * len(_LOOKS) + suspicious, dtype=np.int64)


def allocate(sizes: Ints, spread: Floats, total: int) -> Ints:
    """Share `total` labels out among strata so that the estimate varies least (Neyman 1934).

    One by one to where the next label helps most, size * spread / sqrt(n (n + 1)), which is exact in whole numbers and
    with bounds (Wright 2012).

    Args:
        sizes: [strata] how many candidates each has, at least 1.
        spread: [strata] the standard deviation of the answers in it.
        total: no more than there are candidates are shared out.

    Returns:
        [strata] never more than a stratum has; at least 2 of each, or 1, where the total allows it.
    """
    taken = np.minimum(sizes, min(_FEWEST, total // max(len(sizes), 1)))
    for _ in range(min(total, int(sizes.sum())) - int(taken.sum())):
        gain = np.where(taken < sizes, sizes * spread / np.sqrt(np.maximum(taken * (taken + 1), 1)), -1.0)
        taken[np.argmax(gain)] += 1
    return taken


class Draw:
    """A random sample of kept candidates, drawn while they go by: the pairs of smallest priority of each stratum."""

    def __init__(self, settings: Leak) -> None:
        self._most, self._seed = settings.sample, settings.seed
        self._sizes = np.zeros(len(NAMES), dtype=np.int64)
        self._seen = _SEEN.empty_table()

    def add(self, query_ids: pa.Array, passage_ids: pa.Array, stratum: Ints) -> None:
        """Let kept candidates go by: every pair once, in any order and in any blocks.

        Args:
            query_ids: [n] strings.
            passage_ids: [n] strings.
            stratum: [n] what `strata` returned.
        """
        self._sizes += np.bincount(stratum, minlength=len(NAMES))
        priority = priorities(f"{self._seed} kept", query_ids, passage_ids)
        columns = [query_ids, passage_ids, pa.array(stratum), pa.array(priority)]
        seen = pa.concat_tables([self._seen, pa.table(columns, schema=_SEEN)])
        self._seen = smallest(seen, seen["stratum"].to_numpy(), np.full(len(NAMES), self._most))

    def kept(self) -> pa.Table:
        """Return the sample in the columns of table `sample`, each pair with the candidates that it stands for.

        Where there are more strata than labels, all candidates are one stratum.
        """
        used = np.flatnonzero(self._sizes)
        stratum, names, sizes = self._seen["stratum"].to_numpy(), NAMES, self._sizes
        if self._most < len(used):
            stratum, names, sizes = np.zeros_like(stratum), (ALL,), np.array([sizes.sum()])
            used = np.zeros(1, dtype=np.int64)
        counts = np.zeros(len(names), dtype=np.int64)
        counts[used] = allocate(sizes[used], _spread(used), self._most)
        weights = sizes / np.maximum(counts, 1)
        rows = smallest(self._seen.set_column(2, "stratum", pa.array(stratum)), stratum, counts)
        code = rows["stratum"].combine_chunks()
        columns = {
            "query_id": rows["query_id"],
            "passage_id": rows["passage_id"],
            "kind": pa.array(["kept"] * rows.num_rows, pa.string()),
            "stratum": pa.array(names).take(code),
            "weight": pa.array(weights).take(code),
        }
        return schemas.build(schemas.SAMPLE, columns)


def smallest(rows: pa.Table, stratum: Ints, counts: Ints) -> pa.Table:
    """Return of each stratum the so many rows of smallest `priority`."""
    order = np.lexsort((rows["priority"].to_numpy(), stratum))
    ordered = stratum[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return rows.take(pa.array(order[place < counts[ordered]]))


def _spread(stratum: Ints) -> Floats:
    """Guess the standard deviation of the answers in each stratum."""
    suspicious, above = stratum % len(_LOOKS) == 1, stratum // len(_LOOKS) % len(_GAPS) == 0
    return np.where(suspicious, _SUSPICIOUS, np.where(above, _ABOVE, _OTHERS))
