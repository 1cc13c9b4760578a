"""What a plan makes of each dataset: every row is used, or there is a reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.params.recipe import Recipe
from embedder.training.batches import in_batch
from embedder.training.plans import Batch, rows_of_epoch
from embedder.training.shards import TrainingSet

Run = tuple[Sequence[Batch], Recipe]
"""The steps of a plan that were carried out, or all, and the recipe that it was planned by."""


@dataclass
class _Seen:
    """What the batches have of a dataset: [rows] which rows, how often any, in which steps, and in how many epochs."""

    used: NDArray[np.bool_]
    rows: int = 0
    epochs: int = 0
    steps: set[int] = field(default_factory=set)


def usage(sets: Sequence[TrainingSet], runs: Sequence[Run]) -> dict[str, dict[str, object]]:
    """Count the rows of each dataset in one run, or in all those whose weights are averaged.

    Args:
        sets: what was planned.
        runs: at least one.

    Returns:
        By dataset: `rows` = `rows_used` + what stands under `rows_unused` by reason: the dataset has no weight; other
        rows of the query were drawn in every epoch (rows_per_query); the steps ended before the row's turn.
        `rows_seen` counts a row in each epoch of each run, and so does `steps`; `epochs_begun` is the most of a run. Of the rows used, `rows_without_negatives` have none stored, and
        `rows_without_scores` lack a score that the recipe distils.
    """
    seen = [_seen(sets, batches) for batches, _ in runs]
    recipes = [recipe for _, recipe in runs]
    return {one.name: _account(one, [found[one.name] for found in seen], recipes) for one in sets}


def _seen(sets: Sequence[TrainingSet], batches: Sequence[Batch]) -> dict[str, _Seen]:
    seen = {one.name: _Seen(np.zeros(len(one), dtype=bool)) for one in sets}
    for batch in batches:
        for part in batch.parts:
            found = seen[part.dataset]
            found.used[part.rows] = True
            found.rows += len(part.rows)
            found.epochs = part.epoch + 1
            found.steps.add(batch.step)
    return seen


def _account(one: TrainingSet, seen: Sequence[_Seen], recipes: Sequence[Recipe]) -> dict[str, object]:
    recipe, used = recipes[0], np.any([found.used for found in seen], axis=0)
    without = {"rows_without_negatives": one.negatives.counts == 0}
    if recipe.distilled:
        without["rows_without_scores"] = one.unscored(recipe.distilled.scores)
    return {
        "task": one.task,
        "weight": one.weight,
        "in_batch_negatives": in_batch(one, recipe),
        "steps": sum(len(found.steps) for found in seen),
        "epochs_begun": max(found.epochs for found in seen),
        "rows": len(one),
        "rows_seen": sum(found.rows for found in seen),
        "rows_used": int(used.sum()),
        "rows_unused": _unused(one, used, np.any([_due(one, *run) for run in zip(seen, recipes, strict=True)], axis=0)),
        **{name: int((used & rows).sum()) for name, rows in without.items()},
    }


def _unused(one: TrainingSet, used: NDArray[np.bool_], due: NDArray[np.bool_]) -> dict[str, int]:
    """How many rows no batch has, by reason."""
    if not one.weight:
        return {"no_weight": len(one), "rows_per_query": 0, "steps_ended": 0}
    return {"no_weight": 0, "rows_per_query": int((~due).sum()), "steps_ended": int((due & ~used).sum())}


def _due(one: TrainingSet, seen: _Seen, recipe: Recipe) -> NDArray[np.bool_]:
    """Tell which rows a run's epochs drew, whether their turn came or not; all, where none has begun."""
    if not seen.epochs:
        return np.ones(len(one), dtype=bool)
    # What the epochs before the last one drew is used.
    last = rows_of_epoch(one.name, one.outline(recipe), seen.epochs - 1, recipe)
    due = seen.used.copy()
    due[np.concatenate(last)] = True
    return due
