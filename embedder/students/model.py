"""An existing model: a Hub id at a commit, or a local folder with a known content. Its weights are never copied."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from embedder.errors import StudentError
from embedder.files import write_json
from embedder.pretrained import Pretrained

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

RECORD = "record.json"


class Options(Pretrained):
    """A pretrained model to tune; its own weights are frozen, and the adapters to train are float32 always.

    Attributes:
        max_length: in tokens, prompt and special tokens included.
    """

    kind: Literal["model"]
    max_length: Annotated[int, Field(ge=8)]

    @property
    def origin(self) -> str:
        """The name, which an adapter's config repeats."""
        return f"{self.name} + {self.adapter.name}" if self.adapter else self.name


def build_base(options: Options, texts: Sequence[str], folder: Path) -> Mapping[str, object]:
    """Write `record.json`: what `options` pin, and a local folder's file hashes. A Hub id needs no network.

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
    write_json(folder / RECORD, record)
    return record


def load(options: Options, folder: Path, device: str) -> "SentenceTransformer":
    """Load the recorded model.

    Raises:
        StudentError: there is no record, or it is of another revision.
        ModelError: the model cannot be had, its folder's content has changed, or it has modules or a pooling other
            than `options` say.
    """
    from embedder.pretrained import loading

    _check_record(options, folder / RECORD)
    return loading.load(options, options.max_length, device, _what(options), flash=False)


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
