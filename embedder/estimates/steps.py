"""What the steps of a run encode: looked up in some batches of its plan, or at most what the recipe allows."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder import layout
from embedder.estimates.costs import evenly, token_counts
from embedder.estimates.shapes import folder_of
from embedder.estimates.training import Load, at_caps, total
from embedder.params.models import Params
from embedder.params.recipe import Recipe

if TYPE_CHECKING:
    from embedder.training.batches import Texts

# Batches looked at, and texts of each side of a batch that are measured.
_BATCHES = 8
_TEXTS = 200


def steps_of(params: Params, *, sample: bool) -> tuple[int | None, Load, bool]:
    """Return how many steps a run has, what one encodes on the mean, and whether that was looked up.

    Args:
        params: all of params.yaml.
        sample: look into the shards; where there are none it is the recipe's steps, and a step at its caps.

    Raises:
        StudentError: the recipe and the shards do not go together.
        TableError: a shard is not what its schema says.
    """
    student = params.students[params.student]
    if not sample or not any(layout.SHARDS.glob("*.parquet")):
        return student.recipe.steps, at_caps(student.recipe), False
    from embedder.prompts import prompts
    from embedder.training.batches import compose
    from embedder.training.finetuning import planned
    from embedder.training.shards import read_shards

    options: Any = student.model
    sets = read_shards(layout.SHARDS)
    templates = options.query_prompt, options.passage_prompt
    filled = {one.name: prompts(*templates, one.instruction, instruct_passages=one.instruct_passages) for one in sets}
    batches = planned(sets, student.recipe)
    folder = layout.BASE_MODEL if options.kind == "offline" else folder_of(options)
    loads = []
    for batch in evenly(range(len(batches)), _BATCHES):
        texts = compose({one.name: one for one in sets}, filled, student.recipe, batches[batch])
        first = batches[batch].parts[0].dataset
        language = params.datasets[first].language if first in params.datasets else None
        loads.append(_load(texts, student.recipe, folder, language))
    return len(batches), total(loads, 1 / len(loads)), True


def _load(texts: "Texts", recipe: Recipe, folder: Path | None, language: str | None) -> Load:
    sides = ((set(texts.queries), recipe.query_length), (set(texts.passages), recipe.passage_length))
    return total([_side(side, most, folder or Path(), language) for side, most in sides])


def _side(texts: set[str], most: int, folder: Path, language: str | None) -> Load:
    """Measure some of the texts for all of them."""
    lengths = token_counts(evenly(sorted(texts), _TEXTS), "", most, folder, language)
    if not len(lengths):
        return Load(0, 0, 0)
    return Load(len(texts), len(texts) * float(lengths.mean()), len(texts) * float((lengths**2).mean()))
