"""`embedder audit`: what is wrong with training data, whoever made it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from embedder.audit.findings import Findings

_LEVELS = {"fault": "bold red", "warning": "yellow", "ok": "green"}
_WIDTH = 100


def audit(
    source: Annotated[str, typer.Argument(help="A file, a folder, or a Hub dataset (owner/name).", show_default=False)],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="A BEIR folder or a project's data; its dev queries and their positives must not be trained on."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with all examples.", metavar="FILE")] = None,
    loader: Annotated[str | None, typer.Option(help="beir, table, hub, mteb or shards; else names say it.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="What columns hold: query=question,positive=answer,negative=n1+n2.")
    ] = None,
    header: Annotated[bool, typer.Option(help="CSV, TSV: the first row names the columns, else 1, 2, ...")] = True,  # noqa: FBT002 - flags
    quoting: Annotated[
        bool | None, typer.Option(help="CSV, TSV: quotes enclose cells, else they are text; by default in CSV alone.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="A TREC run inside a BEIR folder.")] = None,
    revision: Annotated[str | None, typer.Option(help="Hub, MTEB: the commit, 40 hex.")] = None,
    config: Annotated[str | None, typer.Option(help="Hub: the configuration. MTEB: the subset.")] = None,
    split: Annotated[str, typer.Option(help="Hub, MTEB: the split.")] = "train",
    positive_at: Annotated[float, typer.Option(help="BEIR: from this relevance a passage is a positive.")] = 1.0,
    negative_at: Annotated[float, typer.Option(help="BEIR: up to this relevance it is a negative.")] = 0.0,
    jaccard: Annotated[
        float, typer.Option(min=0, max=1, help="From this similarity texts are near copies; 0: only equal ones are.")
    ] = 0.8,
    language: Annotated[
        str | None, typer.Option(help="ISO 639 code: whether words have blanks between them; else the script says it.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="The licence, where the source does not state one.")] = None,
    max_share: Annotated[float, typer.Option(min=0, max=1, help="Let faults pass in up to this share of rows.")] = 0.0,
    examples: Annotated[int, typer.Option(min=1, max=1000, help="The most examples of each check.")] = 3,
) -> None:
    """Audit training data: duplicates, positives among negatives, near copies, dev texts, licences.

    SOURCE may be a BEIR folder (with a TREC run), JSONL, CSV, TSV or Parquet with queries, positives and negatives,
    scored pairs, labelled texts, or our own shards. Exit 0: no fault. 1: faults. 2: it cannot be audited.
    """
    _check_page(html)
    from embedder import languages
    from embedder.audit.audit import Wanted
    from embedder.audit.audit import audit as find
    from embedder.audit.forms import Asked
    from embedder.audit.gathered import Grades

    unit = languages.of(language).unit if language else None
    asked = Asked(loader, columns, header, quoting, revision, config, split, run, Grades(positive_at, negative_at))
    findings = find(source, asked, Wanted(against or (), jaccard or None, unit, licence, examples))
    _print(findings, max_share)
    if html is not None:
        _write(findings, max_share, html)
    if findings.faults(max_share):
        raise typer.Exit(1)


def _print(findings: "Findings", most: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from embedder.cli.terminal import console, visible

    out = console()
    out.print(visible(f"{findings.source}: {findings.form}"), soft_wrap=True)
    out.print(f"{findings.rows:,} rows read = {findings.audited:,} audited + {findings.unreadable:,} unreadable")
    for one in findings.held_out:
        out.print(visible(one.says), soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    for finding in findings.found:
        level = finding.level if finding.count else "ok"
        counts = (f"{finding.count:,}", f"{finding.share:.2%}" if finding.count else "")
        grid.add_row(
            Text(level, style=_LEVELS[level]), finding.check, *(Text(count, justify="right") for count in counts)
        )
    out.print(grid)
    _print_examples(findings)
    faults = findings.faults(most)
    allowed = f" beyond {most:.2%} of rows" if most else ""
    out.print(f"\nfaults{allowed}: {', '.join(one.check for one in faults) or 'none'}")


def _print_examples(findings: "Findings") -> None:
    from embedder.cli.terminal import console, one_line, visible

    out = console()
    for one in (finding for finding in findings.found if finding.count):
        out.print(f"\n{one.level} {one.check}: {one.says}", soft_wrap=True)
        for example in one.examples:
            out.print(f"  {visible(example.place)} {one_line(example.detail, _WIDTH)}".rstrip(), soft_wrap=True)
            for what, text in (("query", example.query), ("passage", example.passage)):
                if text:
                    out.print(f"    {what:8}{one_line(text, _WIDTH)}", soft_wrap=True)


def _check_page(path: Path | None) -> None:
    from embedder.errors import EmbedderError

    if path is not None and not path.absolute().parent.is_dir():
        raise EmbedderError(f"{path}: its folder does not exist; make it, or correct --html")
    if path is not None and path.is_dir():
        raise EmbedderError(f"{path}: is a folder; correct --html")


def _write(findings: "Findings", most: float, path: Path) -> None:
    from embedder.audit.page import render
    from embedder.errors import EmbedderError

    try:
        path.write_text(render(findings, most), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise EmbedderError(f"{path}: cannot be written ({error.strerror}); correct --html") from error
