"""`embedder show --suggest` and `--without`: how other settings would do, in a terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console

from embedder import layout
from embedder.cli.query_view import print_facts
from embedder.cli.terminal import console, print_table
from embedder.errors import EmbedderError
from embedder.leak.rows import NOT_IDENTIFIABLE, Row
from embedder.leak.settings import describe, overrides, settings
from embedder.leak.stored import Stored
from embedder.leak.suggestion import Sampling, Suggestion, drawn
from embedder.leak.suggestion import suggest as measured
from embedder.leak.what_if import WhatIf, require_rules
from embedder.leak.what_if import what_if as without_rules
from embedder.params.load import dataset_of, load
from embedder.params.models import Params

# Less would read as 0.0 %.
_NOTABLE = 0.001
_STAND_IN = "Pass-through is that of known positives: an optimistic stand-in for those that nobody judged."
_SAMPLING = "Drawn: of what materialize.sampling random or top would store, judged negatives first; score-weighted has no figure."
_TWO_RATES = "A margin's rate is over positives with a twin only, a window's over all: both are compared with one rate."


def suggest(dataset: str, rate: float) -> None:
    """Print the setting with the hardest negatives that surely draws known positives no more often than `rate`.

    Raises:
        EmbedderError: the rate is no share, or the dataset has no windows and margins, or its tables are missing.
    """
    if not 0 < rate < 1:
        raise EmbedderError(f"--rate {rate:g}: it is a share; give one between 0 and 1, such as 0.01")
    params = load()
    stored = Stored(dataset, dataset_of(params, dataset))
    # A fusion gives places, not scores.
    scored = not layout.table("mine", dataset, "members").exists()
    tried = settings(stored.rules, int(stored.made_by["depth"]), scored=scored)
    found = measured(stored.parts(), stored.query_ids, stored.left, tried, params.leak, params.materialize, rate)
    out = console()
    print_facts(out, dataset, _made_by(stored))
    _print_tried(out, found, len(stored.query_ids), margins=any(one.has_margin for one in tried))
    if found.chosen is None:
        _print_none(out, found, rate, params.materialize.sampling)
        return
    sampling = params.materialize.sampling
    out.print(
        f"\nThe hardest that draws less than {rate:.1%} of known positives, on the queries that did not choose it:"
    )
    rows = {"suggested": found.row, "current": found.current}
    names = describe(found.chosen.rules), describe(stored.rules)
    _print_rows(out, {name: row for name, row in rows.items() if row is not None}, names, params)
    if found.chosen.name == "current":
        out.print("\nIt is the current setting.")
        return
    for line in _doubts(found, rate, sampling):
        out.print(line)
    changed = overrides(found.chosen.rules, params.filter_of(dataset), params.filter)
    out.print(f"\nTo take it, write this in the place of `filter:` of datasets.{dataset} in params.yaml:\n")
    for line in _yaml(changed):
        out.print(line)


def what_if(dataset: str, without: Sequence[str]) -> None:
    """Print what would become of the stored candidates without some rules, and of known positives.

    Raises:
        EmbedderError: a rule's name is unknown, or the dataset has no windows and margins, or its tables are missing.
    """
    rules = require_rules(without)
    params = load()
    stored = Stored(dataset, dataset_of(params, dataset))
    found = without_rules(
        stored.parts(), stored.query_ids, stored.rules, params.leak, params.materialize.num_negatives, rules
    )
    out = console()
    print_facts(out, dataset, _made_by(stored))
    out.print(f"\nWithout {', '.join(rules)}, on the run as it is stored: deeper candidates are not in it.")
    _print_verdicts(out, found)
    _print_held(out, found)
    _print_kept(out, found)
    if found.leak:
        out.print(f"\n{_STAND_IN}")
        _print_rows(out, dict(zip(("before", "after"), found.leak, strict=True)), (), params)


def _made_by(stored: Stored) -> dict[str, str]:
    """What made the tables, the rules in short."""
    made = {name: value for name, value in stored.made_by.items() if name not in {"rules", "window"}}
    return made | {"filter": describe(stored.rules)}


def _print_tried(out: Console, found: Suggestion, queries: int, *, margins: bool) -> None:
    out.print(f"\n{found.tried} settings were measured on {found.chosen_on:,} of {queries:,} queries, drawn at random.")
    if found.not_identifiable:
        out.print(
            f"{found.not_identifiable} of them are {NOT_IDENTIFIABLE}: no query has another positive for a margin."
        )
    if found.short:
        out.print(f"{found.short} of them leave too many queries with too few candidates (materialize.min_negatives).")
    if margins:
        out.print(_TWO_RATES)
    out.print(_STAND_IN)


def _doubts(found: Suggestion, rate: float, sampling: Sampling) -> Iterator[str]:
    """Say what speaks against the suggestion on the queries that did not choose it."""
    if found.row is None or found.current is None:
        return
    (_, low, high), now = drawn(found.row, sampling), drawn(found.current, sampling)[0]
    if high is None or high > rate:
        yield f"Not confirmed: on these queries the interval reaches {_percent(high)}."
    if now is not None and low is not None and high is not None and low <= now <= high:
        yield "In how often a known positive is drawn, it cannot be told from the current setting here."
    more = (found.row.short_share or 0.0) - (found.current.short_share or 0.0)
    if more >= _NOTABLE:
        yield f"It leaves {more:.1%} more of the queries with too few negatives."


def _print_none(out: Console, found: Suggestion, rate: float, sampling: Sampling) -> None:
    out.print(f"\nNo setting surely draws less than {rate:.1%} of known positives.")
    if found.least > rate:
        out.print(
            f"Positives are too few: had none of {found.chosen_on:,} queries let one through, the interval would still "
            f"reach {found.least:.1%}."
        )
    elif found.nearest is not None:
        share, low, high = (_percent(value) for value in drawn(found.nearest, sampling))
        out.print(f"Nearest on these queries is {found.nearest.setting}: {share}, interval {low} to {high}.")


def _print_rows(out: Console, rows: Mapping[str, Row], names: Sequence[str], params: Params) -> None:
    """Print what was measured of settings side by side; `names` says which rules they are, if it is not obvious."""
    stored = params.materialize.num_negatives
    draws = min(params.leak.draws, stored)
    facts: dict[str, Callable[[Row], str]] = {
        "pass-through of known positives": lambda row: _share(row, row.pass_through, row.low, row.high),
        f"and drawn, {draws} of {stored} stored at random": lambda row: _share(
            row, row.drawn_random, row.drawn_random_low, row.drawn_random_high
        ),
        f"and drawn, {draws} of {stored} stored from the top": lambda row: _share(
            row, row.drawn_top, row.drawn_top_low, row.drawn_top_high
        ),
        "known positives": lambda row: f"{row.positives:,}",
        f"of them {NOT_IDENTIFIABLE}": lambda row: f"{row.not_identifiable:,}",
        "hardness: mean percentile among positives' scores": lambda row: _number(row.hardness),
        f"hardness of the {stored} stored from the top": lambda row: _number(row.hardness_top),
        "candidates kept of a query, median": lambda row: _number(row.kept_per_query),
        f"queries with fewer than {draws}": lambda row: _percent(row.short_share),
    }
    said = [(*(fact(row) for row in rows.values()), what) for what, fact in facts.items()]
    setting = [(*names, "setting")] if names else []
    print_table(out, (*rows, f"what, with intervals of {params.leak.confidence:.0%}"), [*setting, *said])
    out.print(_SAMPLING)


def _print_verdicts(out: Console, found: WhatIf) -> None:
    rows = [
        (f"{count:,}", f"{found.after[verdict]:,}", verdict)
        for verdict, count in found.before.items()
        if count or found.after[verdict]
    ]
    print_table(out, ("before", "after", "verdict"), rows)


def _print_held(out: Console, found: WhatIf) -> None:
    rows = [(f"{count:,}", rule) for rule, count in found.held.items() if count or rule in found.before]
    print_table(out, ("become kept", "held by nothing but"), rows)


def _print_kept(out: Console, found: WhatIf) -> None:
    quartiles = zip(*(np.quantile(row, (0.25, 0.5, 0.75)) for row in found.kept), strict=True)
    names = ("first quartile", "median", "third quartile")
    rows = [
        (_number(before), _number(after), f"kept of a query, {name}")
        for (before, after), name in zip(quartiles, names, strict=True)
    ]
    none = [f"{np.count_nonzero(row == 0):,}" for row in found.kept]
    print_table(out, ("before", "after", "candidates"), [*rows, (none[0], none[1], "queries without any")])


def _yaml(changed: Mapping[str, object]) -> list[str]:
    """The lines of a dataset's key `filter`, indented as they stand in params.yaml."""
    if not changed:
        return ["    filter: {}"]
    return ["    filter:", *(f"      {name}: {'null' if value is None else value}" for name, value in changed.items())]


def _share(row: Row, share: float | None, low: float | None, high: float | None) -> str:
    if share is None:
        return NOT_IDENTIFIABLE if row.positives else "unknown"
    return f"{share:.1%} [{_percent(low)}, {_percent(high)}]"


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
