"""How large a student is: the linear layers that its tokens go through, from a table, its options or its files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedder.errors import ModelError
from embedder.params.base import Model
from embedder.pretrained import is_local
from embedder.pretrained.sizes import tensors

Sides = tuple[int, int]


@dataclass(frozen=True)
class Linear:
    """A linear layer: its name in the model, which adapters go by, and the sizes of both sides."""

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
        return sum(one.inputs * one.outputs for one in self.linear)

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
    attention = {f"attention.{name}_lin": (hidden, hidden) for name in ("q", "k", "v", "out")}
    two = {"ffn.lin1": (hidden, 4 * hidden), "ffn.lin2": (4 * hidden, hidden)}
    linear = _blocks("transformer.layer", layers, attention | two)
    norms = 2 * hidden + layers * 4 * hidden
    biases = sum(one.outputs for one in linear)
    return Shape(linear, (vocabulary + length) * hidden + norms + biases, layers * hidden, causal=False)


def _blocks(prefix: str, layers: int, block: Mapping[str, Sides]) -> tuple[Linear, ...]:
    """The linear layers of so many equal blocks."""
    return tuple(Linear(f"{prefix}.{number}.{name}", *block[name]) for number in range(layers) for name in block)


def _gated(layers: int, hidden: int, heads: int, keys: int, inner: int, total: int, *, causal: bool = True) -> Shape:
    """Mistral's architecture and its kin; `heads` and `keys` are numbers of outputs, `total` counts all parameters."""
    block = {
        "self_attn.q_proj": (hidden, heads),
        "self_attn.k_proj": (hidden, keys),
        "self_attn.v_proj": (hidden, keys),
        "self_attn.o_proj": (heads, hidden),
        "mlp.gate_proj": (hidden, inner),
        "mlp.up_proj": (hidden, inner),
        "mlp.down_proj": (inner, hidden),
    }
    return _with_total(_blocks("layers", layers, block), total, layers * heads, causal=causal)


def _with_total(linear: tuple[Linear, ...], total: int, attention: int, *, causal: bool) -> Shape:
    weights = sum(one.inputs * one.outputs for one in linear)
    return Shape(linear, total - weights, attention, causal)


def _bert(layers: int, hidden: int, total: int) -> Shape:
    block = {f"attention.self.{name}": (hidden, hidden) for name in ("query", "key", "value")} | {
        "attention.output.dense": (hidden, hidden),
        "intermediate.dense": (hidden, 4 * hidden),
        "output.dense": (4 * hidden, hidden),
    }
    return _with_total(_blocks("encoder.layer", layers, block), total, layers * hidden, causal=False)


def _modern_bert(layers: int, hidden: int, inner: int, total: int) -> Shape:
    block = {
        "attn.Wqkv": (hidden, 3 * hidden),
        "attn.Wo": (hidden, hidden),
        "mlp.Wi": (hidden, 2 * inner),
        "mlp.Wo": (inner, hidden),
    }
    return _with_total(_blocks("layers", layers, block), total, layers * hidden, causal=False)


def _read(folder: Path, *, causal: bool) -> Shape:
    """Read a shape off a folder's config and the headers of its weights."""
    found = list(tensors(folder))
    linear = tuple(Linear(one.name.removesuffix(".weight"), *reversed(one.form)) for one in found if one.linear)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable config.json ({error}); download the model again") from error
    layers = config.get("num_hidden_layers") or config.get("n_layers") or 0
    heads = config.get("num_attention_heads") or config.get("n_heads") or 0
    width = (
        heads * config["head_dim"] if config.get("head_dim") else config.get("hidden_size") or config.get("dim") or 0
    )
    return _with_total(linear, sum(one.size for one in found), layers * width, causal=causal)


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
