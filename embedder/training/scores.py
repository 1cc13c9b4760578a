"""When a run is scored, which score is the best, and when there is no more hope of a better one."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedder.params.finetune import Selection


@dataclass(frozen=True)
class Score:
    """How good a model was when a step was done: of the part of the dev queries to choose by.

    Attributes:
        step: from 0.
        value: the higher, the better.
    """

    step: int
    value: float


def due(step: int, steps: int, selection: Selection | None) -> bool:
    """Whether there is a score when `step` of `steps` is done: after every so many, and after the last."""
    if selection is None or selection.every is None:
        return False
    return (step + 1) % selection.every == 0 or step + 1 == steps


def best(scores: Sequence[Score]) -> Score | None:
    """The highest; of equals the earliest; None without any."""
    return max(scores, key=lambda one: one.value, default=None)


def hopeless(scores: Sequence[Score], selection: Selection | None) -> bool:
    """Whether the last `patience` scores brought no better one."""
    found = best(scores)
    if found is None or selection is None or selection.patience is None:
        return False
    return sum(one.step > found.step for one in scores) >= selection.patience
