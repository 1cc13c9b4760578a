"""What the planted study says, in Markdown."""

from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import mean

import numpy as np
from planted_cells import FAILS, SENSITIVITY, SPECIFICITY, WINDOWS, Row, Study
from planting import Source
from scipy.stats import kendalltau

_AGREES = 0.8
# Near copies that a set has of itself are evidence, but nobody planted them.
_NATURAL = 0.001
_SHOWN = ("1-100", "30-100")


def report(rows: Sequence[Row], sources: Sequence[Source], study: Study, asked: Namespace) -> str:
    """Return the whole text."""
    told = [row for row in rows if row["estimate"] is not None]
    parts = [
        _heading(sources, study, asked),
        _summary(rows, told),
        "## Does the interval cover the truth?\n\nShare of rows (cell x window) whose interval covers it.\n",
        *(
            _table([by, "rows", "corrected", "uncorrected"], _coverage(told, by))
            for by in ("kind", "scheme", "dose", "window")
        ),
        "## Are windows ranked rightly?\n\nKendall's tau over the windows of a cell, against what is true.\n",
        _table(
            ["scheme", "cells", "by the estimate", f">= {_AGREES}", "by pass-through", f">= {_AGREES}"], _ranking(told)
        ),
        "## Pass-through, predicted from what stays judged and measured on what is hidden\n",
        _table(["set", "teacher", "kind", "scheme", "window", "predicted", "measured"], _pass_through(rows)),
        *(_cells(rows, window) for window in _SHOWN),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _heading(sources: Sequence[Source], study: Study, asked: Namespace) -> str:
    sets = "; ".join(f"{one.name} {one.queries.num_rows:,} queries" for one in sources)
    return (
        "# Contamination, estimated and true\n\n"
        f"`python benchmarks/planted.py --queries {asked.queries}`: {sets}. Runs of depth {study.depth}; a sample of "
        f"{study.leak.sample} and twice {study.leak.controls} controls a row; a simulated judge of sensitivity {SENSITIVITY} and "
        f"specificity {SPECIFICITY} that fails to answer {FAILS:.0%}. A dose is the share of the run's candidates that are "
        "relevant and not judged, were all of them retrieved; `reached` is what a set has positives enough for. Exact copies are "
        "measured with the rule of near copies off, which refuses them all."
    )


def _summary(rows: Sequence[Row], told: Sequence[Row]) -> str:
    none = [row for row in told if row["dose"] == 0 or row["kind"] == "unrelated"]
    resolved = [row for row in told if not row["upper_only"]]
    only = [row for row in told if row["upper_only"]]
    large = [row for row in told if row["truth"] >= row["resolves"]]
    evidence = [row["evidence_right"] for row in rows if row["evidence_right"] is not None and row["dose"]]
    lines = [
        ("rows", f"{len(rows):,}, of which {len(rows) - len(told)} cannot be told"),
        ("interval covers the truth", _percent(_covered(told))),
        ("uncorrected interval covers it", _percent(_naive(told))),
        ("nothing relevant was added: interval covers the truth", f"{_percent(_covered(none))} of {len(none)}"),
        ("stated as an upper bound alone", f"{len(only)}; the truth is below it in {_percent(_below(only))}"),
        ("slope of estimate on truth, rows that resolve", f"{_slope(resolved)} ({len(resolved)} rows)"),
        ("slope, rows whose truth is large enough to resolve", f"{_slope(large)} ({len(large)} rows)"),
        ("slope, all rows", _slope(told)),
        (
            "lower bound above the truth by no more than 0.1 points",
            _percent(mean(row["lower"] <= row["truth"] + _NATURAL for row in rows if row["lower"] is not None)),
        ),
        ("of what has evidence, relevant (mean over rows)", _percent(mean(evidence)) if evidence else "-"),
    ]
    return _table(["", ""], lines)


def _covered(rows: Sequence[Row]) -> float:
    return mean(row["low"] <= row["truth"] <= row["high"] for row in rows) if rows else float("nan")


def _naive(rows: Sequence[Row]) -> float:
    return mean(row["observed_low"] <= row["truth"] <= row["observed_high"] for row in rows) if rows else float("nan")


def _below(rows: Sequence[Row]) -> float:
    return mean(row["truth"] <= row["upper"] for row in rows) if rows else float("nan")


def _slope(rows: Sequence[Row]) -> str:
    truth, found = (np.array([row[name] for row in rows], dtype=np.float64) for name in ("truth", "estimate"))
    return f"{np.polyfit(truth, found, 1)[0]:.3f}" if len(np.unique(truth)) > 1 else "-"


def _coverage(rows: Sequence[Row], by: str) -> Iterable[tuple[str, ...]]:
    for value, part in _groups(rows, lambda row: str(row[by])):
        yield value, f"{len(part):,}", _percent(_covered(part)), _percent(_naive(part))


def _ranking(rows: Sequence[Row]) -> Iterable[tuple[str, ...]]:
    """Rank the windows of each cell by the estimate, and by pass-through over what is kept."""
    hidden = [row for row in rows if row["measured_pass"] is not None]
    taus: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _, cell in _groups(
        hidden, lambda row: " ".join(str(row[name]) for name in ("set", "teacher", "kind", "scheme", "dose"))
    ):
        truth = [row["truth"] for row in cell]
        if len(cell) == len(WINDOWS) and len(set(truth)) > 1:
            by_pass = [row["predicted_pass"] / max(row["kept"], 1) for row in cell]
            taus[cell[0]["scheme"]].append((_tau([row["estimate"] for row in cell], truth), _tau(by_pass, truth)))
    for scheme, found in taus.items():
        shown = [
            text
            for column in zip(*found, strict=True)
            for text in (f"{mean(column):.2f}", _percent(mean(one >= _AGREES for one in column)))
        ]
        yield scheme, str(len(found)), *shown


def _tau(left: Sequence[float], right: Sequence[float]) -> float:
    """Return tau-b; 0 where one side is all alike."""
    found = float(kendalltau(left, right).statistic)
    return 0.0 if np.isnan(found) else found


def _pass_through(rows: Sequence[Row]) -> Iterable[tuple[str, ...]]:
    names = ("set", "teacher", "kind", "scheme", "window")
    hidden = [row for row in rows if row["measured_pass"] is not None and row["window"] in _SHOWN]
    for _, part in _groups(hidden, lambda row: " ".join(str(row[name]) for name in names)):
        most = max(part, key=lambda row: row["reached"])
        yield *(most[name] for name in names), _percent(most["predicted_pass"]), _percent(most["measured_pass"])


def _cells(rows: Sequence[Row], window: str) -> str:
    """Return the table of one window: of each dose, truth / estimate (interval), and the lower bound."""
    doses = sorted({row["dose"] for row in rows})
    names = ("set", "teacher", "kind", "scheme")
    lines = []
    for _, part in _groups(
        [row for row in rows if row["window"] == window], lambda row: " ".join(row[name] for name in names)
    ):
        by_dose = {row["dose"]: row for row in part}
        reached = max(row["reached"] for row in part)
        lines.append((*(part[0][name] for name in names), _percent(reached), *(_cell(by_dose[dose]) for dose in doses)))
    heading = [*names, "reached", *(f"dose {_percent(dose)}" for dose in doses)]
    said = "truth; estimate (interval) or below what it lies; at least (from evidence alone)"
    return f"## Ranks {window}\n\nOf each dose: {said}.\n\n{_table(heading, lines)}"


def _cell(row: Row) -> str:
    lower = "-" if row["lower"] is None else _percent(row["lower"])
    if row["estimate"] is None:
        return f"{_percent(row['truth'])}; cannot be told; {lower}"
    truth, estimate, low, high, upper = (_percent(row[name]) for name in ("truth", "estimate", "low", "high", "upper"))
    said = f"< {upper}" if row["upper_only"] else f"{estimate} ({low}-{high})"
    return f"{truth}; {said}; {lower}"


def _groups(rows: Sequence[Row], key: Callable[[Row], str]) -> Iterable[tuple[str, list[Row]]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found.items()


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.1 else f"{share:.1%}"  # noqa: PLR2004 - below that, two decimals tell more


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
