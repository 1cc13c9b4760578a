"""What each of many settings keeps of candidates: every rule is asked once for each way the settings differ in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.filters import BIT, MARGINS, RULES, SETTINGS, Candidates
from embedder.leak.left_out import Ints, LeftOut
from embedder.leak.settings import Setting

Bools = NDArray[np.bool_]

# Rules that say the same whatever the setting.
FIXED = tuple(name for name in RULES if name not in SETTINGS)
# What each of the other rules reads.
READS = {
    "before_rank_window": ("min_rank", "counted"),
    "after_rank_window": ("max_rank", "counted"),
    "score_too_high": ("max_score", "max_score_percentile"),
    "score_too_low": ("min_score", "min_score_percentile"),
    "margin_too_small": (*MARGINS, "reference"),
}
_ROWS = 2**17


@dataclass(frozen=True)
class Pools:
    """What each setting would have drawn from, had a positive not been judged.

    Attributes:
        size: [settings, positives] candidates kept, the positive included.
        above: [settings, positives] those of them that rank above the positive and are no judged negatives.
        judged: [positives] the judged negatives among them, which no setting refuses.
    """

    size: Ints
    above: Ints
    judged: Ints


def kept(candidates: Candidates, settings: Sequence[Setting]) -> Iterator[Bools]:
    """Yield for each setting which candidates its window, scores and margins keep."""
    asked: dict[tuple[object, ...], Bools] = {}
    for setting in settings:
        refused = np.zeros(len(candidates.rank), dtype=bool)
        for name in SETTINGS:
            key = (name, *(getattr(setting.rules, field) for field in READS[name]))
            if key not in asked:
                asked[key] = RULES[name](candidates, setting.rules)
            refused |= asked[key]
        yield ~refused


def take(candidates: Candidates, rows: Ints | Bools, **changes: Any) -> Candidates:  # noqa: ANN401 - columns
    """Return some of the rows, columns in `changes` as given."""
    names = {field.name for field in fields(candidates)} - {"scale"} - changes.keys()
    return replace(candidates, **{name: getattr(candidates, name)[rows] for name in names}, **changes)


def pools(
    of: Ints, candidates: Candidates, fixed: NDArray[np.int32], left: LeftOut, settings: Sequence[Setting]
) -> Pools:
    """Return what each setting keeps beside each positive that it keeps, with that positive left out.

    Ranks count without it, margins are about the other positives. What is a near copy of it alone is one no more: known
    where it is the query's only positive; beside others, near copies are taken for copies of those too.

    Args:
        of: [rows] the query of each candidate, ascending.
        candidates: of the same queries as `left`.
        fixed: [rows] the bits of the `FIXED` rules that refuse each.
        left: positives that have a rank.
        settings: see above.
    """
    alone = np.isin(of, left.query[left.others == 0])
    rows = np.flatnonzero((fixed == 0) | alone & (fixed == BIT["duplicates_positive"]))
    of, candidates = of[rows], take(candidates, rows)
    first, last = np.searchsorted(of, left.query, "left"), np.searchsorted(of, left.query, "right")
    size, above = (np.zeros((len(settings), len(left.query)), dtype=np.int64) for _ in range(2))
    found = Pools(size, above, within(candidates.is_negative, first, last))
    for part in _parts(last - first):
        _fill(found, candidates, left, settings, (part, first[part], last[part] - first[part]))
    return found


def _fill(
    found: Pools,
    candidates: Candidates,
    left: LeftOut,
    settings: Sequence[Setting],
    places: tuple[slice, Ints, Ints],
) -> None:
    """Ask the candidates of a query once for each of its positives; `places`: which, from which row on, how many rows."""
    part, first, counts = places
    ends = np.cumsum(counts)
    rows = np.repeat(first - (ends - counts), counts) + np.arange(counts.sum())
    positive = np.repeat(np.arange(part.start, part.start + len(counts)), counts)
    above = candidates.rank[rows] < left.rank[positive]
    beside = take(
        candidates,
        rows,
        positive_score=left.lowest_other[positive],
        highest_score=left.highest_other[positive],
        positives_above=candidates.positives_above[rows] - ~above,
    )
    for i, chosen in enumerate(kept(beside, settings)):
        found.size[i, part] = 1 + within(chosen, ends - counts, ends)
        found.above[i, part] = within(chosen & above & ~beside.is_negative, ends - counts, ends)


def within(chosen: Bools, first: Ints, last: Ints) -> Ints:
    """Count the chosen rows of each part, from `first` to before `last`."""
    total = np.concatenate([[0], np.cumsum(chosen)])
    return np.asarray(total[last] - total[first])


def _parts(counts: Ints) -> Iterator[slice]:
    """Cut what has so many rows each into parts of about `_ROWS` rows."""
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(_ROWS, int(ends[-1]), _ROWS)) if len(counts) else np.empty(0, np.int64)
    edges = np.unique(np.concatenate([[0], cuts, [len(counts)]])).tolist()
    for start, end in pairwise(edges):
        yield slice(start, end)
