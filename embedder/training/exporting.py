"""A tuned student to files, and the gate that they must pass."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from embedder import saving
from embedder.prompts import Prompts
from embedder.training.adapters import save_adapter
from embedder.training.finetuning import Tuned
from embedder.training.history import write_history
from embedder.training.shards import TrainingSet

_SAMPLED = 8


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


def _samples(sets: Sequence[TrainingSet], filled: Mapping[str, Prompts]) -> dict[str, list[str]]:
    """The first queries and positives of each dataset, by the prompt they are read with."""
    samples: dict[str, list[str]] = {}
    for one in sets:
        first = one.rows.slice(0, _SAMPLED)
        samples.setdefault(filled[one.name].query, []).extend(first.column("query").to_pylist())
        samples.setdefault(filled[one.name].passage, []).extend(first.column("positive").to_pylist())
    return samples


def _card(tuned: Tuned) -> str:
    names = ", ".join(sorted(tuned.prompts))
    return (
        f"Tuned with LoRA for {len(tuned.history)} steps on: {names}. The adapters are merged into float32 weights. "
        "A dataset's query prompt, where it has one, is under its name in `prompts`."
    )
