"""A model and how it reads: vectors come from the store, and the model is loaded only for texts it never read."""

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from embedder import layout
from embedder.errors import TeacherError
from embedder.params.runtime import Runtime
from embedder.pretrained import Pretrained
from embedder.progress import meter, say
from embedder.vectors.filling import UNIT_CHARACTERS, fill
from embedder.vectors.store import Space
from embedder.vectors.stored import stored

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


# How many texts are sorted by length together.
_WINDOW = 65_536
# A prompt must leave so many tokens to the text.
_LEAST_LEFT = 8
# Units are sized for a model of so many parameters on a CPU.
_BASE_PARAMETERS = 86_000_000
_LEAST_CHARACTERS = 2**14
# To be raised when a change of encoding, padding or pretrained changes a vector: the store would give the old ones.
_READING = 1
# Whose versions may change a vector.
_PACKAGES = ("tokenizers", "torch", "transformers", "sentence-transformers")


class Readings:
    """The vectors that one model makes of texts."""

    def __init__(
        self, options: Pretrained, runtime: Runtime, what: str, *, parameters: int, dtype: str | None = None
    ) -> None:
        self._options, self._runtime, self._what, self._parameters = options, runtime, what, parameters
        self._dtype = dtype or options.dtype

    @cached_property
    def device(self) -> str:
        """The torch device that the model runs on."""
        from embedder import devices

        return devices.configure(self._runtime)

    @cached_property
    def _model(self) -> "SentenceTransformer":
        from embedder.pretrained.loading import load

        return load(self._options, None, self.device, self._what, self._dtype)

    def space(self, prompt: str, max_length: int) -> Space:
        """Return where the vectors lie of texts that are read after `prompt`, cut to `max_length` tokens."""
        return Space(layout.VECTORS, self._facts(prompt, max_length), self._stored_dtype)

    def stored(self, texts: Iterable[str], prompt: str, max_length: int) -> int:
        """Count the distinct `texts` whose vectors are there; makes no space, writes nothing, loads no model."""
        return stored(layout.VECTORS, self._facts(prompt, max_length), self._stored_dtype, texts)

    @property
    def _stored_dtype(self) -> Literal["float32", "float16"]:
        """Half as many bytes for vectors whose own noise is larger than what the rounding adds."""
        return "float32" if self._dtype == "float32" else "float16"

    def _facts(self, prompt: str, max_length: int) -> dict[str, object]:
        from embedder.pretrained.loading import attention, identity

        options = self._options
        return {
            "model": identity(options),
            "pooling": options.pooling,
            "normalise": options.normalise,
            "add_eos": options.add_eos,
            "dtype": self._dtype,
            "prompt": prompt,
            "max_length": max_length,
            "device": self.device.partition(":")[0],
            "attention": attention(self.device, self._dtype),
            "reading": _READING,
            "versions": {name: version(name) for name in self._packages()},
        }

    def _packages(self) -> Iterator[str]:
        from embedder.pretrained.loading import attention

        yield from _PACKAGES
        if self._options.adapter:
            yield "peft"
        if attention(self.device, self._dtype) != "sdpa":
            yield "flash-attn"

    def release(self) -> None:
        """Forget the model, so that its memory is free for what comes next; it is loaded again when it is needed."""
        if self.__dict__.pop("_model", None) is not None and self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def fill(self, texts: Collection[str], prompt: str, max_length: int, what: str) -> Space:
        """Have the vectors of `texts` in their space; whoever calls this holds the store's lock."""
        from embedder import encoding

        space, normalise = self.space(prompt, max_length), self._options.normalise
        with meter(len(texts), f"{what}: texts", self._runtime.log_interval) as shown:

            def encode(part: list[str]) -> NDArray[np.float32]:
                self._check_prompt(prompt, max_length)
                return encoding.encode(self._model, part, prompt, max_length, normalise=normalise, done=shown.more)

            encoded = fill(space, texts, encode, _WINDOW, stored=shown.skip, unit_characters=self._unit_characters())
        say(f"{what}: {encoded:,} texts encoded, {len(texts) - encoded:,} from the store")
        return space

    def _check_prompt(self, prompt: str, max_length: int) -> None:
        from embedder import encoding

        taken = len(encoding.tokenize(self._model, [prompt])[0])
        read = min(max_length, self._model.max_seq_length or max_length)
        if taken + _LEAST_LEFT > read:
            raise TeacherError(
                f"{self._what}: its prompt takes {taken} of {read} tokens, which leaves nothing of a text; raise "
                "query_length and passage_length, or shorten the prompt or the dataset's instruction"
            )

    def _unit_characters(self) -> int:
        """A unit is some minutes of work, on a CPU with a model of billions of weights too."""
        if self.device != "cpu":
            return UNIT_CHARACTERS
        return max(_LEAST_CHARACTERS, min(UNIT_CHARACTERS, UNIT_CHARACTERS * _BASE_PARAMETERS // self._parameters))
