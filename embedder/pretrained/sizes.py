"""How large a model is and in which dtypes, read off its files without loading it."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from embedder.errors import ModelError

# Of BERT, Mistral and Qwen, GPT-2, T5.
_EMBEDDINGS = ("embeddings.", "embed_tokens.", "wte.", "wpe.", "shared.")


def parameters(folder: Path) -> int:
    """Count the numbers in a transformer's weights, embeddings left out: no text is multiplied with those.

    Raises:
        ModelError: a file is no safetensors.
    """
    found = 0
    for path in sorted(folder.glob("*.safetensors")):
        with _headers(path) as tensors:
            names = [name for name in tensors.keys() if not any(part in name for part in _EMBEDDINGS)]  # noqa: SIM118 - no mapping
            found += sum(prod(tensors.get_slice(name).get_shape()) for name in names)
    return found


def dtypes(folder: Path) -> set[str]:
    """Return the dtypes of the numbers in a folder's weights as safetensors calls them: F32, BF16.

    Raises:
        ModelError: a file is no safetensors.
    """
    found: set[str] = set()
    for path in sorted(folder.glob("*.safetensors")):
        with _headers(path) as tensors:
            found |= {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118 - no mapping
    return found


@contextmanager
def _headers(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            yield tensors
    except SafetensorError as error:
        raise ModelError(f"{path}: no readable safetensors ({error}); save or download the model again") from error
