"""What turning rules off would do to a dataset that is filtered already, from what refused each candidate."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.errors import EmbedderError, unknown
from embedder.filters import BIT, MARGINS, ON_SCORES, RULES, SETTINGS, VERDICTS, verdicts
from embedder.leak.kept import READS
from embedder.leak.pass_through import Meter
from embedder.leak.rows import Row
from embedder.leak.settings import Setting
from embedder.leak.stored import Part
from embedder.leak.suggestion import all_positives
from embedder.params.models import Filter, Leak

SEVERAL = "several of them"
# Rules about a fact of a candidate, and the fact.
_FACTS = {"same_text_as_query": "same_text", "held_out": "held_out", "duplicates_positive": "near_copy"}
# What people call a rule by the parameter that sets it.
_VERDICTS_OF = {
    "min_rank": "before_rank_window",
    "max_rank": "after_rank_window",
    **{name: "score_too_high" for name in ON_SCORES if name.startswith("max_")},
    **{name: "score_too_low" for name in ON_SCORES if name.startswith("min_")},
    **dict.fromkeys(MARGINS, "margin_too_small"),
    "near_copy_jaccard": "duplicates_positive",
    "near_copy_cosine": "duplicates_positive",
}
# How a rule is asked, not whether.
_HOW = {"counted", "reference"}


@dataclass(frozen=True)
class WhatIf:
    """A dataset with all its rules and without some.

    Attributes:
        before: candidates per verdict, in the order of the rules.
        after: likewise without the rules.
        held: of the candidates that become kept, how many each rule alone had held; `SEVERAL`: more than one had.
        kept: [2, queries] candidates kept of each query, before and after.
        leak: pass-through before and after, of all positives; empty of none.
    """

    before: dict[str, int]
    after: dict[str, int]
    held: dict[str, int]
    kept: NDArray[np.int64]
    leak: list[Row]


def require_rules(names: Sequence[str]) -> list[str]:
    """Return the rules that can be turned off by these names, each once.

    Raises:
        EmbedderError: one is none; the message suggests the close one.
    """
    possible = [name for name in RULES if name != "is_positive"]
    for name in names:
        if name == "is_positive":
            raise EmbedderError("is_positive cannot be turned off: a positive is no negative")
        if name in _VERDICTS_OF:
            raise EmbedderError(f"'{name}' is a parameter; the rule it sets is '{_VERDICTS_OF[name]}'")
        if name not in possible:
            raise EmbedderError(unknown("rule", name, possible))
    return [name for name in possible if name in names]


def what_if(
    parts: Iterable[Part],
    query_ids: Sequence[str],
    rules: Filter,
    leak: Leak,
    stored: int,
    without: Collection[str],
) -> WhatIf:
    """Count what becomes of a dataset's candidates without some rules, and measure its pass-through again.

    What a judge refused is known of candidates; what it would have said of positives is not, so pass-through is that of
    the filter alone.

    Args:
        parts: the dataset, block by block.
        query_ids: the mined queries, sorted.
        rules: those that applied.
        leak: draws, and how intervals are made.
        stored: how many negatives materialize stores of a query.
        without: rules to turn off.
    """
    off = sum(BIT[name] for name in without)
    counts = np.zeros((2, len(VERDICTS)), dtype=np.int64)
    kept = np.zeros((2, len(query_ids)), dtype=np.int64)
    held = dict.fromkeys((*without, SEVERAL), 0)
    meters = [Meter([Setting(name, one)], leak, stored, query_ids, None) for name, one in _named(rules, without)]
    for part in parts:
        for i, refused_by in enumerate((part.refused_by, part.refused_by & ~off)):
            counts[i] += np.bincount(verdicts(refused_by), minlength=len(VERDICTS))
            kept[i] += np.bincount(part.of[refused_by == 0], minlength=len(query_ids))
        for name, count in _held(part.refused_by, off, without).items():
            held[name] += count
        for meter, one in zip(meters, (part, _without(part, off, without)), strict=True):
            meter.add(one.of, one.candidates, one.left)
    before, after = (dict(zip(VERDICTS, row, strict=True)) for row in counts.tolist())
    return WhatIf(before, after, held, kept, [row for meter in meters for row in all_positives(meter)])


def _named(rules: Filter, without: Collection[str]) -> list[tuple[str, Filter]]:
    fields = {field for name in without if name in SETTINGS for field in READS[name]} - _HOW
    return [("before", rules), ("after", rules.model_copy(update=dict.fromkeys(fields)))]


def _held(refused_by: NDArray[np.int32], off: int, without: Collection[str]) -> dict[str, int]:
    """Count what nothing but rules that are turned off holds."""
    freed = refused_by[(refused_by != 0) & (refused_by & ~off == 0)]
    alone = {name: int(np.count_nonzero(freed == BIT[name])) for name in without}
    return alone | {SEVERAL: len(freed) - sum(alone.values())}


def _without(part: Part, off: int, without: Collection[str]) -> Part:
    no = np.zeros(len(part.of), dtype=bool)
    facts: dict[str, Any] = {_FACTS[name]: no for name in without if name in _FACTS}
    left = replace(part.left, refused_by=part.left.refused_by & ~np.int32(off))
    return replace(part, candidates=replace(part.candidates, **facts), left=left)
