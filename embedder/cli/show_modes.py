"""What each way of asking `embedder show` prints. Adding one: its function, one line in `_MODES`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedder.errors import EmbedderError

if TYPE_CHECKING:
    from rich.console import Console

    from embedder.inspection import Tables

ROWS, MOVES, LABELS = 20, 5, 50
RATE, JACCARD = 0.01, 0.5
# What says how, of one way of asking alone.
_OF_ONE = {"rate": "suggest", "jaccard": "blame"}


@dataclass(frozen=True)
class Asked:
    """The options of `embedder show`, as they were given."""

    dataset: str
    query: str | None
    random: int | None
    verdict: str | None
    worst: int | None
    blame: bool
    label: bool
    suggest: bool
    rate: float | None
    without: tuple[str, ...]
    limit: int | None
    jaccard: float | None
    seed: int
    full: bool
    against: str | None


def run(asked: Asked) -> None:
    """Print what was asked for.

    Raises:
        EmbedderError: two things were asked for at once, or an option that the one has no use for.
    """
    modes = [name for name in _MODES if getattr(asked, name) not in (None, False, ())]
    if len(modes) > 1:
        raise EmbedderError(f"{' and '.join(f'--{name}' for name in modes)} exclude each other; give one")
    for option, mode in _OF_ONE.items():
        if getattr(asked, option) is not None and modes != [mode]:
            raise EmbedderError(f"--{option} says how --{mode} is asked; give --{mode} too")
    if not modes:
        _queries(asked)
        return
    show, takes = _MODES[modes[0]]
    for option in ("query", "random", "verdict"):
        if getattr(asked, option) is not None and option not in takes:
            use = (
                f"beside it, it takes {' and '.join(f'--{name}' for name in takes)} alone" if takes else "give it alone"
            )
            raise EmbedderError(f"--{modes[0]} has no use for --{option}; {use}")
    show(asked)


def _queries(asked: Asked) -> None:
    """Print queries with their candidates, or candidates of one verdict."""
    from embedder.cli import query_view
    from embedder.cli.terminal import console
    from embedder.inspection import Tables, require_verdict

    if asked.query is not None and asked.random is not None:
        raise EmbedderError("--query and --random exclude each other; give one")
    positive_at = _positive_at(asked)
    wanted = None if asked.verdict is None else require_verdict(asked.verdict)
    out, tables = console(), Tables(asked.dataset)
    if wanted is not None and asked.query is None and asked.random is None:
        _verdict(out, tables, wanted, positive_at, asked)
        return
    chosen = [tables.require(asked.query)] if asked.query else tables.sample_queries(asked.random or 1, asked.seed)
    query_view.print_facts(out, asked.dataset, tables.made_by())
    for mined in tables.inspect(chosen, positive_at):
        shown = [found for found in mined.candidates if wanted in {None, found.verdict}]
        query_view.print_query(out, mined, shown[: asked.limit], full=asked.full)


def _verdict(out: "Console", tables: "Tables", verdict: str, positive_at: float, asked: Asked) -> None:
    """Print candidates drawn from all that have a verdict, each below its query and positive."""
    from embedder.cli import query_view

    drawn, total = tables.sample_candidates(verdict, asked.limit or ROWS, asked.seed)
    query_view.print_facts(out, tables.dataset, tables.made_by())
    out.print(f"{len(drawn):,} of {total:,} candidates with verdict {verdict}, drawn with seed {asked.seed}")
    for mined in tables.inspect({query_id for query_id, _ in drawn}, positive_at):
        for candidate in mined.candidates:
            if (mined.query_id, candidate.rank) in drawn:
                query_view.print_candidate(out, mined, candidate, full=asked.full)


def _against(asked: Asked) -> None:
    """Print what moved between a revision and the workspace."""
    from embedder.cli import comparison_view
    from embedder.cli.terminal import console
    from embedder.comparison import snapshots
    from embedder.comparison.compare import compare

    positive_at = _positive_at(asked)
    before, after = snapshots.at(str(asked.against), asked.dataset), snapshots.workspace(asked.dataset)
    found = compare(before.mined(), after.mined(), positive_at, asked.limit or MOVES)
    out = console()
    comparison_view.print_comparison(out, before, after, found)
    comparison_view.print_moves(out, before, after, found, full=asked.full)


def _worst(asked: Asked) -> None:
    from embedder.cli.worst import worst

    worst(asked.dataset, asked.worst or ROWS, _positive_at(asked), full=asked.full)


def _blame(asked: Asked) -> None:
    from embedder.cli.blame import blame

    blame(asked.dataset, asked.query, jaccard=asked.jaccard or JACCARD, most=asked.limit or MOVES, full=asked.full)


def _label(asked: Asked) -> None:
    from embedder.cli.label import label

    label(asked.dataset, asked.limit or LABELS)


def _suggest(asked: Asked) -> None:
    from embedder.cli.settings_view import suggest

    suggest(asked.dataset, RATE if asked.rate is None else asked.rate)


def _without(asked: Asked) -> None:
    from embedder.cli.settings_view import what_if

    what_if(asked.dataset, list(asked.without))


def _positive_at(asked: Asked) -> float:
    from embedder.params.load import dataset_of, load

    return dataset_of(load(), asked.dataset).positive_at


# What each prints, and which of --query, --random and --verdict it takes.
_MODES: dict[str, tuple[Callable[[Asked], None], tuple[str, ...]]] = {
    "against": (_against, ()),
    "worst": (_worst, ()),
    "blame": (_blame, ("query",)),
    "label": (_label, ()),
    "suggest": (_suggest, ()),
    "without": (_without, ()),
}
