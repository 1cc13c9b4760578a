"""`embedder show`: what became of a query's candidates, and what that says of the settings, for a person to judge."""

from typing import Annotated

import typer

from embedder.cli.show_modes import JACCARD, LABELS, MOVES, RATE, ROWS, Asked, run
from embedder.cli.stage import Dataset

_Blame = Annotated[
    bool,
    typer.Option("--blame", help="Show which training rows have stored as a negative what lost dev queries look for."),
]
_Label = Annotated[
    bool,
    typer.Option("--label", help=f"Ask you whether sampled passages are relevant: {LABELS}, or --limit."),
]
_Suggest = Annotated[bool, typer.Option("--suggest", help="Find the filter with the hardest negatives under --rate.")]


def show(
    dataset: Dataset,
    query: Annotated[str | None, typer.Option(help="Show this query.", metavar="ID", show_default=False)] = None,
    random: Annotated[
        int | None, typer.Option(min=1, help="Show this many queries; 1 if nothing else is asked.", show_default=False)
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(help="Show candidates with this verdict, of the queries asked for or of all.")
    ] = None,
    worst: Annotated[
        int | None, typer.Option(min=1, help="Show so many kept candidates, most likely false first.")
    ] = None,
    blame: _Blame = False,  # noqa: FBT002 - a flag
    label: _Label = False,  # noqa: FBT002 - a flag
    suggest: _Suggest = False,  # noqa: FBT002 - a flag
    rate: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help=f"Of --suggest: how often a row may see a known positive as a negative; {RATE:g}."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Show what would be kept without this rule; may be repeated.", metavar="RULE"),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"The most candidates: of each query all, of a verdict {ROWS}; of --against and --blame, queries: {MOVES}.",
            show_default=False,
        ),
    ] = None,
    jaccard: Annotated[
        float | None, typer.Option(min=0.05, max=1, help=f"Of --blame: how similar a near copy must be; {JACCARD:g}.")
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
    run(
        Asked(
            dataset=dataset,
            query=query,
            random=random,
            verdict=verdict,
            worst=worst,
            blame=blame,
            label=label,
            suggest=suggest,
            rate=rate,
            without=tuple(without or ()),
            limit=limit,
            jaccard=jaccard,
            seed=seed,
            full=full,
            against=against,
        )
    )
