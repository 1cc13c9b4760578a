"""An existing model: a Hub id at a commit, or a local folder with a known content. Its weights are never copied."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from embedder.errors import StudentError
from embedder.files import write_json
from embedder.pretrained import Pretrained

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

RECORD = Path("model") / "record.json"
# What loses bits in another dtype, in the words of safetensors.
_ROUNDED = {"float32": {"F64"}, "bfloat16": {"F64", "F32", "F16"}}


class Options(Pretrained):
    """A pretrained model to tune. What is trained is float32, whatever `dtype`: adapters, or all weights.

    Attributes:
        max_length: in tokens, prompt and special tokens included.
    """

    kind: Literal["model"]
    max_length: Annotated[int, Field(ge=8)]

    @model_validator(mode="after")
    def _trainable(self) -> "Options":
        if self.dtype == "float16":
            raise ValueError("dtype float16 loses small gradients in training; write bfloat16 or float32")
        return self

    @property
    def origin(self) -> str:
        """The name, which an adapter's config repeats."""
        return f"{self.name} + {self.adapter.name}" if self.adapter else self.name


def build_base(options: Options, texts: Sequence[str], folder: Path) -> Mapping[str, object]:
    """Write `model/record.json`: what `options` pin, and a local folder's file hashes. A Hub id needs no network.

    Args:
        options: the model.
        texts: not used: the model exists.
        folder: an existing folder.

    Raises:
        ModelError: a local folder is missing, or its content is not that of `revision`.
    """
    from embedder.pretrained.loading import check

    del texts
    record = {**_pinned(options), "licence": options.licence, "files": check(options, _what(options))}
    (folder / RECORD).parent.mkdir(exist_ok=True)
    write_json(folder / RECORD, record)
    return record


def load(options: Options, folder: Path, device: str, dtype: str | None = None) -> "SentenceTransformer":
    """Load the recorded model, its weights in `dtype`; None: in the entry's.

    Raises:
        StudentError: there is no record, or it is of another revision.
        ModelError: the model cannot be had, its folder's content has changed, or it has modules or a pooling other
            than `options` say.
    """
    from embedder.pretrained import loading

    _check_record(options, folder / RECORD)
    return loading.load(options, options.max_length, device, _what(options), dtype, flash=False)


def weights(options: Options, folder: Path) -> Path:
    """Return the folder of the recorded model.

    Raises:
        StudentError: there is no record, it is of another revision, or the weights are those of no folder: an adapter
            is merged into them, they lie where an adapter's config cannot point, or they are rounded to `dtype`.
        ModelError: the model cannot be had, or its folder's content has changed.
    """
    from embedder.pretrained import loading
    from embedder.pretrained.modules import parts_of
    from embedder.pretrained.sizes import dtypes

    _check_record(options, folder / RECORD)
    if options.adapter:
        raise StudentError(
            f"{_what(options)}: its base is itself a model with an adapter, so a second one cannot be saved beside it; "
            "set finetune.merged: true"
        )
    path = loading.folder_of(options, _what(options))
    if parts := [part.folder for part in parts_of(path, _what(options)) if part.kind == "Transformer" and part.folder]:
        raise StudentError(
            f"{_what(options)}: its weights lie in {parts[0]}, which no adapter can name; set finetune.merged: true"
        )
    if rounded := sorted(dtypes(path) & _ROUNDED[options.dtype]):
        raise StudentError(
            f"{_what(options)}: its weights are {', '.join(rounded)} and would be rounded to {options.dtype} in training, "
            "and not where an adapter is put on them later; write another dtype, or set finetune.merged: true"
        )
    return path


def _what(options: Options) -> str:
    return f"student '{options.name}'"


def _pinned(options: Options) -> dict[str, object]:
    adapter = options.adapter.model_dump() if options.adapter else None
    return {"name": options.name, "revision": options.revision, "adapter": adapter}


def _check_record(options: Options, path: Path) -> None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudentError(f"{path}: no record of the student's base; run `python -m stages.base`") from error
    if any(record.get(key) != value for key, value in _pinned(options).items()):
        raise StudentError(f"{path}: is of {record.get('name')}, not {options.name}; run `python -m stages.base` again")
