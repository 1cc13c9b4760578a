"""Load a pretrained model: safetensors only, no code of the model's, nothing but the pinned revision."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder.errors import ModelError
from embedder.pretrained import Adapter, Pretrained, is_local
from embedder.pretrained.adapters import merge
from embedder.pretrained.intact import intact
from embedder.pretrained.modules import POOLINGS, build, check_pooling, parts_of
from embedder.revisions import content_hash, file_hashes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer
    from torch import nn

_FLASH = "flash_attention_2"
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


def identity(options: Pretrained) -> dict[str, str]:
    """Say what fixes the weights: the commit of a Hub id, the content of a folder, wherever that lies."""
    found = _identity(options)
    if options.adapter:
        found |= {f"adapter_{key}": value for key, value in _identity(options.adapter).items()}
    return found


def check(options: Pretrained, what: str) -> dict[str, str]:
    """Compare local folders with their revisions; a Hub id needs no network and no check.

    Args:
        options: the model.
        what: the words before an error: "student 'x'".

    Returns:
        The SHA-256 of each file of the model's local folder; nothing of a Hub id.

    Raises:
        ModelError: a local folder is missing, or its content is not that of its revision.
    """
    if options.adapter and is_local(options.adapter):
        _checked_hashes(options.adapter, f"{what}: adapter '{options.adapter.name}'")
    return _checked_hashes(options, what) if is_local(options) else {}


def load(
    options: Pretrained, max_length: int | None, device: str, what: str, dtype: str | None = None, *, flash: bool = True
) -> "SentenceTransformer":
    """Load the model that `options` describe.

    Where its folder lists modules, all of them are built; elsewhere a Transformer and a Pooling. A Normalize ends it
    if and only if the entry says so.

    Args:
        options: the model.
        max_length: in tokens, prompt and special tokens included; None for the most that the model reads.
        device: a torch device: "cpu", "cuda".
        what: the words before an error: "student 'x'".
        dtype: of the weights; None for the entry's.
        flash: whether attention may be padding-free where `attention` says so; a model to tune is padded.

    Raises:
        ModelError: the model or its adapter cannot be had, is not of its revision, has no safetensors, lacks weights,
            or has modules or a pooling other than `options` say.
    """
    from sentence_transformers import SentenceTransformer

    dtype = dtype or options.dtype
    path = folder_of(options, what)
    check_pooling(path, options.pooling, what)
    weights: dict[str, Any] = {"dtype": "float32" if options.adapter else dtype}
    if flash and attention(device, dtype) == _FLASH:
        weights["attn_implementation"] = _FLASH
    transformer = _transformer(path, options, max_length, weights, what)
    if options.adapter:
        adapter = folder_of(options.adapter, f"{what}: adapter '{options.adapter.name}'")
        transformer.model = merge(transformer.model, adapter, what)
    modules = [transformer, *_heads(path, options, transformer.get_embedding_dimension(), what)]
    _cast(modules, dtype)
    return SentenceTransformer(modules=modules, device=device)


def attention(device: str, dtype: str) -> str:
    """Return what computes attention in encoding: padding-free where there is a GPU, flash-attn and a 16-bit dtype."""
    has = device.startswith("cuda") and dtype != "float32" and importlib.util.find_spec("flash_attn") is not None
    return _FLASH if has else "sdpa"


def _identity(named: Pretrained | Adapter) -> dict[str, str]:
    return {"content": named.revision} if is_local(named) else {"name": named.name, "revision": named.revision}


def folder_of(named: Pretrained | Adapter, what: str) -> Path:
    """Return where the files of a model or an adapter lie, downloaded if need be.

    Raises:
        ModelError: it cannot be had, or is not of its revision.
    """
    if is_local(named):
        _checked_hashes(named, what)
        return Path(named.name)
    return _download(named, what)


def _checked_hashes(named: Pretrained | Adapter, what: str) -> dict[str, str]:
    path = Path(named.name)
    if not path.is_dir():
        raise ModelError(f"{what}: no such folder: {path}; a Hub id has a commit of 40 hex as revision")
    hashes = file_hashes(path)
    if content_hash(hashes) != named.revision:
        raise ModelError(
            f"{what}: its content hash is {content_hash(hashes)}, not revision {named.revision}; "
            "write the hash you mean into params.yaml"
        )
    return hashes


def _download(named: Pretrained | Adapter, what: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(named.name, revision=named.revision, allow_patterns=list(_FILES)))
    except Exception as error:
        # The Hub's client raises errors of half a dozen libraries.
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{what}: {named.name} at {named.revision} cannot be had from the Hub ({reason}); "
            "check the id and the network, or name a local folder"
        ) from error


def _transformer(
    path: Path, options: Pretrained, max_length: int | None, weights: dict[str, Any], what: str
) -> "Transformer":
    from sentence_transformers.sentence_transformer.modules import Transformer

    parts = parts_of(path, what)
    folder = path / parts[0].folder if parts else path
    if (folder / "adapter_config.json").exists():
        # The library would fetch its base from the Hub, at whatever revision.
        raise ModelError(f"{what}: is an adapter; name its base, and the adapter under `adapter`")
    tokenizer: dict[str, Any] = {"add_bos_token": True, "add_eos_token": True} if options.add_eos else {}
    if max_length:
        tokenizer["model_max_length"] = max_length
    with intact(path, what):
        return Transformer(  # type: ignore[no-any-return]  # a decorator without types
            str(folder),
            model_kwargs={**weights, "use_safetensors": True, "trust_remote_code": False},
            config_kwargs={"trust_remote_code": False},
            processor_kwargs={**tokenizer, "trust_remote_code": False},
            do_lower_case=_lower_case(folder),
        )


def _lower_case(folder: Path) -> bool:
    """Old models say in the library's config, and nowhere else, that their tokenizer must lower the case."""
    written = folder / "sentence_bert_config.json"
    return written.exists() and json.loads(written.read_text(encoding="utf-8")).get("do_lower_case") is True


def _heads(path: Path, options: Pretrained, dimensions: int, what: str) -> "list[nn.Module]":
    """What comes after the Transformer."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    parts = parts_of(path, what)
    if parts:
        modules = [build(path, part, what) for part in parts[1:]]
    else:
        modules = [Pooling(dimensions, POOLINGS[options.pooling])]
    while isinstance(modules[-1], Normalize):
        modules.pop()
    return [*modules, Normalize()] if options.normalise else modules


def _cast(modules: "list[Any]", dtype: str) -> None:
    """Cast the weights alone: a rotary embedding's frequencies stay in float32, as they do where nothing is cast."""
    import torch

    for module in modules:
        for parameter in module.parameters():
            parameter.data = parameter.data.to(getattr(torch, dtype))
