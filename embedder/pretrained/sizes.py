"""How large a model is and in which dtypes, read off the headers of its files without loading it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from embedder.errors import ModelError

# Of BERT, Mistral and Qwen, GPT-2, T5: looked up and not multiplied with.
_EMBEDDINGS = ("embeddings.", "embed_tokens.", "wte.", "wpe.", "shared.")
# Of models that guess words, and of BERT's: no vector comes of them, and none is loaded for one.
_HEADS = ("lm_head.", "cls.")
_MATRIX = 2


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file: its name, the sizes of its sides, and its dtype as safetensors calls it: F32, BF16."""

    name: str
    form: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return prod(self.form)

    @property
    def looked_up(self) -> bool:
        """Whether it is a table that no text is multiplied with."""
        return any(part in self.name for part in _EMBEDDINGS)

    @property
    def linear(self) -> bool:
        """Whether it is the weight of a linear layer that every token goes through: no table, and no pooler's."""
        weighs = len(self.form) == _MATRIX and self.name.endswith(".weight")
        return weighs and "pooler" not in self.name.split(".") and not self.looked_up


def tensors(folder: Path) -> Iterator[Tensor]:
    """Yield the tensors of a folder's safetensors, but those of a head that guesses words.

    Raises:
        ModelError: a file is no safetensors.
    """
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                slices = ((name, file.get_slice(name)) for name in file.keys() if not name.startswith(_HEADS))  # noqa: SIM118 - no mapping
                yield from (Tensor(name, tuple(one.get_shape()), one.get_dtype()) for name, one in slices)
        except SafetensorError as error:
            raise ModelError(f"{path}: no readable safetensors ({error}); save or download the model again") from error


def parameters(folder: Path) -> int:
    """Count the numbers in a transformer's weights, embeddings left out: no text is multiplied with those.

    Raises:
        ModelError: a file is no safetensors.
    """
    return sum(one.size for one in tensors(folder) if not one.looked_up)


def dtypes(folder: Path) -> set[str]:
    """Return the dtypes of the numbers in a folder's weights as safetensors calls them: F32, BF16.

    Raises:
        ModelError: a file is no safetensors.
    """
    return {one.dtype for one in tensors(folder)}
