"""An existing model: a Hub id at a commit, or a local folder with a known content. Its weights are never copied."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from embedder.errors import StudentError
from embedder.files import write_json
from embedder.params.base import Model
from embedder.revisions import content_hash, file_hashes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer

RECORD = "record.json"
# What sentence-transformers calls them.
POOLINGS = {"cls": "cls", "mean": "mean", "last_token": "lasttoken"}
_KNOWN_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
_COMMIT = 40

Text = Annotated[str, Field(min_length=1)]


class Options(Model):
    """What is loaded, and how it reads a text.

    Attributes:
        name: a Hub id, or a local folder.
        revision: the commit of a Hub id (40 hex), or the content hash of a folder (64 hex, `embedder.revisions`).
        licence: of the weights.
        pooling: what the vector is read off.
        query_prompt: what stands before a query; `{instruction}` in it is the dataset's.
        passage_prompt: what stands before a passage.
        dtype: of the frozen base; adapters are float32 always.
        normalise: whether the tuned model ends with a Normalize module.
        max_length: in tokens, prompt and special tokens included.
        add_eos: make the tokenizer put BOS first and EOS last. E5-mistral and its kin need it: their config says so,
            but transformers 5 obeys tokenizer.json, which does not.
    """

    kind: Literal["model"]
    name: Text
    revision: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
    licence: Text
    pooling: Literal["cls", "mean", "last_token"]
    query_prompt: str
    passage_prompt: str
    dtype: Literal["float32", "bfloat16", "float16"]
    normalise: bool
    max_length: Annotated[int, Field(ge=8)]
    add_eos: bool

    @property
    def origin(self) -> str:
        """The name, which an adapter's config repeats."""
        return self.name


def build_base(options: Options, texts: Sequence[str], folder: Path) -> Mapping[str, object]:
    """Write `record.json`: name, revision and licence, and a local folder's file hashes. A Hub id needs no network.

    Args:
        options: the model.
        texts: not used: the model exists.
        folder: an existing folder.

    Raises:
        StudentError: a local folder is missing, or its content is not that of `revision`.
    """
    del texts
    hashes = _checked_hashes(options) if _is_local(options) else {}
    record = {"name": options.name, "revision": options.revision, "licence": options.licence, "files": hashes}
    write_json(folder / RECORD, record)
    return record


def load(options: Options, folder: Path, device: str) -> "SentenceTransformer":
    """Load the recorded model: safetensors only, no remote code, nothing but the pinned revision.

    Raises:
        StudentError: there is no record or it is of another revision, the model cannot be had, its folder's content
            has changed, or it has modules or a pooling other than `options` say.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    _check_record(options, folder / RECORD)
    path = _local(options) if _is_local(options) else _download(options)
    _check_modules(options, path)
    transformer = _transformer(options, path)
    modules = [transformer, Pooling(transformer.get_embedding_dimension(), POOLINGS[options.pooling])]
    return SentenceTransformer(modules=[*modules, Normalize()] if options.normalise else modules, device=device)


def _is_local(options: Options) -> bool:
    return len(options.revision) != _COMMIT


def _checked_hashes(options: Options) -> dict[str, str]:
    path = Path(options.name)
    if not path.is_dir():
        raise StudentError(f"student '{options.name}': no such folder; a Hub id has a commit of 40 hex as revision")
    hashes = file_hashes(path)
    if content_hash(hashes) != options.revision:
        raise StudentError(
            f"student '{options.name}': its content hash is {content_hash(hashes)}, not revision {options.revision}; "
            "write the hash you mean into params.yaml"
        )
    return hashes


def _local(options: Options) -> Path:
    _checked_hashes(options)
    return Path(options.name)


def _download(options: Options) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(options.name, revision=options.revision, allow_patterns=list(_FILES)))
    except Exception as error:
        # The Hub's client raises errors of half a dozen libraries.
        reason = str(error).strip().partition("\n")[0]
        raise StudentError(
            f"student '{options.name}' at {options.revision} cannot be had from the Hub ({reason}); "
            "check the id and the network, or name a local folder"
        ) from error


def _check_record(options: Options, path: Path) -> None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudentError(f"{path}: no record of the student's base; run `python -m stages.base`") from error
    if (record.get("name"), record.get("revision")) != (options.name, options.revision):
        raise StudentError(f"{path}: is of {record.get('name')}, not {options.name}; run `python -m stages.base` again")


def _check_modules(options: Options, path: Path) -> None:
    """A folder that says how its vectors are made must say what `options` say, or the student is another model."""
    listing = path / "modules.json"
    if not listing.exists():
        return
    for module in json.loads(listing.read_text(encoding="utf-8")):
        kind = str(module["type"]).rpartition(".")[2]
        if kind not in _KNOWN_MODULES:
            raise StudentError(f"student '{options.name}': has a {kind} module, which kind 'model' does not build")
        if kind == "Pooling" and (found := _pooling(path / module["path"])) != POOLINGS[options.pooling]:
            raise StudentError(
                f"student '{options.name}': pools by {found}, not by {options.pooling}; correct `pooling`"
            )


def _pooling(folder: Path) -> str:
    from sentence_transformers.sentence_transformer.modules import Pooling

    config = Pooling.load_config(str(folder))
    mode = config.get("pooling_mode", "mean")
    return mode if isinstance(mode, str) else "+".join(mode)


def _transformer(options: Options, path: Path) -> "Transformer":
    import torch
    from sentence_transformers.sentence_transformer.modules import Transformer

    ends = {"add_bos_token": True, "add_eos_token": True} if options.add_eos else {}
    try:
        return Transformer(  # type: ignore[no-any-return]  # a decorator without types
            str(path),
            model_kwargs={"dtype": getattr(torch, options.dtype), "use_safetensors": True, "trust_remote_code": False},
            config_kwargs={"trust_remote_code": False},
            processor_kwargs={"model_max_length": options.max_length, "trust_remote_code": False, **ends},
        )
    except (OSError, ValueError, KeyError) as error:
        reason = re.sub(r"\s+", " ", str(error)).strip()
        raise StudentError(f"student '{options.name}': cannot be loaded from {path} ({reason})") from error
