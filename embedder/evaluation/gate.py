"""The gate after tuning: whether the run as a whole made the student better, in one word."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from embedder.bootstrap import Outcome
from embedder.evaluation.results import AVERAGE, Row

_FIGURES: dict[Outcome, int] = {"better": 1, "not resolvable here": 0, "not better": -1}


@dataclass(frozen=True)
class Verdict:
    """What a run made of the student.

    Attributes:
        outcome: better, not better, or not resolvable here.
        decided_by: the names of the rows whose intervals decide: AVG, or without it every task.
        worse: the names of the task rows that got worse beyond their intervals.
        needed: about how many queries would resolve what these do not; None where it is resolved, or nothing differs.
        line: all of it in one line.
    """

    outcome: Outcome
    decided_by: list[str]
    worse: list[str]
    needed: int | None
    line: str

    def metric(self) -> dict[str, float]:
        """What DVC tracks: 1 better, 0 not resolvable here, -1 not better."""
        return {"verdict": _FIGURES[self.outcome]}

    def report(self) -> dict[str, object]:
        """What report.json says."""
        return asdict(self)


def verdict(table: Sequence[Row]) -> Verdict:
    """Judge a run by the rows of its result table.

    "better" needs the whole interval of AVG above 0; where a task is missing there is no AVG, and it needs that of
    every task row. A task row whose whole interval lies below 0 is a veto, whatever AVG says.

    On several comparisons at once: one interval decides, so at a confidence of 95 % a run that changes nothing is
    called better at most once in 40 times. Without AVG all task rows must agree, which happens by chance even less
    often (an intersection-union test: Berger 1982). The task rows beside AVG can only veto, so that there are several
    never makes "better" more likely; it makes a false veto so: of five rows that did not change one or more lies below
    its interval in up to 12 of 100 runs. Rows of single datasets do not count.

    Args:
        table: what `results.rows` returns.
    """
    tasks = [row for row in table if not row.dataset and row.task != AVERAGE]
    deciding = [row for row in table if row.task == AVERAGE] or tasks
    worse = [row for row in tasks if row.high < 0]
    outcome = _outcome(deciding, worse)
    open_rows = [row for row in deciding if row.outcome == "not resolvable here"]
    needed = max((row.needed for row in open_rows if row.needed), default=None)
    needed = needed if outcome == "not resolvable here" else None
    names = [row.name for row in deciding], [row.name for row in worse]
    return Verdict(outcome, *names, needed, _line(outcome, deciding, worse, needed))


def _outcome(deciding: Sequence[Row], worse: Sequence[Row]) -> Outcome:
    if worse or any(row.outcome == "not better" for row in deciding):
        return "not better"
    return "better" if all(row.outcome == "better" for row in deciding) else "not resolvable here"


def _line(outcome: Outcome, deciding: Sequence[Row], worse: Sequence[Row], needed: int | None) -> str:
    said = [", ".join(_figures(row) for row in deciding)]
    if worse:
        said.append(f"worse beyond its interval: {', '.join(_figures(row) for row in worse)}")
    else:
        said.append("no task got worse beyond its interval")
    if needed:
        # More than two digits would feign a precision that the bootstrap does not have.
        said.append(f"about {int(float(f'{needed:.1e}')):,} queries would show it")
    return f"{outcome}: {'; '.join(said)}"


def _figures(row: Row) -> str:
    return f"{row.name} {row.difference:+z.4f} ({row.low:+z.4f} to {row.high:+z.4f})"
