"""What a recipe asks of datasets and they cannot give: told before anything is computed."""

from collections.abc import Sequence

from embedder.errors import StudentError
from embedder.params.recipe import Recipe
from embedder.training.batches import IN_BATCH, in_batch
from embedder.training.shards import TrainingSet


def check(sets: Sequence[TrainingSet], recipe: Recipe) -> None:
    """Refuse a recipe that does not fit what is trained on.

    Raises:
        StudentError: it names a dataset without shards, wants other rows' labels as negatives, leaves a dataset without
            any negative, or distils scores that no row has.
    """
    if unknown := sorted(set(recipe.datasets) - {one.name for one in sets}):
        raise StudentError(
            f"recipe.datasets names '{unknown[0]}', which has no shards; see data/materialize/train (a dataset of weight 0 "
            "has none)"
        )
    weighted = [one for one in sets if one.weight]
    for one in weighted:
        if recipe.of(one.name).in_batch_negatives and one.task not in IN_BATCH:
            raise StudentError(
                f"recipe.datasets.{one.name}.in_batch_negatives is true, but its task is {one.task}: the label of "
                "another row may be right for this one; leave it out"
            )
        if not recipe.num_negatives and not in_batch(one, recipe):
            raise StudentError(
                f"recipe.num_negatives is 0, which leaves nothing to tell the positives of '{one.name}' from: no other "
                f"row's passages count for it; set num_negatives to 1 or more, or datasets.{one.name}.weight to 0"
            )
    if recipe.distilled and all(one.unscored(recipe.distilled.scores).all() for one in weighted):
        raise StudentError(
            f"recipe.distilled.scores is {recipe.distilled.scores}, and no row has all scores of it; let a judge look "
            "(`judge` in params.yaml), or learn the teacher's, or take the loss listwise out"
        )
