"""`embedder show`: what became of a query's candidates, for a person to judge."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedder.cli.stage import Dataset

if TYPE_CHECKING:
    from rich.console import Console

    from embedder.inspection import Tables

_ROWS = 20
_MOVES = 5


def show(
    dataset: Dataset,
    query: Annotated[str | None, typer.Option(help="Show this query.", metavar="ID", show_default=False)] = None,
    random: Annotated[
        int | None, typer.Option(min=1, help="Show this many queries; 1 if nothing else is asked.", show_default=False)
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(help="Show candidates with this verdict, of the queries asked for or of all.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"The most candidates: of each query all, of a verdict {_ROWS}; of --against, queries: {_MOVES}.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes what is drawn.")] = 0,
    full: Annotated[bool, typer.Option("--full", help="Print texts and ids whole.")] = False,  # noqa: FBT002 - a flag
    against: Annotated[
        str | None,
        typer.Option(
            help="Show how runs and negatives moved since this git revision or DVC experiment.",
            metavar="REV",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show mined queries of DATASET: their positives, and candidates with rank, score, margin and verdict."""
    from embedder.cli import query_view
    from embedder.cli.terminal import console
    from embedder.errors import EmbedderError
    from embedder.inspection import Tables, require_verdict
    from embedder.params.load import dataset_of, load

    if query is not None and random is not None:
        raise EmbedderError("--query and --random exclude each other; give one")
    positive_at = dataset_of(load(), dataset).positive_at
    wanted = None if verdict is None else require_verdict(verdict)
    if against is not None:
        if (query, random, verdict) != (None, None, None):
            raise EmbedderError(
                "--against compares all queries; of the other options it takes --limit and --full alone"
            )
        _show_moves(dataset, against, positive_at, limit or _MOVES, full=full)
        return
    out, tables = console(), Tables(dataset)
    if wanted is not None and query is None and random is None:
        _show_verdict(out, tables, wanted, positive_at, limit or _ROWS, seed, full=full)
        return
    ids = tables.sample_queries(random or 1, seed) if query is None else [tables.require(query)]
    query_view.print_facts(out, dataset, tables.made_by())
    for mined in tables.inspect(ids, positive_at):
        shown = [found for found in mined.candidates if wanted in {None, found.verdict}]
        query_view.print_query(out, mined, shown[:limit], full=full)


def _show_moves(dataset: str, revision: str, positive_at: float, most: int, *, full: bool) -> None:
    """Print what moved between a revision and the workspace."""
    from embedder.cli import comparison_view
    from embedder.cli.terminal import console
    from embedder.comparison import snapshots
    from embedder.comparison.compare import compare

    before, after = snapshots.at(revision, dataset), snapshots.workspace(dataset)
    found = compare(before.mined(), after.mined(), positive_at, most)
    out = console()
    comparison_view.print_comparison(out, before, after, found)
    comparison_view.print_moves(out, before, after, found, full=full)


def _show_verdict(
    out: "Console", tables: "Tables", verdict: str, positive_at: float, most: int, seed: int, *, full: bool
) -> None:
    """Print candidates drawn from all that have a verdict, each below its query and positive."""
    from embedder.cli import query_view

    drawn, total = tables.sample_candidates(verdict, most, seed)
    query_view.print_facts(out, tables.dataset, tables.made_by())
    out.print(f"{len(drawn):,} of {total:,} candidates with verdict {verdict}, drawn with seed {seed}")
    for mined in tables.inspect({query_id for query_id, _ in drawn}, positive_at):
        for candidate in mined.candidates:
            if (mined.query_id, candidate.rank) in drawn:
                query_view.print_candidate(out, mined, candidate, full=full)
