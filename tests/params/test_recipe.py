"""What a recipe may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from embedder.params.recipe import Override, Recipe
from tests.training_sets import student


def recipe(**changes: Any) -> Recipe:  # noqa: ANN401 - values of a recipe
    """Return the made-up recipe with changes."""
    return student(**changes).recipe


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": None}, "one of steps and epochs must be null"),
        ({"epochs": 1.0}, "one of steps and epochs must be null"),
        ({"steps": 5, "warmup_steps": 5}, "warmup_steps 5 leave nothing of 5 steps"),
        ({"losses": {"triplet": 1.0}}, "losses has 'triplet'; known are info_nce, listwise"),
        ({"losses": {}}, "at least 1 item"),
        ({"losses": {"info_nce": 0.0}}, "greater than 0"),
        ({"losses": {"info_nce": 1.0, "listwise": 1.0}}, "the loss listwise needs `distilled`"),
        ({"distilled": {"scores": "teacher", "temperature": 1.0}}, "and `distilled` the loss listwise"),
        ({"dimensions": [8, 4, 8]}, "has one twice"),
        (
            {"homogeneous": False, "datasets": {"b": {}, "a": {"batch_size": 4}}},
            "datasets.a.batch_size says nothing where",
        ),
        ({"datasets": {"a": {"batchsize": 4}}}, "batchsize"),
        ({"temperature": 0.0}, "greater than 0"),
        ({"score_mask": -0.1}, "greater than or equal to 0"),
        ({"size_exponent": 1.5}, "less than or equal to 1"),
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"rows_per_query": 0}, "greater than or equal to 1"),
        ({"lora": {"r": 2, "alpha": 4, "dropout": 1.0, "targets": "all-linear"}}, "less than 1"),
        ({"lora": {"r": 2, "alpha": 4, "dropout": 0.0, "targets": []}}, "at least 1 item"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    """Each mistake is refused with what is wrong."""
    with pytest.raises(ValidationError, match=said):
        recipe(**changes)


def test_what_is_for_one_dataset_is_not_for_another() -> None:
    """An override is its dataset's; every other one has nothing of its own."""
    one = recipe(datasets={"rooms": {"temperature": 0.5}})
    assert one.of("rooms").temperature == 0.5
    assert one.of("walls") == Override()


def test_a_recipe_of_the_papers_is_one() -> None:
    """Mixed batches, full fine-tuning, several losses and dimensions, epochs in place of steps can be said."""
    one = recipe(
        steps=None,
        epochs=0.5,
        homogeneous=False,
        size_exponent=0.5,
        rows_per_query=2,
        losses={"info_nce": 1.0, "listwise": 0.2},
        distilled={"scores": "judge", "temperature": 0.3},
        score_mask=0.1,
        dimensions=[8, 4],
        lora=None,
    )
    assert Recipe.model_validate(one.model_dump()) == one
