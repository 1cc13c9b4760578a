"""How often a selection scores a model: in training, and to choose after it."""

from collections.abc import Sequence

import pytest

from embedder.estimates.scorings import Scorings, scorings
from embedder.params.finetune import Selection


def selection(every: int | None, scales: Sequence[float] = (1.0,), seeds: int = 1) -> Selection:
    """Return a selection."""
    return Selection(share=0.5, every=every, patience=None, scales=list(scales), seeds=seeds)


@pytest.mark.parametrize(
    ("chosen", "steps", "count"),
    [
        (selection(None), None, 1),
        (selection(None, [0.5, 1.0, 1.5], 3), 10, 3 * 4),
        # After steps 4, 8 and 10, and nothing else is left to score.
        (selection(4), 10, 3),
        (selection(5), 10, 2),
        # The three runs in training, at one more scale, and their average at both.
        (selection(4, [0.5, 1.0], 3), 10, 3 * 3 + 3 + 2),
        (selection(4), None, None),
    ],
)
def test_scores_are_counted(chosen: Selection, steps: int | None, count: int | None) -> None:
    """In training after every so many steps and the last, then what is left of runs, their average and scales."""
    assert scorings(chosen, steps, sample=False) == Scorings(count, None)


def test_without_a_selection_nothing_is_scored() -> None:
    """No selection is no score of no text."""
    assert scorings(None, 10, sample=True) == Scorings(0, 0)
    assert Scorings(0, 0).encoded == 0


def test_texts_count_once_a_score() -> None:
    """Each score encodes all; where one figure is missing nobody knows."""
    assert Scorings(3, 7).encoded == 21
    assert Scorings(3, None).encoded == Scorings(None, 7).encoded == 0
