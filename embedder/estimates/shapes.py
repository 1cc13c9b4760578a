"""How large a student is: the linear layers that its tokens go through, from a table, its options or its files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from embedder.errors import ModelError
from embedder.estimates.headers import is_linear, tensors
from embedder.params.base import Model
from embedder.pretrained import is_local


@dataclass(frozen=True)
class Linear:
    """Linear layers of one form: how many there are, the last part of their name, and the sizes of both sides."""

    count: int
    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Shape:
    """A transformer as far as its cost goes.

    Attributes:
        linear: the layers whose weights every token is multiplied with.
        others: parameters that no token is multiplied with: embeddings, norms, biases, heads after pooling.
        attention: layers x heads x size of a head.
        causal: whether a token attends to those before it alone, which halves attention.
    """

    linear: tuple[Linear, ...]
    others: int
    attention: int
    causal: bool

    @property
    def weights(self) -> int:
        """Parameters that every token is multiplied with."""
        return sum(one.count * one.inputs * one.outputs for one in self.linear)

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.weights + self.others


def shape_of(options: Model) -> Shape | None:
    """Return a student's shape; None where nobody knows it before its files are here.

    Args:
        options: the student's entry under `model` in params.yaml.

    Raises:
        ModelError: its files are no safetensors.
    """
    found: Any = options
    if found.kind == "offline":
        return offline(found.layers, found.hidden, found.vocabulary, found.max_length)
    if found.name in KNOWN:
        return KNOWN[found.name]
    folder = folder_of(options)
    return None if folder is None else _read(folder, causal=found.pooling == "last_token")


def folder_of(options: Model) -> Path | None:
    """Return where a model's files lie on this machine, without asking any network; None where they do not."""
    from huggingface_hub import try_to_load_from_cache

    found: Any = options
    if is_local(found):
        return Path(found.name) if Path(found.name).is_dir() else None
    config = try_to_load_from_cache(found.name, "config.json", revision=found.revision)
    return Path(config).parent if isinstance(config, str) else None


def offline(layers: int, hidden: int, vocabulary: int, length: int) -> Shape:
    """The shape of the offline student; its vocabulary is at most so large."""
    linear = (*_square(layers, ("q_lin", "k_lin", "v_lin", "out_lin"), hidden), *_two(layers, hidden, 4 * hidden))
    norms = 2 * hidden + layers * 4 * hidden
    biases = sum(one.count * one.outputs for one in linear)
    return Shape(linear, (vocabulary + length) * hidden + norms + biases, layers * hidden, causal=False)


def _square(layers: int, names: tuple[str, ...], hidden: int) -> Iterator[Linear]:
    yield from (Linear(layers, name, hidden, hidden) for name in names)


def _two(layers: int, hidden: int, inner: int) -> Iterator[Linear]:
    yield from (Linear(layers, "lin1", hidden, inner), Linear(layers, "lin2", inner, hidden))


def _gated(layers: int, hidden: int, heads: int, keys: int, inner: int, total: int, *, causal: bool = True) -> Shape:
    """Mistral's architecture and its kin; `heads` and `keys` are numbers of outputs, `total` counts all parameters."""
    linear = (
        Linear(layers, "q_proj", hidden, heads),
        Linear(2 * layers, "k_proj", hidden, keys),
        Linear(layers, "o_proj", heads, hidden),
        Linear(2 * layers, "up_proj", hidden, inner),
        Linear(layers, "down_proj", inner, hidden),
    )
    return _with_total(linear, total, layers * heads, causal=causal)


def _with_total(linear: tuple[Linear, ...], total: int, attention: int, *, causal: bool) -> Shape:
    weights = sum(one.count * one.inputs * one.outputs for one in linear)
    return Shape(linear, total - weights, attention, causal)


def _bert(layers: int, hidden: int, total: int) -> Shape:
    linear = (*_square(layers, ("query", "key", "value", "dense"), hidden), *_two(layers, hidden, 4 * hidden))
    return _with_total(linear, total, layers * hidden, causal=False)


def _modern_bert(layers: int, hidden: int, inner: int, total: int) -> Shape:
    linear = (
        Linear(layers, "Wqkv", hidden, 3 * hidden),
        Linear(layers, "Wo", hidden, hidden),
        Linear(layers, "Wi", hidden, 2 * inner),
        Linear(layers, "Wo", inner, hidden),
    )
    return _with_total(linear, total, layers * hidden, causal=False)


def _read(folder: Path, *, causal: bool) -> Shape:
    """Read a shape off a folder's config and the headers of its weights."""
    found = list(tensors(folder))
    linear = tuple(Linear(1, name.split(".")[-2], *reversed(form)) for name, form in found if is_linear(name, form))
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable config.json ({error}); download the model again") from error
    layers = config.get("num_hidden_layers") or config.get("n_layers") or 0
    heads = config.get("num_attention_heads") or config.get("n_heads") or 0
    width = (
        heads * config["head_dim"] if config.get("head_dim") else config.get("hidden_size") or config.get("dim") or 0
    )
    return _with_total(linear, sum(prod(form) for _, form in found), layers * width, causal=causal)


_MISTRAL = _gated(32, 4_096, 4_096, 1_024, 14_336, 7_110_660_096)

# Of the students in params.yaml, which a forecast need not download.
KNOWN = {
    "intfloat/e5-mistral-7b-instruct": _MISTRAL,
    "mistralai/Mistral-7B-v0.1": _MISTRAL,
    "BAAI/bge-base-en-v1.5": _bert(12, 768, 109_482_240),
    "Qwen/Qwen3-Embedding-0.6B": _gated(28, 1_024, 2_048, 1_024, 3_072, 595_776_512),
    "Alibaba-NLP/gte-modernbert-base": _modern_bert(22, 768, 1_152, 149_014_272),
    "google/embeddinggemma-300m": _gated(24, 768, 768, 256, 1_152, 307_581_696, causal=False),
}
