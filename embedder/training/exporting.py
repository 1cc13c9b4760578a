"""A tuned student to files, and the gate that they must pass."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embedder import files, layout, saving
from embedder.prompts import Prompts
from embedder.saving import Sample, Vectors
from embedder.students import weights_of
from embedder.training.adapters import load_base, save_adapter
from embedder.training.asked import Asked
from embedder.training.cards import Made, Steps, card, data_of
from embedder.training.history import write_history
from embedder.training.shards import TrainingSet

if TYPE_CHECKING:
    from embedder.training.finetuning import Tuned

_SAMPLED = 8


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

    The model is saved in the dtype that its weights had in training, `saving.dtype_of`, and its base is compared in it.

    Args:
        tuned: its adapters are merged into its weights where the saved model has them so, and rounded to their dtype.
        sets: some texts of each are compared.
        folder: an existing folder.
        asked: what the training was asked for.

    Returns:
        The smallest cosine of a sampled text's vectors: base and tuned; tuned and saved, which differ by what merging
        and 16 bits round; saved and reloaded.

    Raises:
        StudentError: training changed nothing, merging lost it, or the saved model is not the one in memory.
    """
    model, device = tuned.model, str(tuned.model.device)
    prompts = prompts_by_name(tuned.prompts)
    samples = [sample for one in sets if len(one) for sample in _samples(one, tuned.prompts[one.name], prompts)]
    before, trained = _before(tuned, samples, asked), saving.sample_vectors(model, samples)
    changed = saving.check_changed(before, trained)
    save_adapter(tuned.adapted, folder / "adapter")
    write_history(folder / "history.csv", tuned.histories)
    model.prompts |= prompts
    path = folder / "model"
    _save(tuned, path, asked)
    after = saving.asked_vectors(model, samples, named=False)
    kept = saving.check_kept(before, trained, after, saving.dtype_of(asked.student))
    # One of the two at a time on a GPU.
    model.cpu()
    loaded = saving.load_tuned(path, asked.student.model, asked.base, device)
    same = saving.check_reload(loaded, samples, before, after, layout.MODEL.as_posix())
    cosines = {"base_to_tuned": changed, "tuned_to_saved": kept, "saved_to_reloaded": same}
    cosines = {name: round(cosine, 6) for name, cosine in cosines.items()}
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


def _save(tuned: "Tuned", path: Path, asked: Asked) -> None:
    """Write the model's folder, all but its card; the model in memory becomes what is saved."""
    transformer: Any = tuned.model[0]
    if not asked.beside:
        if tuned.adapted is not None:
            transformer.model = tuned.adapted.merge_and_unload()
        saving.save(tuned.model, path)
        return
    from embedder.training.low_rank import plain

    # What the library's folder holds of a transformer is what this method writes.
    transformer.model.save_pretrained = lambda name, **_: save_adapter(tuned.adapted, Path(name))
    try:
        saving.save(tuned.model, path)
    finally:
        del transformer.model.save_pretrained
    _load_in(path / "sentence_bert_config.json", saving.dtype_of(asked.student))
    plain(tuned.adapted)


def _load_in(config: Path, dtype: str) -> None:
    """Have the base loaded in the dtype that it had in training, not in that of its files; its adapter follows it."""
    said: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    files.write_json(config, said | {"model_kwargs": {"dtype": dtype}})


def _made(tuned: "Tuned", asked: Asked, prompts: Mapping[str, str], cosines: Mapping[str, float]) -> Made:
    report: dict[str, Any] = tuned.report
    return Made(
        asked=asked,
        data=data_of(asked.shards),
        used={name: one["rows_used"] for name, one in report["datasets"].items()},
        filled=tuned.prompts,
        prompts=prompts,
        runs=[
            Steps(one["seed"], one["steps_planned"], one["steps_kept"], tuned.histories[one["seed"]])
            for one in report["runs"]
            if one["seed"] in report["seeds"]
        ],
        chosen=tuned.chosen,
        figures=dict(_figures(report, asked, cosines)),
    )


def _figures(report: Mapping[str, Any], asked: Asked, cosines: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """What the card says beside the steps: parameters, the saved adapter's r, the dtype of the weights, cosines."""
    for name, count in report["parameters"].items():
        yield f"parameters, {name}", f"{count:,}"
    if lora := asked.student.recipe.lora:
        runs = len(report["seeds"])
        yield "r of the adapter", str(lora.r) if runs == 1 else f"{lora.r * runs}: {runs} runs of {lora.r} side by side"
    yield "weights", _weights(asked)
    for name, cosine in cosines.items():
        yield f"smallest cosine, {name.replace('_', ' ')}", f"{cosine:.6f}"


def _weights(asked: Asked) -> str:
    """The dtype of the saved weights in words."""
    dtype = saving.dtype_of(asked.student)
    if asked.beside:
        return f"{dtype}, an adapter on its base in {dtype}; measured in it, as the base is"
    merged = ", adapters merged in and rounded to it" if asked.student.recipe.lora and dtype != "float32" else ""
    return f"{dtype}{merged}; measured in it, as the base is"
