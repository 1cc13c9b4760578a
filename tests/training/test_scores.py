"""When a run is scored, what is best, and when it ends."""

from hypothesis import given
from hypothesis import strategies as st

from embedder.params.finetune import Selection
from embedder.training.scores import Score, best, due, hopeless

VALUES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=12)


def selection(every: int | None, patience: int | None = None) -> Selection:
    """Return a selection that scores every so many steps."""
    return Selection(share=0.5, every=every, patience=patience, scales=[1.0], seeds=1)


def scored(values: list[float]) -> list[Score]:
    """Return scores of steps 9, 19, 29."""
    return [Score(10 * place + 9, value) for place, value in enumerate(values)]


def test_a_score_is_due_after_every_so_many_steps_and_at_the_end() -> None:
    """Of 10 steps the third, sixth, ninth and last are scored; without `every` none is."""
    assert [step for step in range(10) if due(step, 10, selection(3))] == [2, 5, 8, 9]
    assert not any(due(step, 10, selection(None)) or due(step, 10, None) for step in range(10))


@given(VALUES)
def test_the_best_is_the_earliest_of_the_highest(values: list[float]) -> None:
    """No score is above the best, and none of the earlier ones equals it."""
    found = best(scored(values))
    assert found is not None
    assert found.value == max(values)
    assert all(one.value < found.value for one in scored(values) if one.step < found.step)


def test_without_scores_there_is_no_best() -> None:
    """A run that was never scored keeps its last weights."""
    assert best([]) is None
    assert not hopeless([], selection(1, 1))


@given(VALUES, st.integers(1, 4))
def test_a_run_is_hopeless_after_so_many_scores_without_a_better_one(values: list[float], patience: int) -> None:
    """It is, exactly if the highest of all is as high without the last `patience` of them."""
    expected = len(values) > patience and max(values[:-patience]) == max(values)
    assert hopeless(scored(values), selection(1, patience)) == expected
    assert not hopeless(scored(values), selection(1))
