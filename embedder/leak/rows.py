"""Table leak.csv: one row for each setting and kind of positive."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

NOT_IDENTIFIABLE = "not identifiable from labels"


@dataclass(frozen=True)
class Row:
    """What a setting would have done with known positives, had nobody judged them. Null is what nothing was measured of.

    Known positives are an optimistic stand-in for the unknown ones: what was judged is easier to tell apart.

    Attributes:
        setting: its name; `min_rank` to `reference` are its rules.
        current: whether it is the one in force.
        stratum: which positives: "all", or a kind of them.
        positives: how many.
        queries: how many queries they belong to.
        not_identifiable: how many have no twin that a margin could be about; shares are of the others. Where none is
            left, `pass_through` is null and the file says so in words.
        pass_through: the share that the setting would have kept, each positive counted alike, and its interval.
        weighted: the same, each positive counted as often as its query has others: generic queries have more unknown
            positives too.
        drawn_random: the share that a training row would have had among its negatives, had materialize stored some of
            what is kept at random, judged negatives first.
        drawn_top: likewise, had it stored the best ranks. For score-weighted sampling there is no closed form, and no
            figure.
        kept_per_query: the median of candidates kept, of all positives alone, as what follows.
        short_share: the share of queries with fewer kept than a row draws.
        hardness: the mean over kept candidates of their percentile among the scores of positives.
        hardness_top: likewise of those that would be stored from the top, judged negatives first.
    """

    setting: str
    min_rank: int | None
    max_rank: int | None
    counted: str
    absolute_margin: float | None
    relative_margin: float | None
    percentile_margin: float | None
    reference: str
    current: bool
    stratum: str
    positives: int
    queries: int
    not_identifiable: int
    pass_through: float | None
    low: float | None
    high: float | None
    weighted: float | None
    weighted_low: float | None
    weighted_high: float | None
    drawn_random: float | None
    drawn_random_low: float | None
    drawn_random_high: float | None
    drawn_top: float | None
    drawn_top_low: float | None
    drawn_top_high: float | None
    kept_per_query: float | None
    short_share: float | None
    hardness: float | None
    hardness_top: float | None


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as leak.csv; equal rows are equal bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows([_cell(row, field.name) for field in fields(Row)] for row in rows)


def read_csv(path: Path) -> list[Row]:
    """Read what `write_csv` wrote."""
    kinds = get_type_hints(Row)
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(**{name: _value(text, kinds[name]) for name, text in row.items()}) for row in csv.DictReader(file)]


def _cell(row: Row, name: str) -> str:
    value = getattr(row, name)
    if value is None:
        return NOT_IDENTIFIABLE if name == "pass_through" else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(text: str, kind: Any) -> Any:  # noqa: ANN401 - of any of a row's types
    kinds = get_args(kind) or (kind,)
    if type(None) in kinds and text in {"", NOT_IDENTIFIABLE}:
        return None
    return text == "true" if kind is bool else kinds[0](text)
