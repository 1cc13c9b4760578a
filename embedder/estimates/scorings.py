"""How often a selection scores a model, and how many texts that encodes each time."""

from dataclasses import dataclass

from embedder import layout
from embedder.params.finetune import Selection
from embedder.training.scores import due
from embedder.training.selection import candidates


@dataclass(frozen=True)
class Scorings:
    """What a selection scores; a run that stops early is scored less often.

    Attributes:
        count: of scores; None where nobody knows how many steps there are.
        texts: that each encodes; None where the dev queries that are set aside are not here yet.
    """

    count: int | None
    texts: int | None

    @property
    def encoded(self) -> int:
        """Texts of all scores; 0 where nobody knows."""
        return (self.count or 0) * (self.texts or 0)


def scorings(selection: Selection | None, steps: int | None, *, sample: bool) -> Scorings:
    """Count the scores of all runs, of their average and of every scale.

    Args:
        selection: None for no score at all.
        steps: of each run; None where nobody knows.
        sample: whether what is set aside may be looked at.
    """
    if selection is None:
        return Scorings(0, 0)
    return Scorings(_count(selection, steps), _texts() if sample else None)


def _count(selection: Selection, steps: int | None) -> int | None:
    afterwards = list(candidates(range(selection.seeds), selection.scales))
    if selection.every is None:
        return len(afterwards)
    if steps is None:
        return None
    # As trained, a run was scored at its end.
    known = sum(len(one.seeds) == 1 and one.scale == 1 for one in afterwards)
    return selection.seeds * sum(due(step, steps, selection) for step in range(steps)) + len(afterwards) - known


def _texts() -> int | None:
    """Count the rows of the tables that are encoded, which their footers say."""
    from pyarrow.parquet import read_metadata

    found = [path for name in ("queries", "corpus") for path in layout.SELECTION.glob(f"*/{name}.parquet")]
    return sum(read_metadata(path).num_rows for path in found) if found else None
