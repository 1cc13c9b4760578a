"""How a mined query looks in a terminal: one line a passage, or one block where texts are to be read."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from embedder.cli.terminal import one_line, visible, whole
from embedder.filters import KEEP, VERDICTS
from embedder.inspection import Candidate, Mined, Positive, nearest

_STYLES = {
    KEEP: "bold green",
    "is_positive": "cyan",
    "before_rank_window": "yellow",
    "after_rank_window": "bright_black",
    "score_too_low": "bright_black",
}
_REFUSED = "red"
_NUMBERS = frozenset({"rank", "score", "margin", "relevance", "judge"})
# As much of a revision as tells it from others.
_HASH = 12
_LABELS = 9
# From these widths on the other rules, and ids, leave enough room for the text.
_MEDIUM = 100
_WIDE = 140


def print_facts(out: Console, dataset: str, made_by: Mapping[str, str]) -> None:
    """Print what made a dataset's candidates."""
    facts = {key: value for key, value in made_by.items() if key not in {"teacher", "revision", "rules"}}
    teacher = f"teacher {made_by.get('teacher')} ({made_by.get('revision', '')[:_HASH]})"
    said = ", ".join([teacher, *(f"{key} {value}" for key, value in facts.items())])
    out.print(Text(visible(f"{dataset}: {said}"), style="dim"))


def print_query(out: Console, mined: Mined, shown: Sequence[Candidate], *, full: bool) -> None:
    """Print a query, its positives and those of its candidates that are shown: one line each, or in full."""
    _heading(out, mined)
    _fields(out, {"query": mined.text}, full=full)
    _fields(out, {"verdicts": _counts(mined.candidates)}, full=True)
    if full:
        _print_in_full(out, mined, shown)
        return
    for table in (_positives(mined.positives, out.width), _candidates(shown, out.width)):
        out.print()
        out.print(table)


def print_candidate(
    out: Console, mined: Mined, candidate: Candidate, *, full: bool, facts: Mapping[str, str] | None = None
) -> None:
    """Print one candidate below its query and the positive it is most like, and what else is said of it."""
    _heading(out, mined)
    out.print(Padding(_facts(candidate), (0, 0, 0, 2)))
    positive = nearest(candidate.text, mined.positives)
    texts = {"query": mined.text, "positive": positive.text if positive else "", "candidate": candidate.text}
    texts |= facts or {}
    if full:
        texts["id"] = candidate.passage_id
    _fields(out, texts, full=full)


def _heading(out: Console, mined: Mined) -> None:
    query_id = Text(visible(mined.query_id), style="bold")
    out.print()
    # A rule would cut an id that is wider than the terminal.
    out.print(Rule(query_id, align="left", style="dim") if query_id.cell_len < out.width - 4 else query_id)


def _print_in_full(out: Console, mined: Mined, shown: Sequence[Candidate]) -> None:
    for positive in mined.positives:
        facts = (
            f"\nrank {_rank(positive)}, score {_decimals(positive.score)}, relevance {positive.relevance:g}: positive"
        )
        out.print(Text(facts, style=_STYLES["is_positive"]))
        _fields(out, {"id": positive.passage_id, "text": positive.text}, full=True)
    for candidate in shown:
        out.print()
        out.print(_facts(candidate))
        _fields(out, {"id": candidate.passage_id, "text": candidate.text}, full=True)


def _fields(out: Console, fields: Mapping[str, str], *, full: bool) -> None:
    """Print texts beside their labels: all of each, or as much as one line holds."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=_LABELS, style="dim")
    grid.add_column(ratio=1, overflow="fold" if full else "ellipsis", no_wrap=not full)
    for label, text in fields.items():
        grid.add_row(Text(label), Text(whole(text) if full else one_line(text, out.width)))
    out.print(Padding(grid, (0, 0, 0, 2)))


def _positives(positives: Sequence[Positive], width: int) -> Table:
    return _table(
        width,
        {
            "rank": [Text(_rank(p)) for p in positives],
            "score": [Text(_decimals(p.score)) for p in positives],
            "relevance": [Text(f"{p.relevance:g}") for p in positives],
            "positive": [Text(visible(p.passage_id)) for p in positives if width >= _WIDE],
            "text": [Text(one_line(p.text, width)) for p in positives],
        },
    )


def _candidates(candidates: Sequence[Candidate], width: int) -> Table:
    return _table(
        width,
        {
            "rank": [Text(str(c.rank)) for c in candidates],
            "score": [Text(f"{c.score:.3f}") for c in candidates],
            "margin": [Text(_decimals(c.margin)) for c in candidates],
            "judge": [_number(c.judge_score) for c in candidates],
            "verdict": [_verdict(c) for c in candidates],
            "also refused by": [Text(", ".join(c.also), style="dim") for c in candidates if width >= _MEDIUM],
            "candidate": [Text(visible(c.passage_id)) for c in candidates if width >= _WIDE],
            "text": [Text(one_line(c.text, width)) for c in candidates],
        },
    )


def _table(width: int, columns: Mapping[str, Sequence[Text]]) -> Table:
    """Make a table of the columns that hold anything, the last as wide as the terminal lets it."""
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), width=width, header_style="bold")
    for name in filled:
        if name == next(reversed(filled)):
            table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1)
        elif name in _NUMBERS:
            table.add_column(name, no_wrap=True, justify="right")
        else:
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=width // 4)
    for row in zip(*filled.values(), strict=True):
        table.add_row(*row)
    return table


def _facts(candidate: Candidate) -> Text:
    facts = Text(f"rank {candidate.rank}, score {candidate.score:.3f}, margin {_decimals(candidate.margin)}")
    if candidate.judge_score is not None:
        facts.append(f", judge {candidate.judge_score:g}")
    facts.append(": ").append_text(_verdict(candidate))
    if candidate.also:
        facts.append(f", also {', '.join(candidate.also)}", style="dim")
    return facts


def _verdict(candidate: Candidate) -> Text:
    """The verdict, and the relevance of a passage that was judged and is no positive."""
    verdict = Text(visible(candidate.verdict), style=_STYLES.get(candidate.verdict, _REFUSED))
    if candidate.relevance is not None and candidate.verdict != "is_positive":
        verdict.append(f", relevance {candidate.relevance:g}", style="cyan")
    return verdict


def _number(value: float | None) -> Text:
    return Text("" if value is None else f"{value:g}")


def _decimals(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _rank(positive: Positive) -> str:
    return "beyond depth" if positive.rank is None else str(positive.rank)


def _counts(candidates: Sequence[Candidate]) -> str:
    counts = Counter(candidate.verdict for candidate in candidates)
    return ", ".join(f"{verdict} {counts[verdict]}" for verdict in VERDICTS if counts[verdict])
