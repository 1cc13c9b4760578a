"""A student from its base to one whose adapters are trained: plan, adapters, training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from embedder.devices import reproducible
from embedder.errors import StudentError
from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.params.recipe import Recipe
from embedder.params.runtime import Runtime
from embedder.progress import track
from embedder.prompts import Prompts, prompts
from embedder.training.adapters import adapt
from embedder.training.history import Step
from embedder.training.loop import Work, optimizer_of, train
from embedder.training.memory import pieces_of
from embedder.training.plans import Batch, Mixture, Part, plan
from embedder.training.shards import TrainingSet

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.students import StudentOptions


@dataclass(frozen=True)
class Tuned:
    """A student whose adapters are trained and not yet merged.

    Attributes:
        model: the student.
        adapted: the PeftModel in it.
        prompts: by dataset.
        history: one step a batch.
        report: what was trained on what.
    """

    model: "SentenceTransformer"
    adapted: Any
    prompts: dict[str, Prompts]
    history: list[Step]
    report: dict[str, object]


def tune(
    model: "SentenceTransformer", student: Student, sets: Sequence[TrainingSet], settings: Finetune, runtime: Runtime
) -> Tuned:
    """Train adapters on the shards.

    Args:
        model: the base on its device; it is changed in place.
        student: its options and recipe.
        sets: the rows of every dataset.
        settings: the section `finetune`.
        runtime: how it is carried out.

    Raises:
        StudentError: no dataset has a row and a weight, or the recipe names a dataset without shards.
    """
    recipe, options = student.recipe, cast("StudentOptions", student.model)
    filled = {one.name: _prompts(options, one) for one in sets}
    batches = planned(sets, recipe)
    with reproducible(recipe.seed):
        adapted = adapt(model, recipe.lora, options.origin, getattr(options, "revision", None))
        work = Work(batches, {one.name: one for one in sets}, filled, recipe, pieces_of(model, settings, runtime))
        steps = train(model, optimizer_of(model, recipe), work)
        history = list(track(steps, len(batches), "finetune: steps", runtime.log_interval))
    longest = max(recipe.query_length, recipe.passage_length)
    model.max_seq_length = min(model.max_seq_length or longest, longest)
    return Tuned(model, adapted, filled, history, _report(model, sets, batches))


def planned(sets: Sequence[TrainingSet], recipe: Recipe) -> list[Batch]:
    """Plan a recipe's batches.

    Raises:
        StudentError: no dataset has a row and a weight, the recipe names a dataset without shards, or warms up for
            longer than it trains.
    """
    if unknown := sorted(set(recipe.datasets) - {one.name for one in sets}):
        raise StudentError(f"recipe.datasets names '{unknown[0]}', which has no shards; see data/materialize/train")
    shared = (
        "steps",
        "epochs",
        "batch_size",
        "homogeneous",
        "size_exponent",
        "rows_per_query",
        "num_negatives",
        "seed",
    )
    mixture = Mixture(**{key: getattr(recipe, key) for key in shared})
    batches = plan({one.name: one.outline(recipe) for one in sets}, mixture)
    if not batches:
        raise StudentError(
            "no dataset of the shards has a row and a weight above 0; see data/materialize/manifest.json"
        )
    if recipe.warmup_steps >= len(batches):
        raise StudentError(
            f"{recipe.epochs} epochs are {len(batches)} steps, of which warmup_steps {recipe.warmup_steps} leave nothing"
        )
    return batches


def _prompts(options: "StudentOptions", one: TrainingSet) -> Prompts:
    return prompts(
        options.query_prompt, options.passage_prompt, one.instruction, instruct_passages=one.instruct_passages
    )


def _report(model: "SentenceTransformer", sets: Sequence[TrainingSet], batches: Sequence[Batch]) -> dict[str, object]:
    parameters = list(model.parameters())
    parts = [part for batch in batches for part in batch.parts]
    return {
        "steps": len(batches),
        "parameters": {
            "trained": sum(one.numel() for one in parameters if one.requires_grad),
            "all": sum(one.numel() for one in parameters),
        },
        "datasets": {one.name: _used(one, [part for part in parts if part.dataset == one.name]) for one in sets},
    }


def _used(one: TrainingSet, parts: Sequence[Part]) -> dict[str, object]:
    """What a plan made of a dataset; `rows_used` are distinct, `rows_seen` counts each epoch's."""
    return {
        "task": one.task,
        "weight": one.weight,
        "rows": one.rows.num_rows,
        "rows_used": len({row for part in parts for row in part.rows.tolist()}),
        "rows_seen": sum(len(part.rows) for part in parts),
        "steps": len(parts),
        "epochs_begun": max((part.epoch + 1 for part in parts), default=0),
    }
