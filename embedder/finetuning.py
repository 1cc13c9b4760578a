"""A student from its base to a saved model: adapters, plan, training, export, and the gate the export must pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from embedder import saving
from embedder.adapters import adapt, save_adapter
from embedder.batches import TrainingSet
from embedder.devices import reproducible
from embedder.errors import StudentError
from embedder.params.models import Student
from embedder.plans import Batch, plan
from embedder.prompts import Prompts, prompts
from embedder.training import Step, train, write_history

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.students import StudentOptions

_SAMPLED = 8


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


def tune(model: "SentenceTransformer", student: Student, sets: Sequence[TrainingSet], interval: float) -> Tuned:
    """Train adapters on the shards.

    Args:
        model: the base on its device; it is changed in place.
        student: its options and recipe.
        sets: the rows of every dataset.
        interval: seconds between two lines of progress.

    Raises:
        StudentError: no dataset has a row and a weight.
    """
    recipe, options = student.recipe, cast("StudentOptions", student.model)
    filled = {one.name: _prompts(options, one) for one in sets}
    batches = plan(
        {one.name: one.outline() for one in sets},
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        num_negatives=recipe.num_negatives,
        seed=recipe.seed,
    )
    if not batches:
        raise StudentError(
            "no dataset of the shards has a row and a weight above 0; see data/materialize/manifest.json"
        )
    with reproducible(recipe.seed):
        adapted = adapt(model, recipe.lora, options.origin, getattr(options, "revision", None))
        history = train(model, batches, {one.name: one for one in sets}, filled, recipe, interval=interval)
    longest = max(recipe.query_length, recipe.passage_length)
    model.max_seq_length = min(model.max_seq_length or longest, longest)
    return Tuned(model, adapted, filled, history, _report(model, sets, batches))


def export(tuned: Tuned, sets: Sequence[TrainingSet], folder: Path) -> dict[str, float]:
    """Write `adapter/`, `model/` and `history.csv`, then load the model the way a user does and compare.

    Args:
        tuned: its adapters are merged in place, in float32.
        sets: whose first texts are the sample that is compared.
        folder: an existing folder.

    Returns:
        The smallest cosine of a sampled text's vectors: base and tuned, tuned and reloaded.

    Raises:
        StudentError: training changed nothing, or the saved model is not the one in memory.
    """
    model, device = tuned.model.float(), str(tuned.model.device)
    samples = _samples(sets, tuned.prompts)
    with tuned.adapted.disable_adapter():
        before = saving.sample_vectors(model, samples)
    after = saving.sample_vectors(model, samples)
    changed = saving.check_changed(before, after)
    save_adapter(tuned.adapted, folder / "adapter")
    write_history(folder / "history.csv", tuned.history)
    saving.merge(model, tuned.adapted)
    model.prompts |= {name: one.query for name, one in tuned.prompts.items() if one.query}
    saving.save(model, folder / "model", "Tuned student", _card(tuned))
    reloaded = saving.check_reload(folder / "model", device, samples, after)
    return {"base_to_tuned": round(changed, 6), "tuned_to_reloaded": round(reloaded, 6)}


def _prompts(options: "StudentOptions", one: TrainingSet) -> Prompts:
    return prompts(
        options.query_prompt, options.passage_prompt, one.instruction, instruct_passages=one.instruct_passages
    )


def _samples(sets: Sequence[TrainingSet], filled: Mapping[str, Prompts]) -> dict[str, list[str]]:
    """The first queries and positives of each dataset, by the prompt they are read with."""
    samples: dict[str, list[str]] = {}
    for one in sets:
        first = one.rows.slice(0, _SAMPLED)
        samples.setdefault(filled[one.name].query, []).extend(first.column("query").to_pylist())
        samples.setdefault(filled[one.name].passage, []).extend(first.column("positive").to_pylist())
    return samples


def _report(model: "SentenceTransformer", sets: Sequence[TrainingSet], batches: Sequence[Batch]) -> dict[str, object]:
    parameters = list(model.parameters())
    return {
        "steps": len(batches),
        "parameters": {
            "trained": sum(one.numel() for one in parameters if one.requires_grad),
            "all": sum(one.numel() for one in parameters),
        },
        "datasets": {one.name: _used(one, [b for b in batches if b.dataset == one.name]) for one in sets},
    }


def _used(one: TrainingSet, batches: Sequence[Batch]) -> dict[str, object]:
    """What a plan made of a dataset; `rows_used` are distinct, `rows_seen` counts each epoch's."""
    return {
        "task": one.task,
        "weight": one.weight,
        "rows": one.rows.num_rows,
        "rows_used": len({row for batch in batches for row in batch.rows}),
        "rows_seen": sum(len(batch.rows) for batch in batches),
        "steps": len(batches),
        "epochs_begun": max((batch.epoch + 1 for batch in batches), default=0),
    }


def _card(tuned: Tuned) -> str:
    names = ", ".join(sorted(tuned.prompts))
    return (
        f"Tuned with LoRA for {len(tuned.history)} steps on: {names}. The adapters are merged into float32 weights. "
        "A dataset's query prompt, where it has one, is under its name in `prompts`."
    )
