"""`--dry-run` of mine: what each configured teacher would cost, on a terminal."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedder.estimates.costs import Cost
    from embedder.estimates.estimate import Estimate
    from embedder.params.models import Dataset, Params

_COLUMNS = ("teacher", "kind", "texts", "stored", "tokens", "vectors", "memory", "FLOP", "time", "requests")
_THOUSAND = 1000
BYTES = ("B", "kB", "MB", "GB", "TB", "PB")
COUNTS = ("", "k", "M", "G", "T", "P", "E")
# Unit, its seconds, and from how many on the next one is used.
_TIMES = (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3_600, 48 * 3_600))
_UNKNOWN = "unknown"


def print_estimates(
    dataset: str, params: "Params", entry: "Dataset", queries: Sequence[str], passages: Collection[str]
) -> None:
    """Print one row a teacher: what it would read, write and take here. Nothing is written.

    Args:
        dataset: its name.
        params: all of params.yaml.
        entry: the dataset's entry.
        queries: the texts of the queries to mine.
        passages: the joined texts of its corpus.
    """
    from embedder.cli.terminal import console, visible
    from embedder.estimates.estimate import estimate
    from embedder.estimates.rates import Measured

    machine = Measured(params.runtime)
    rows = estimate(params, entry, queries, passages, machine)
    out = console()
    out.print(f"mine {dataset}: {len(queries):,} queries, {len(passages):,} passages; * is the teacher that is set")
    _print_table(rows)
    for row in rows:
        for note in row.cost.notes:
            out.print(visible(f"{row.teacher}: {note}"), soft_wrap=True)
    if any(row.cost.flops for row in rows):
        said = f"{scaled(machine.rate('float32'), COUNTS)}FLOP a second in float32 on {machine.device}"
        out.print(f"Models are reckoned with {said}, half of what was measured just now.", soft_wrap=True)


def _print_table(rows: "Sequence[Estimate]") -> None:
    from rich.table import Table
    from rich.text import Text

    from embedder.cli.terminal import console

    cells = [[f"{'*' if row.active else ' '} {row.teacher}", row.kind, *_cells(row.cost)] for row in rows]
    filled = [i for i in range(len(_COLUMNS)) if any(line[i] not in {"", "0"} for line in cells)]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for i in filled:
        table.add_column(_COLUMNS[i], justify="left" if _COLUMNS[i] in {"teacher", "kind"} else "right", no_wrap=True)
    for line in cells:
        table.add_row(*(Text(line[i]) for i in filled))
    console().print()
    console().print(table)
    console().print()


def _cells(cost: "Cost") -> list[str]:
    return [
        f"{cost.texts:,}" if cost.texts else "",
        f"{cost.stored:,}" if cost.stored else "",
        scaled(cost.tokens, COUNTS) if cost.tokens else "",
        scaled(cost.bytes, BYTES) if cost.bytes else "",
        scaled(cost.memory, BYTES) if cost.memory else "",
        scaled(cost.flops, COUNTS) if cost.flops else "",
        duration(cost.seconds),
        f"{cost.requests:,}" if cost.requests else "",
    ]


def duration(seconds: float | None) -> str:
    """Say how long something takes, in the unit that a person thinks in."""
    if seconds is None:
        return _UNKNOWN
    unit, size = next(((unit, size) for unit, size, most in _TIMES if seconds < most), ("d", 86_400))
    return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f} {unit}"


def scaled(value: float, units: Sequence[str]) -> str:
    """Write a number with the unit that leaves it below a thousand."""
    power = 0
    while value >= _THOUSAND and power < len(units) - 1:
        value, power = value / _THOUSAND, power + 1
    return f"{value:.3g} {units[power]}".rstrip()
