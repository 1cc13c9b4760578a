"""Would the rules have kept known positives? The part of a dataset's section that leak.csv fills."""

from collections.abc import Sequence

from embedder.leak.rows import NOT_IDENTIFIABLE, Row
from embedder.report.html import Html, tag
from embedder.report.parts import count, hint, interval, note, percent, table
from embedder.report.pictures import Point, reach, scatter

STAND_IN = "known positives: an optimistic stand-in"
_WHOLE = "all"
_KINDS = {"p-window": "rank windows", "p-margin": "with a margin", "p-current": "current setting"}
_IN_FORCE = " (in force)"
# By what materialize calls it.
_DRAWN = {"random": "drawn at random", "top": "drawn from the top"}
_COLUMNS = (
    "setting",
    "pass-through",
    "weighted",
    *_DRAWN.values(),
    "kept a query",
    "short queries",
    "hardness",
)


def pass_through(rows: Sequence[Row], sampling: str = "") -> list[Html]:
    """Make the part of one dataset: what the current setting lets through, and the others beside it.

    Args:
        rows: of leak.csv.
        sampling: how materialize draws negatives; empty where nobody knows.
    """
    whole = [row for row in rows if row.stratum == _WHOLE]
    if not whole:
        return []
    return [
        tag("h4", "Would the rules have kept a known positive?"),
        *(_current(row, sampling) for row in whole if row.current),
        hint(
            f"Pass-through is measured on {STAND_IN}. Each is left out in turn, as if nobody had judged it; "
            "positives that nobody found are harder to tell apart, and more of them pass."
        ),
        tag("div", _picture(whole), _strata(rows), class_="pair"),
        tag("details", tag("summary", f"All {len(whole)} settings"), _settings(whole, sampling)),
    ]


def _current(row: Row, sampling: str) -> Html:
    measured = row.positives - row.not_identifiable
    untested = _untested(row)
    if row.pass_through is None:
        return tag("p", "The current setting, ", tag("strong", _rules(row)), f": {NOT_IDENTIFIABLE}. {untested}")
    return tag(
        "p",
        "The current setting, ",
        tag("strong", _rules(row)),
        ", would have kept ",
        tag("strong", percent(row.pass_through)),
        f"{_among(row)} of {count(measured)} known positives. {untested}{_drawn(row, sampling)}",
    )


def _among(row: Row) -> str:
    return "" if row.low is None or row.high is None else f" ({interval(row.low, row.high)})"


def _drawn(row: Row, sampling: str) -> str:
    """Say how often one would have been among the negatives of its query, and which way of drawing is in force."""
    shares = {"random": row.drawn_random, "top": row.drawn_top}
    said = [
        f"{percent(share)} with negatives {_DRAWN[how]}{_IN_FORCE if how == sampling else ''}"
        for how, share in shares.items()
        if share is not None
    ]
    if not said:
        return ""
    other = f" For {sampling} sampling, which is in force, it is not computed." if sampling not in {"", *_DRAWN} else ""
    return f"A training row would have seen one in {', '.join(said)}.{other}"


def _untested(row: Row) -> str:
    """Say on how many positives a margin cannot be tested: those that are the only one of their query."""
    if not row.not_identifiable:
        return ""
    return f"For {count(row.not_identifiable)} that are their query's only positive: {NOT_IDENTIFIABLE}. "


def _rules(row: Row) -> str:
    margins = {"absolute": row.absolute_margin, "relative": row.relative_margin, "percentile": row.percentile_margin}
    window = f"ranks {row.min_rank or 1} to {row.max_rank or 'the last'}" if row.min_rank or row.max_rank else ""
    said = [window, *(f"{name} margin {value:g}" for name, value in margins.items() if value is not None)]
    return ", ".join(filter(None, said)) or "no window and no margin"


def _picture(whole: Sequence[Row]) -> Html:
    points = [point for row in sorted(whole, key=lambda row: row.current) for point in _point(row)]
    if not points:
        return Html("")
    present = {point.kind for point in points}
    keys = [tag("li", tag("i", class_=kind), words) for kind, words in _KINDS.items() if kind in present]
    return tag(
        "figure",
        tag("figcaption", tag("b", "Pass-through"), " (upwards) against ", tag("b", "hardness"), " (rightwards)"),
        scatter(points, "Pass-through of each setting against the hardness of what it keeps"),
        tag("ul", *keys, class_="legend"),
        hint(
            "Hardness: the mean share of positives that score no higher than a kept candidate. Low and right is best."
        ),
    )


def _point(row: Row) -> list[Point]:
    x, y = row.hardness, row.pass_through
    if x is None or y is None:
        return []
    margins = (row.absolute_margin, row.relative_margin, row.percentile_margin)
    kind = "p-current" if row.current else "p-window" if margins == (None, None, None) else "p-margin"
    says = f"{row.setting} ({_rules(row)}): pass-through {percent(y)}{_among(row)}, hardness {x:.3f}"
    return [Point(x, y, y if row.low is None else row.low, y if row.high is None else row.high, kind, says)]


def _strata(rows: Sequence[Row]) -> Html:
    """Show the current setting by kind of positive."""
    found = [row for row in rows if row.current and row.stratum != _WHOLE and row.positives]
    if not found:
        return Html("")
    most = max(row.high or row.pass_through or 0.0 for row in found)
    cells = [("", [row.stratum, count(row.positives), *_share(row, most)]) for row in found]
    return tag(
        "figure",
        tag("figcaption", tag("b", "The current setting"), " by kind of positive"),
        table(("positives", "number", "pass-through", ""), cells, "strata"),
        hint("Twins: the other positives of the same query. Words: of the query."),
    )


def _share(row: Row, most: float) -> list[str]:
    value = row.pass_through
    if value is None:
        return [tag("span", NOT_IDENTIFIABLE, class_="note"), ""]
    low, high = (value if end is None else end for end in (row.low, row.high))
    label = f"{row.stratum}: {percent(value)}{_among(row)}"
    return [tag("div", f"{percent(value)} ", tag("small", interval(low, high))), reach(low, value, high, most, label)]


def _settings(whole: Sequence[Row], sampling: str) -> Html:
    names = [f"{name}{_IN_FORCE}" if name == _DRAWN.get(sampling) else name for name in _COLUMNS]
    return table(names, [("current" if row.current else "", _cells(row)) for row in whole], "settings")


def _cells(row: Row) -> list[str]:
    return [
        tag("div", row.setting, note(_rules(row) if row.current else "")),
        _stacked(row.pass_through, row.low, row.high) or note(NOT_IDENTIFIABLE),
        _stacked(row.weighted, row.weighted_low, row.weighted_high),
        _stacked(row.drawn_random, row.drawn_random_low, row.drawn_random_high),
        _stacked(row.drawn_top, row.drawn_top_low, row.drawn_top_high),
        "" if row.kept_per_query is None else f"{row.kept_per_query:,.0f}",
        "" if row.short_share is None else percent(row.short_share),
        "" if row.hardness is None else f"{row.hardness:.3f}",
    ]


def _stacked(value: float | None, low: float | None, high: float | None) -> str:
    """Write a share with its interval below."""
    if value is None:
        return ""
    return tag("div", percent(value), note("" if low is None or high is None else interval(low, high)))
