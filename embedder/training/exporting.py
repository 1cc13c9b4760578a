"""A tuned student to files, and the gate that they must pass."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedder import files, layout, saving
from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.prompts import Prompts
from embedder.saving import Sample, Vectors
from embedder.students import weights_of
from embedder.training.adapters import load_base, save_adapter
from embedder.training.cards import Made, card, data_of
from embedder.training.history import write_history
from embedder.training.shards import TrainingSet

if TYPE_CHECKING:
    from embedder.training.finetuning import Tuned

_SAMPLED = 8


@dataclass(frozen=True)
class Asked:
    """What a training was asked for.

    Attributes:
        name: the student's in params.yaml.
        student: its entry.
        settings: the section `finetune`.
        base: what the stage base wrote.
        shards: what was trained on.
    """

    name: str
    student: Student
    settings: Finetune
    base: Path = layout.BASE
    shards: Path = layout.SHARDS

    @property
    def beside(self) -> bool:
        """Whether the saved model is an adapter on its base."""
        return self.student.recipe.lora is not None and not self.settings.merged


def check(asked: Asked) -> None:
    """Refuse before training what cannot be saved after it.

    Raises:
        StudentError: an adapter is asked for whose base no adapter can name.
        ModelError: a pretrained base cannot be had, or is not what its entry says.
    """
    if asked.beside:
        weights_of(asked.student.model, asked.base)


def export(tuned: "Tuned", sets: Sequence[TrainingSet], folder: Path, asked: Asked) -> dict[str, float]:
    """Write `adapter/`, `model/` and `history.csv`, then load the model the way a user does and compare.

    Args:
        tuned: its weights become float32, and its adapters are merged into them where the saved model has them so.
        sets: some texts of each are compared.
        folder: an existing folder.
        asked: what the training was asked for.

    Returns:
        The smallest cosine of a sampled text's vectors: base and tuned, tuned and reloaded.

    Raises:
        StudentError: training changed nothing, or the saved model is not the one in memory.
    """
    model, device = tuned.model.float(), str(tuned.model.device)
    prompts = prompts_by_name(tuned.prompts)
    samples = [sample for one in sets if len(one) for sample in _samples(one, tuned.prompts[one.name], prompts)]
    before, after = _before(tuned, samples, asked), saving.sample_vectors(model, samples)
    changed = saving.check_changed(before, after)
    save_adapter(tuned.adapted, folder / "adapter")
    write_history(folder / "history.csv", tuned.history)
    model.prompts |= prompts
    path = folder / "model"
    _save(tuned, path, beside=asked.beside)
    # One of the two at a time on a GPU.
    model.cpu()
    loaded = saving.load_tuned(path, asked.student.model, asked.base, device)
    same = saving.check_reload(loaded, samples, before, after, layout.MODEL.as_posix())
    cosines = {"base_to_tuned": round(changed, 6), "tuned_to_reloaded": round(same, 6)}
    (path / "README.md").write_text(card(_made(tuned, asked, prompts, cosines)), encoding="utf-8")
    return cosines


def prompts_by_name(filled: Mapping[str, Prompts]) -> dict[str, str]:
    """Name the prompts of a saved model.

    Args:
        filled: the prompts of each dataset.

    Returns:
        That of each dataset's queries by its name; `query` where all datasets share it, and `document` that of all
        passages but those that are read like queries: what `encode_query` and `encode_document` take.
    """
    queries = {one.query for one in filled.values()}
    passages = {one.passage for one in filled.values() if one.passage != one.query} or queries
    general = {"query": queries, "document": passages}
    shared = {name: next(iter(found)) for name, found in general.items() if len(found) == 1}
    return shared | {name: one.query for name, one in filled.items()}


def _samples(one: TrainingSet, filled: Prompts, prompts: Mapping[str, str]) -> list[Sample]:
    """Some texts of both sides, from the first row to the last."""
    places = np.unique(np.linspace(0, len(one) - 1, _SAMPLED).astype(np.int64))
    passages = next((name for name in ("document", one.name) if prompts.get(name) == filled.passage), None)
    return [
        Sample(one.name, filled.query, one.said(one.queries[places])),
        Sample(passages, filled.passage, one.said(one.positives[places])),
    ]


def _before(tuned: "Tuned", samples: Sequence[Sample], asked: Asked) -> Vectors:
    """What the student made of the samples before it was trained."""
    if tuned.adapted is not None:
        with tuned.adapted.disable_adapter():
            return saving.sample_vectors(tuned.model, samples)
    base = load_base(asked.student, asked.base, str(tuned.model.device))
    base.max_seq_length = tuned.model.max_seq_length
    return saving.sample_vectors(base, samples)


def _save(tuned: "Tuned", path: Path, *, beside: bool) -> None:
    """Write the model's folder, all but its card."""
    transformer: Any = tuned.model[0]
    if not beside:
        if tuned.adapted is not None:
            transformer.model = tuned.adapted.merge_and_unload()
        saving.save(tuned.model, path)
        return
    # What the library's folder holds of a transformer is what this method writes.
    transformer.model.save_pretrained = lambda name, **_: save_adapter(tuned.adapted, Path(name))
    try:
        saving.save(tuned.model, path)
    finally:
        del transformer.model.save_pretrained
    _load_in_float32(path / "sentence_bert_config.json")


def _load_in_float32(config: Path) -> None:
    """Have an adapter and its base loaded in float32: the library gives adapters the base's dtype."""
    said: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    files.write_json(config, said | {"model_kwargs": {"dtype": "float32"}})


def _made(tuned: "Tuned", asked: Asked, prompts: Mapping[str, str], cosines: Mapping[str, float]) -> Made:
    report: dict[str, Any] = tuned.report
    figures = {f"parameters, {name}": f"{count:,}" for name, count in report["parameters"].items()}
    return Made(
        name=asked.name,
        student=asked.student,
        settings=asked.settings,
        data=data_of(asked.shards),
        used={name: one["rows_used"] for name, one in report["datasets"].items()},
        filled=tuned.prompts,
        prompts=prompts,
        history=tuned.history,
        chosen=tuned.chosen,
        figures=figures | {f"smallest cosine, {name.replace('_', ' ')}": f"{one:.6f}" for name, one in cosines.items()},
        beside=asked.beside,
    )
