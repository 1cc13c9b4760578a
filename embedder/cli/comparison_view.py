"""How two states of a mined dataset look side by side in a terminal."""

import json
import math
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from embedder.cli.terminal import one_line, print_table, visible, whole
from embedder.comparison.compare import Comparison, Facts, Move
from embedder.comparison.snapshots import Snapshot

_RULES = "rules"
_HASH = 12
# Of the passages that came or left, where texts are cut.
_SHOWN = 3
_STYLES = {"came": "green", "left": "red"}


def print_comparison(out: Console, before: Snapshot, after: Snapshot, found: Comparison) -> None:
    """Print what made both states, their figures over the queries of both, and how much they share."""
    out.print(Text(visible(f"{before.dataset}: before = {before.name}, after = {after.name}"), style="dim"))
    said = before.made_by(), after.made_by()
    rows = [*_made_by(*said), *_queries(found), *_facts(found.before, found.after)]
    print_table(out, ("before", "after", "what"), rows)
    shared = [(_share(value), name) for name, value in found.shared.items() if value is not None]
    if shared:
        print_table(out, ("shared", "of what a query has, in both / in either (Jaccard), mean over queries"), shared)
    if None not in (hashes := {before.ingested(), after.ingested()}) and len(hashes) > 1:
        out.print("\nThe texts were ingested anew since then: what has the same id may read otherwise.")


def print_moves(out: Console, before: Snapshot, after: Snapshot, found: Comparison, *, full: bool) -> None:
    """Print the queries whose kept candidates changed most: what came in (+) and what left (-), with ranks."""
    out.print(f"\n{found.changed:,} of {found.both:,} queries have other kept candidates; {len(found.moves)} shown")
    ids = {passage for move in found.moves for _, passage in (*move.came, *move.left)}
    texts = before.passages(ids) | after.passages(ids) if ids else {}
    queries = after.queries([move.query_id for move in found.moves])
    for move in found.moves:
        _print_move(out, move, queries.get(move.query_id, ""), texts, full=full)


def _made_by(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    before, after = _without_equal_rules(before, after), _without_equal_rules(after, before)
    names = ["teacher", "revision", "depth", "window"]
    for name in [*names, *sorted({*before, *after} - {*names})]:
        if name in before or name in after:
            cut = _HASH if name == "revision" else None
            yield before.get(name, "")[:cut], after.get(name, "")[:cut], name


def _without_equal_rules(made_by: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Write the rules that differ one by one, in the place of all of them in one text."""
    rules, others = (json.loads(one.get(_RULES, "{}")) for one in (made_by, other))
    changed = {f"filter.{name}": json.dumps(value) for name, value in rules.items() if others.get(name, ...) != value}
    return {name: value for name, value in made_by.items() if name != _RULES} | changed


def _queries(found: Comparison) -> Iterator[tuple[str, str, str]]:
    both = f"{found.both:,}"
    yield both, both, "queries mined in both; what follows is of them"
    if found.only_before or found.only_after:
        yield f"{found.only_before:,}", f"{found.only_after:,}", "queries mined in this one alone"


def _facts(before: Facts, after: Facts) -> Iterator[tuple[str, str, str]]:
    yield f"{before.positives:,}", f"{after.positives:,}", "positives"
    yield _share(before.within), _share(after.within), "positives within depth"
    yield _rank(before.median_rank), _rank(after.median_rank), "rank of a positive, median"
    yield _rank(before.mean_rank), _rank(after.mean_rank), "rank of a positive, mean within depth"
    yield f"{before.kept:.1f}", f"{after.kept:.1f}", "kept candidates of a query, mean"
    yield _share(before.above), _share(after.above), "kept candidates above the lowest positive"


def _print_move(out: Console, move: Move, query: str, texts: Mapping[str, str], *, full: bool) -> None:
    query_id = Text(visible(move.query_id), style="bold")
    out.print()
    # A rule would cut an id that is wider than the terminal.
    out.print(Rule(query_id, align="left", style="dim") if query_id.cell_len < out.width - 4 else query_id)
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True, justify="right", style="dim")
    grid.add_column(ratio=1, overflow="fold" if full else "ellipsis", no_wrap=not full)
    grid.add_row(Text("query"), _text(query, out.width, full=full))
    grid.add_row(Text("shared"), Text(f"{_share(move.shared)}, {len(move.came)} came, {len(move.left)} left"))
    for sign, name, passages in (("+", "came", move.came), ("-", "left", move.left)):
        for rank, passage_id in passages if full else passages[:_SHOWN]:
            said = f"{passage_id}\n{texts.get(passage_id, '')}" if full else texts.get(passage_id, passage_id)
            grid.add_row(Text(f"{sign} {rank}", style=_STYLES[name]), _text(said, out.width, full=full))
    out.print(Padding(grid, (0, 0, 0, 2)))


def _text(text: str, width: int, *, full: bool) -> Text:
    return Text(whole(text) if full else one_line(text, width))


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"


def _rank(value: float | None) -> str:
    if value is None:
        return "unknown"
    return "beyond depth" if math.isinf(value) else f"{value:.1f}".removesuffix(".0")
