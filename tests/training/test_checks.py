"""What a recipe asks of datasets and they cannot give."""

from typing import Any

import pytest

from embedder.errors import StudentError
from embedder.training.checks import check
from tests.training_sets import row, rows, student, training_set

JUDGED = {"losses": {"listwise": 1.0}, "distilled": {"scores": "judge", "temperature": 1.0}}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"datasets": {"halls": {}}}, "recipe.datasets names 'halls', which has no shards"),
        (
            {"datasets": {"labels": {"in_batch_negatives": True}}},
            "labels.in_batch_negatives is true, but its task is cla",
        ),
        ({"num_negatives": 0}, "num_negatives is 0, which leaves nothing to tell the positives of 'labels' from"),
        (JUDGED, "distilled.scores is judge, and no row has all scores of it; let a judge"),
    ],
)
def test_what_cannot_be_is_told(recipe: dict[str, Any], said: str) -> None:
    """Each recipe that does not fit the datasets is refused in one line that names the key and what to do."""
    sets = [training_set(rows(4)), training_set(rows(4), "labels", "classification")]
    with pytest.raises(StudentError, match=said) as raised:
        check(sets, student(**recipe).recipe)
    assert "\n" not in str(raised.value)


def test_a_dataset_without_weight_is_not_asked() -> None:
    """What is not trained on may lack negatives and scores."""
    judged = row(1, [2], positive_judge_score=1.0, negative_judge_scores=[0.0])
    sets = [training_set([judged]), training_set(rows(4), "labels", "classification", 0.0)]
    check(sets, student(num_negatives=0, **JUDGED).recipe)
    check(sets, student().recipe)
