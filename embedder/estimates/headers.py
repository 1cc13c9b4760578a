"""Names and forms of a model's weights, read off the headers of its files."""

from collections.abc import Iterator
from pathlib import Path

from embedder.errors import ModelError

# Of BERT, Mistral and Qwen, GPT-2, T5: looked up and not multiplied with.
_EMBEDDINGS = ("embeddings.", "embed_tokens.", "wte.", "wpe.", "shared.")
_MATRIX = 2


def tensors(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Yield name and form of each tensor of a folder's safetensors.

    Raises:
        ModelError: a file is no safetensors.
    """
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as found:
                yield from ((name, found.get_slice(name).get_shape()) for name in found.keys())  # noqa: SIM118 - no mapping
        except SafetensorError as error:
            raise ModelError(f"{path}: no readable safetensors ({error}); save or download the model again") from error


def is_linear(name: str, form: list[int]) -> bool:
    """Whether a tensor is the weight of a linear layer that tokens go through: no table, and no pooler's."""
    looked_up = any(part in name for part in _EMBEDDINGS)
    return len(form) == _MATRIX and name.endswith(".weight") and "pooler" not in name and not looked_up
