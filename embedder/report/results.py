"""The result table in the terminal, from data/evaluate/results.csv, and the verdict beside it, from report.json."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedder.errors import TableError

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"better": "green", "not better": "red", "not resolvable here": "yellow"}
_WIDTH = 150


@dataclass(frozen=True)
class Result:
    """One line of results.csv as text to show; figures have four digits."""

    dataset: str
    task: str
    metric: str
    queries: str
    base: str
    tuned: str
    bm25: str
    difference: str
    interval: str
    outcome: str
    needed: str
    note: str


def read_results(path: Path) -> list[dict[str, str]]:
    """Read the lines of results.csv.

    Raises:
        TableError: there is no such file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise TableError(f"{path}: no results yet; run the stage evaluate (dvc repro)") from error


def read_verdict(path: Path) -> str:
    """Read the line that says what the run made of the student; empty where `path` is missing or of a version before."""
    if not path.exists():
        return ""
    return str(json.loads(path.read_text(encoding="utf-8")).get("verdict", {}).get("line", ""))


def lines_to_show(lines: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Leave out the row of a task that has one dataset: it says the same as the dataset's."""
    datasets = Counter(line["task"] for line in lines if line["dataset"])
    return [line for line in lines if line["dataset"] or datasets[line["task"]] != 1]


def shown(line: dict[str, str]) -> Result:
    """Turn a line into what a reader sees: four digits, signs, the interval in one cell, large numbers rounded."""
    return Result(
        dataset=line["name"],
        task=line["task"],
        metric=line["metric"],
        queries=f"{int(line['queries']):,}",
        base=_figure(line["base"]),
        tuned=_figure(line["tuned"]),
        bm25=_figure(line["bm25"]),
        difference=_signed(line["difference"]),
        interval=f"{_signed(line['low'])} to {_signed(line['high'])}",
        outcome=line["outcome"],
        needed=f"about {_rounded(int(line['needed'])):,} queries would show it" if line["needed"] else "",
        note=line["note"],
    )


def print_results(path: Path, console: "Console | None" = None) -> None:
    """Print the table of results.csv: base, tuned, BM25, their difference, its interval, and what that means.

    Below stands the verdict, from report.json beside `path`.

    Where nothing says how wide the output is, as in a log, lines are as long as the table needs.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = lines_to_show(read_results(path))
    table = Table(title="The tuned model against its base, on the dev split", title_justify="left", box=SIMPLE_HEAD)
    for name in ("", "figure", "queries", "base", "tuned", "BM25", "change", "interval", "outcome"):
        worded = name in {"", "figure", "outcome"}
        table.add_column(name, justify="left" if worded else "right", no_wrap=not worded)
    for line in lines:
        row = shown(line)
        cells = (row.dataset, row.metric, row.queries, row.base, row.tuned, row.bm25, row.difference, row.interval)
        outcome = Text(row.outcome, style=_STYLES.get(row.outcome, ""))
        if row.needed:
            outcome.append(f"; {row.needed}", style="dim")
        table.add_row(*(Text(cell) for cell in cells), outcome, style="" if line["dataset"] else "bold")
    out = console or Console()
    if not out.is_terminal:
        out.width = max(out.width, _WIDTH)
    out.print(table)
    for line in lines:
        if line["note"]:
            out.print(Text(f"{shown(line).dataset}: {line['note']}", style="dim"))
    if verdict := read_verdict(path.with_name("report.json")):
        out.print(Text(verdict, style=_STYLES.get(verdict.partition(":")[0], "")))


def _figure(cell: str) -> str:
    return f"{float(cell):.4f}" if cell else ""


def _signed(cell: str) -> str:
    return f"{float(cell):+z.4f}"


def _rounded(number: int) -> int:
    """Keep two significant digits: more would feign a precision that the bootstrap does not have."""
    return int(float(f"{number:.1e}"))
