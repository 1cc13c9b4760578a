"""The card of a tuned model, in parts that training and evaluation share."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from embedder.markdown import inline

if TYPE_CHECKING:
    from embedder.evaluation.results import Row

RESULTS = "\n## Results\n"
_NOT_YET = """
Not measured yet: the stage `evaluate` comes after training and writes this card with the table of results, as
`data/evaluate/model_card.md`.
"""
_HEADER = ("on", "metric", "queries", "base", "tuned", "BM25", "tuned - base", "interval", "outcome", "note")


def without_results(card: str) -> str:
    """End a card with words on where its results will stand."""
    return f"{card.rstrip()}\n{RESULTS}{_NOT_YET}"


def with_results(card: str, rows: "Sequence[Row]", verdict: str) -> str:
    """Return the card that training wrote with the table of results in its last section.

    Args:
        card: what the README.md of the tuned model says.
        rows: the result table.
        verdict: the whole in a sentence.
    """
    before = card.partition(RESULTS)[0].rstrip()
    return f"{before}\n{RESULTS}\nOn the dev split: {inline(verdict)}\n\n{table(_HEADER, map(_cells, rows))}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table; whatever stands in a cell is shown and nothing else."""
    lines = [header, ["---"] * len(header), *([inline(str(cell)) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: "Row") -> list[object]:
    figures = [_figure(one) for one in (row.base, row.tuned, row.bm25)]
    interval = f"{row.low:+.4f} to {row.high:+.4f}"
    return [
        row.name,
        row.metric,
        f"{row.queries:,}",
        *figures,
        f"{row.difference:+.4f}",
        interval,
        row.outcome,
        row.note,
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
