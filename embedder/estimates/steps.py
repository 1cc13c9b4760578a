"""What the steps of a run encode: looked up in some batches of its plan, or at most what the recipe allows."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder import layout
from embedder.estimates.costs import evenly, mean_tokens
from embedder.estimates.shapes import folder_of
from embedder.estimates.training import Load, at_caps
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
    folder = layout.BASE / "model" if options.kind == "offline" else folder_of(options)
    loads = []
    for batch in evenly(range(len(batches)), _BATCHES):
        texts = compose({one.name: one for one in sets}, filled, student.recipe, batches[batch])
        first = batches[batch].parts[0].dataset
        language = params.datasets[first].language if first in params.datasets else None
        loads.append(_load(texts, student.recipe, folder, language))
    return len(batches), _mean(loads), True


def _load(texts: "Texts", recipe: Recipe, folder: Path | None, language: str | None) -> Load:
    sides = ((set(texts.queries), recipe.query_length), (set(texts.passages), recipe.passage_length))
    lengths = [mean_tokens(evenly(sorted(side), _TEXTS), "", most, folder or Path(), language) for side, most in sides]
    counts = [len(side) for side, _ in sides]
    tokens = sum(count * length for count, length in zip(counts, lengths, strict=True))
    squares = sum(count * length**2 for count, length in zip(counts, lengths, strict=True))
    return Load(sum(counts), tokens, squares)


def _mean(loads: list[Load]) -> Load:
    count = len(loads)
    return Load(
        sum(one.texts for one in loads) / count,
        sum(one.tokens for one in loads) / count,
        sum(one.squares for one in loads) / count,
    )
