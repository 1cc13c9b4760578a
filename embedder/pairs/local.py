"""What the pair models of sentence-transformers share: how they are loaded, and batches that change no score."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from embedder.errors import ModelError
from embedder.padding import MULTIPLE
from embedder.pairs.stored import Ints, PairModel, StoredScores
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.pretrained import Adapter, Dtype, Revision, Text

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder

    Encoder = CrossEncoder | MultiVectorEncoder | SparseEncoder

E = TypeVar("E")
Length = Annotated[int, Field(ge=8)]

# Always so many texts a batch: a head on one vector a text (BERT's pooler) rounds by the number of rows. Of 250 pairs of
# a MiniLM's shape, 77 scores by CrossEncoder.predict changed with their company, none of these. On a CPU a unit of 4,096
# pairs in 16 widths is filled up with 6 % of repeats at most.
_CPU_ROWS, _GPU_ROWS = 16, 64

_COUNTED_AT_ONCE = 1_024

# Scores are kept under what makes them. Raise it when this program's own code makes other numbers of the same model.
_READING = 1
_PACKAGES = ("torch", "transformers", "sentence-transformers", "tokenizers")


class LocalModel(Model):
    """A model of sentence-transformers.

    Attributes:
        name: a Hub id, or a local folder.
        revision: the commit of a Hub id (40 hex), or the content hash of a folder (64 hex, `embedder.revisions`).
        licence: of the weights.
        dtype: of the weights and of what they compute.
    """

    name: Text
    revision: Revision
    licence: Text
    dtype: Dtype


def stored(
    options: LocalModel,
    reading: Mapping[str, object],
    runtime: Runtime,
    load: Callable[[str], PairModel],
    what: str = "rescore",
) -> StoredScores:
    """Return a model's scores, in the cache or to be computed.

    Args:
        options: the model.
        reading: how it reads: prompts and lengths.
        runtime: where it runs.
        load: loads it on a device.
        what: the word before lines of progress.
    """
    from embedder import devices

    device = devices.configure(runtime)
    fixed = {"kind": getattr(options, "kind", ""), "model": options.revision, "dtype": options.dtype, **reading}
    libraries = {name: version(name) for name in _PACKAGES}
    circumstances = {"device": device.partition(":")[0], "libraries": libraries, "reading": _READING}
    return StoredScores(fixed, circumstances, lambda: load(device), runtime.log_interval, what)


def load(
    options: LocalModel, make: Callable[..., E], device: str, types: Sequence[str], architectures: Sequence[str]
) -> E:
    """Load a model of any kind: the pinned revision, safetensors only, no remote code.

    Args:
        options: the model.
        make: the library's class.
        device: a torch device.
        types: what the library calls such a model in what it saves.
        architectures: how names of architectures end that make one, for folders that the library did not save.

    Raises:
        ModelError: it cannot be had, is not of its revision, has no safetensors, lacks weights, or is of another kind.
    """
    import torch

    from embedder.pretrained.intact import intact
    from embedder.pretrained.loading import folder_of

    what = f"model '{options.name}'"
    folder = folder_of(Adapter(name=options.name, revision=options.revision), what)
    weights = {"dtype": getattr(torch, options.dtype), "use_safetensors": True}
    with intact(folder, what):
        _check_kind(folder, types, architectures, what)
        return make(str(folder), device=device, local_files_only=True, trust_remote_code=False, model_kwargs=weights)


def batches(
    model: "Encoder", inputs: Sequence[Any], limit: int, prompt: str, task: str | None = None
) -> Iterator[tuple[Ints, list[Any], dict[str, Any]]]:
    """Cut inputs into batches such that an input's result depends on nothing but the input.

    On a CPU it is the same bit for bit where a batch has always the same number of rows, and a width that follows
    from the input's own number of tokens (the next multiple of 8). A short batch is filled up with repeats.

    Args:
        model: tokenizes.
        inputs: texts, or pairs of texts.
        limit: the most tokens of an input.
        prompt: what stands before each input.
        task: "query" or "document", for models that read them differently.

    Yields:
        Which inputs the first rows are, the inputs of all rows, and the `processing_kwargs` that pad them.
    """
    limit = min(limit, model.max_seq_length or limit)
    rows = _CPU_ROWS if model.device.type == "cpu" else _GPU_ROWS
    widths = np.minimum(-(-_lengths(model, inputs, limit, prompt, task) // MULTIPLE) * MULTIPLE, limit)
    for width in np.unique(widths).tolist():
        alike = np.flatnonzero(widths == width)
        for start in range(0, len(alike), rows):
            part = alike[start : start + rows]
            yield (
                part,
                [inputs[i] for i in np.resize(part, rows).tolist()],
                _text(padding="max_length", max_length=width),
            )


def _check_kind(folder: Path, types: Sequence[str], architectures: Sequence[str], what: str) -> None:
    """Refuse a folder of another kind of model: the library would convert it, with random weights for what it lacks."""
    saved_as = _read(folder / "config_sentence_transformers.json").get("model_type")
    made_of = [str(saved_as)] if saved_as else _read(folder / "config.json").get("architectures") or []
    known = saved_as in types if saved_as else any(one.endswith(tuple(architectures)) for one in made_of)
    if not known:
        found = ", ".join(made_of) or "nothing known"
        wanted = ", ".join([*types, *(f"...{one}" for one in architectures)])
        raise ModelError(f"{what}: is saved as {found}, not as {wanted}; name another model, or another kind")


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def _lengths(model: "Encoder", inputs: Sequence[Any], limit: int, prompt: str, task: str | None) -> Ints:
    """Count the tokens of each input as the model counts them: with prompt and special ones, cut to the limit."""
    parts = [np.empty(0, np.int64)]
    for start in range(0, len(inputs), _COUNTED_AT_ONCE):
        part = list(inputs[start : start + _COUNTED_AT_ONCE])
        features = model.preprocess(part, prompt, processing_kwargs=_text(max_length=limit), task=task)
        parts.append(features["attention_mask"].sum(dim=1).numpy())
    return np.concatenate(parts)


def _text(**settings: object) -> dict[str, Any]:
    return {"text": settings}
