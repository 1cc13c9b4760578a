"""A model that lies in a folder becomes a teacher: copied to where nothing deletes it, and named in params.yaml."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder import files, layout
from embedder.errors import ModelError, ParamsError
from embedder.params.editing import with_teacher
from embedder.params.load import Params, parse, read, student_of
from embedder.pretrained import Pretrained
from embedder.pretrained.modules import normalises, parts_of, pooling_of
from embedder.pretrained.sizes import dtypes, parameters
from embedder.revisions import content_hash, file_hashes

if TYPE_CHECKING:
    from embedder.params.base import Model

_HASH = 12
# Loading them runs what somebody put there.
_CODE = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".py")
_BUILT_HERE = "built here; the licences of its training data apply"
_MOST_TOKENS = 2**20


@dataclass(frozen=True)
class Reading:
    """How a model reads: its prompts, its lengths in tokens, and the licence of its weights."""

    query_prompt: str
    passage_prompt: str
    query_length: int
    passage_length: int
    licence: str | None


@dataclass(frozen=True)
class Promoted:
    """What `promote` wrote: where the model lies now, its entry, and whether params.yaml is another."""

    folder: Path
    entry: Mapping[str, Any]
    changed: bool


def promote(source: Path, name: str, given: Mapping[str, str], *, replace: bool) -> Promoted:
    """Copy a sentence-transformers folder to `models/NAME-HASH12` and write the entry `teachers.NAME`.

    Args:
        source: the folder.
        name: the teacher's name.
        given: what overrides the folder: query_prompt, passage_prompt, licence.
        replace: whether another entry of that name may go.

    Raises:
        ParamsError: params.yaml is wrong, or would be with the entry; nothing was written.
        ModelError: the folder is no such model, or holds code, or does not load; nothing was written.
    """
    text = read()
    params = parse(text)
    revision = content_hash(_checked(source))
    folder = layout.MODELS / f"{name}-{revision[:_HASH]}"
    entry = entry_of(source, folder, revision, _reading(source, params), given)
    new = with_teacher(text, name, entry, replace=replace)
    _check_same_but(parse(new), params, name)
    _copy(source, folder, revision)
    if new != text:
        _write(layout.PARAMS, new)
    return Promoted(folder, entry, new != text)


def entry_of(source: Path, folder: Path, revision: str, reading: Reading, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the entry of a folder that will lie at `folder`, its keys in the order in which they are written.

    Raises:
        ModelError: it has modules or a pooling that no teacher has, or does not load.
        ParamsError: nobody said its licence.
    """
    what = str(source)
    transformer = source / parts_of(source, what)[0].folder
    licence = given.get("licence", reading.licence)
    if licence is None:
        raise ParamsError(f"{source}: nobody knows the licence of its weights; give --licence")
    reads = {
        "name": folder.as_posix(),
        "revision": revision,
        "adapter": None,
        "licence": licence,
        "pooling": pooling_of(source, what),
        "query_prompt": given.get("query_prompt", reading.query_prompt),
        "passage_prompt": given.get("passage_prompt", reading.passage_prompt),
        "query_length": reading.query_length,
        "passage_length": reading.passage_length,
        "dtype": "bfloat16" if dtypes(transformer) == {"BF16"} else "float32",
        "normalise": normalises(source, what),
        # The tokenizer was saved as it works.
        "add_eos": False,
    }
    return {
        "kind": "dense",
        **reads,
        "dimensions": dimensions(source, reads),
        "parameters": parameters(transformer),
        "index": {"kind": "exact"},
        "agreement_sample": 0,
    }


def dimensions(source: Path, model: Mapping[str, Any]) -> int:
    """Load a model as mining will, read a text with it, and return how long its vectors are. Imports torch.

    Raises:
        ModelError: it cannot be loaded, pools in a way that no teacher does, or reads its vectors off the last token
            and ends no text with its end token.
    """
    from pydantic import ValidationError

    from embedder import devices
    from embedder.encoding import encode
    from embedder.params.base import describe
    from embedder.params.runtime import Runtime
    from embedder.pretrained.loading import load

    fields = {key: model[key] for key in Pretrained.model_fields}
    try:
        options = Pretrained.model_validate({**fields, "name": str(source)})
    except ValidationError as error:
        raise ModelError(f"{source}: {describe(error)}") from error
    length = max(model["query_length"], model["passage_length"])
    loaded = load(options, length, devices.configure(Runtime(device="cpu")), str(source))
    return int(encode(loaded, ["A text to read."], model["query_prompt"], length).shape[1])


