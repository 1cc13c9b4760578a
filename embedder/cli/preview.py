"""`--dry-run` of ingest: what a source looks like, on a terminal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedder.ingestion.settling import Settled
    from embedder.params.models import Dataset

_TEXT = 70


def preview(settled: "Settled", entry: "Dataset") -> None:
    """Print counts, rejects and repairs by reason, sample rows, length quantiles and the share of copies."""
    from embedder import preview as looked

    report: Mapping[str, Any] = settled.report
    kinds = [kind for kind in report["read"] if report["read"][kind]]
    columns = ("read", "kept", "merged", "rejected")
    _table("rows", ["", *columns], [[kind, *(f"{report[c].get(kind, 0):,}" for c in columns)] for kind in kinds])
    _table("queries by split", ["split", "queries"], [[s, f"{n:,}"] for s, n in report["queries_by_split"].items()])
    for title, key in (("rejected", "reject_reasons"), ("merged", "merge_reasons"), ("repaired", "repairs")):
        reasons = [[kind, reason, f"{n:,}"] for kind, found in report[key].items() for reason, n in found.items()]
        _table(title, ["", "reason", "rows"], reasons or [["none", "", ""]])
    for name, rows in looked.samples(settled).items():
        _table(f"{name}: a sample", list(rows[0]) if rows else [], [[*map(_cell, row.values())] for row in rows])
    marks = [f"{q:.0%}" for q in looked.QUANTILES]
    found = [[name, *(f"{n:,}" for n in quantiles)] for name, quantiles in looked.lengths(settled).items()]
    _table("characters, quantiles", ["", *marks], found)
    copies = looked.copies(settled, entry.language)
    print(f"\nexact copies: {copies.exact:.1%} of the passages read")
    print(f"near copies: {copies.near:.1%} of {copies.sampled:,} passages have one (Jaccard >= {looked.NEAR_JACCARD})")


def _table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from embedder.cli.terminal import console

    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print()
    console().print(table)


def _cell(value: object) -> str:
    from embedder.cli.terminal import one_line

    return one_line(f"{value:g}" if isinstance(value, float) else str(value), _TEXT)
