"""A model with a vector for each token (ColBERT and its kin), over the best of another teacher."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from embedder.pairs import local
from embedder.pairs.local import stored
from embedder.pairs.stored import Floats
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Corpus
from embedder.teachers.encoded_pairs import EncoderOptions, Side, encode, paired, reading, sides
from embedder.teachers.rescoring import Rescored

if TYPE_CHECKING:
    import torch
    from sentence_transformers import MultiVectorEncoder


class Options(EncoderOptions):
    """A MultiVectorEncoder; its prompts are mostly markers: "[Q] " and "[D] "."""

    kind: Literal["multi-vector"]


class Pairs:
    """A loaded MultiVectorEncoder."""

    def __init__(self, model: "MultiVectorEncoder", query: Side, passage: Side) -> None:
        self._model, self._query, self._passage = model, query, passage

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the scores of consecutive pairs, unit by unit: the model's own similarity, MaxSim as a rule.

        MaxSim is the sum, over a query's tokens, of the largest similarity to a token of the passage (Khattab and
        Zaharia 2020, arXiv 2004.12832).
        """
        encoders = (partial(self._encode, self._query), partial(self._encode, self._passage))
        return paired(queries, passages, encoders, self._similarity)

    def _encode(self, side: Side, texts: list[str]) -> list["torch.Tensor"]:
        return encode(self._model, side, texts, lambda vectors: [one.float() for one in vectors])

    def _similarity(self, query: "torch.Tensor", passage: "torch.Tensor") -> float:
        # One pair at a time: products of what is padded to a batch's longest may be rounded otherwise.
        return float(self._model.similarity_pairwise([query], [passage])[0])


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Rescored:
    """Return the teacher; first teacher and model are loaded when it is asked."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of multi-vector: {options!r}")
    both = sides(options, corpus)
    scores = stored(options, reading(*both), runtime, lambda device: load(options, device, *both))
    return Rescored(options, corpus, runtime, scores)


def load(options: Options, device: str, query: Side, passage: Side) -> Pairs:
    """Load the model.

    Raises:
        ModelError: it cannot be had or loaded, or is no multi-vector model.
    """
    from sentence_transformers import MultiVectorEncoder

    model = local.load(
        options, MultiVectorEncoder, device, ("MultiVectorEncoder", "ColBERT"), ("HF_ColBERT", "ForRetrieval")
    )
    return Pairs(model, query, passage)