def _checked(source: Path) -> dict[str, str]:
    """Hash the files of a folder that holds weights and no code."""
    if not source.is_dir():
        raise ModelError(f"{source}: no such folder; a student is there after dvc repro base, or finetune")
    if not (source / "modules.json").is_file():
        raise ModelError(
            f"{source}: holds no modules.json, so nothing says how its vectors are made (a tuned student is "
            "data/finetune/model); of a plain transformers model write the entry by hand, see README"
        )
    hashes = file_hashes(source)
    if any(name.endswith("adapter_config.json") for name in hashes):
        raise ModelError(
            f"{source}: is an adapter on its base, and a teacher's folder must hold all weights; set finetune.merged: true "
            "and run finetune again, or write a teacher with `adapter` by hand, see README"
        )
    if code := [name for name in hashes if name.endswith(_CODE)]:
        raise ModelError(f"{source}: holds {code[0]}, which could run code; keep safetensors and remove the others")
    if not any(name.endswith(".safetensors") for name in hashes):
        raise ModelError(f"{source}: holds no safetensors; save the model with save_pretrained")
    return hashes


def _reading(source: Path, params: Params) -> Reading:
    """What the student of params says where the folder is its, else what the folder says itself."""
    own = {layout.MODEL.resolve(), layout.BASE_MODEL.resolve()}
    if source.resolve() in own:
        student = student_of(params)
        return _of_student(student.model, student.recipe.query_length, student.recipe.passage_length)
    prompts = _json(source / "config_sentence_transformers.json", {}).get("prompts") or {}
    length = _max_length(source)
    return Reading(
        query_prompt=prompts.get("query", ""),
        passage_prompt=prompts.get("document") or prompts.get("passage", ""),
        query_length=length,
        passage_length=length,
        licence=None,
    )


def _of_student(model: "Model", query_length: int, passage_length: int) -> Reading:
    return Reading(
        query_prompt=getattr(model, "query_prompt", ""),
        passage_prompt=getattr(model, "passage_prompt", ""),
        query_length=query_length,
        passage_length=passage_length,
        licence=getattr(model, "licence", _BUILT_HERE),
    )


def _max_length(source: Path) -> int:
    """The most tokens that the folder's files allow."""
    transformer = source / parts_of(source, str(source))[0].folder
    said = [
        _json(transformer / file, {}).get(key)
        for file, key in (
            ("sentence_bert_config.json", "max_seq_length"),
            ("tokenizer_config.json", "model_max_length"),
            ("config.json", "max_position_embeddings"),
        )
    ]
    # Tokenizers without a limit say a number of 30 digits.
    limits = [int(one) for one in said if isinstance(one, int | float) and one < _MOST_TOKENS]
    if not limits:
        raise ModelError(f"{source}: says no max_seq_length; write it into sentence_bert_config.json")
    return min(limits)


def _check_same_but(new: Params, params: Params, name: str) -> None:
    """The text was edited by lines: prove that the entry is all that changed."""
    teachers = {**params.teachers, name: new.teachers[name]}
    if new != params.model_copy(update={"teachers": teachers}):
        raise ParamsError(
            f"{layout.PARAMS}: no place was found for the entry of {name}; write `teachers` in block style"
        )


def _copy(source: Path, folder: Path, revision: str) -> None:
    """Copy what counts, whole or not at all; what links lead to, not links."""
    if folder.is_dir() and content_hash(file_hashes(folder)) == revision:
        return
    with files.replacing(folder) as draft:
        shutil.copytree(source, draft, ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)
        if content_hash(file_hashes(draft)) != revision:
            raise ModelError(f"{source}: changed while it was copied; run this again")


def _write(path: Path, text: str) -> None:
    """Put a text in the place of a file's, through links, whole or not at all."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.tmp")
    draft.write_bytes(text.encode())
    shutil.copymode(target, draft)
    draft.replace(target)


def _json(path: Path, default: object = None) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if default is not None:
            return default
        raise ModelError(f"{path}: is missing, so the model cannot be loaded") from error
    except ValueError as error:
        raise ModelError(f"{path}: is no JSON ({error})") from error
