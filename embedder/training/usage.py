"""What a plan makes of each dataset: every row is used, or there is a reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.params.recipe import Recipe
from embedder.training.batches import in_batch
from embedder.training.plans import Batch, rows_of_epoch
from embedder.training.shards import TrainingSet


@dataclass
class _Seen:
    """What the batches have of a dataset: [rows] which rows, how often any, in which steps, and in how many epochs."""

    used: NDArray[np.bool_]
    rows: int = 0
    epochs: int = 0
    steps: set[int] = field(default_factory=set)


def usage(sets: Sequence[TrainingSet], batches: Sequence[Batch], recipe: Recipe) -> dict[str, dict[str, object]]:
    """Count the rows of each dataset.

    Args:
        sets: what was planned.
        batches: the plan, or the steps of it that were carried out.
        recipe: it was planned by.

    Returns:
        By dataset: `rows` = `rows_used` + what stands under `rows_unused` by reason: the dataset has no weight; other
        rows of the query were drawn in every epoch (rows_per_query); the steps ended before the row's turn.
        `rows_seen` counts a row in each epoch. Of the rows used, `rows_without_negatives` have none stored, and
        `rows_without_scores` lack a score that the recipe distils.
    """
    seen = {one.name: _Seen(np.zeros(len(one), dtype=bool)) for one in sets}
    for batch in batches:
        for part in batch.parts:
            found = seen[part.dataset]
            found.used[part.rows] = True
            found.rows += len(part.rows)
            found.epochs = part.epoch + 1
            found.steps.add(batch.step)
    return {one.name: _account(one, seen[one.name], recipe) for one in sets}


def _account(one: TrainingSet, seen: _Seen, recipe: Recipe) -> dict[str, object]:
    without = {"rows_without_negatives": one.negatives.counts == 0}
    if recipe.distilled:
        without["rows_without_scores"] = one.unscored(recipe.distilled.scores)
    return {
        "task": one.task,
        "weight": one.weight,
        "in_batch_negatives": in_batch(one, recipe),
        "steps": len(seen.steps),
        "epochs_begun": seen.epochs,
        "rows": len(one),
        "rows_seen": seen.rows,
        "rows_used": int(seen.used.sum()),
        "rows_unused": _unused(one, seen, recipe),
        **{name: int((seen.used & rows).sum()) for name, rows in without.items()},
    }


def _unused(one: TrainingSet, seen: _Seen, recipe: Recipe) -> dict[str, int]:
    """How many rows no batch has, by reason."""
    if not one.weight:
        return {"no_weight": len(one), "rows_per_query": 0, "steps_ended": 0}
    due = np.ones(len(one), dtype=bool)
    if seen.epochs:
        # What the epochs before the last one drew is used.
        last = rows_of_epoch(one.name, one.outline(recipe), seen.epochs - 1, recipe)
        due = seen.used.copy()
        due[np.concatenate(last)] = True
    return {"no_weight": 0, "rows_per_query": int((~due).sum()), "steps_ended": int((due & ~seen.used).sum())}
