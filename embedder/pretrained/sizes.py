"""How large a model is, read off its files without loading it."""

from math import prod
from pathlib import Path

from embedder.errors import ModelError

# Of BERT, Mistral and Qwen, GPT-2, T5.
_EMBEDDINGS = ("embeddings.", "embed_tokens.", "wte.", "wpe.", "shared.")


def parameters(folder: Path) -> int:
    """Count the numbers in a transformer's weights, embeddings left out: no text is multiplied with those.

    Raises:
        ModelError: a file is no safetensors.
    """
    from safetensors import SafetensorError, safe_open

    found = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as tensors:
                names = [name for name in tensors.keys() if not any(part in name for part in _EMBEDDINGS)]  # noqa: SIM118 - no mapping
                found += sum(prod(tensors.get_slice(name).get_shape()) for name in names)
        except SafetensorError as error:
            raise ModelError(f"{path}: no readable safetensors ({error}); save or download the model again") from error
    return found
