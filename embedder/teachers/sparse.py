"""A model with a weight for each word of its vocabulary (SPLADE and its kin), over the best of another teacher."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedder.pairs import local
from embedder.pairs.local import stored
from embedder.pairs.stored import Floats, Ints
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Corpus
from embedder.teachers.encoded_pairs import EncoderOptions, Side, encode, paired, reading, sides
from embedder.teachers.rescoring import Rescored

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SparseEncoder


class Options(EncoderOptions):
    """A SparseEncoder."""

    kind: Literal["sparse"]


class Weights(NamedTuple):
    """A text: the dimensions that are not zero, ascending, and their values."""

    dimensions: Ints
    values: NDArray[np.float64]


class Pairs:
    """A loaded SparseEncoder."""

    def __init__(self, model: "SparseEncoder", query: Side, passage: Side) -> None:
        self._model, self._query, self._passage = model, query, passage

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the inner products of consecutive pairs, unit by unit."""
        encoders = (partial(self._encode, self._query), partial(self._encode, self._passage))
        return paired(queries, passages, encoders, inner_product)

    def _encode(self, side: Side, texts: list[str]) -> list[Weights]:
        return encode(self._model, side, texts, _weights, convert_to_sparse_tensor=False, save_to_cpu=True)


def inner_product(query: Weights, passage: Weights) -> float:
    """Multiply what both have, in float64 and in the order of dimensions."""
    _, left, right = np.intersect1d(query.dimensions, passage.dimensions, assume_unique=True, return_indices=True)
    return float((query.values[left] * passage.values[right]).sum())


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Rescored:
    """Return the teacher; first teacher and model are loaded when it is asked."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of sparse: {options!r}")
    both = sides(options, corpus)
    scores = stored(options, reading(*both), runtime, lambda device: load(options, device, *both))
    return Rescored(options, corpus, runtime, scores)


def load(options: Options, device: str, query: Side, passage: Side) -> Pairs:
    """Load the model.

    Raises:
        ModelError: it cannot be had or loaded, or is no sparse model.
    """
    from sentence_transformers import SparseEncoder

    model = local.load(options, SparseEncoder, device, ("SparseEncoder",), ("ForMaskedLM",))
    return Pairs(model, query, passage)


def _weights(vectors: "Sequence[torch.Tensor]") -> list[Weights]:
    values = [vector.double().numpy() for vector in vectors]
    return [Weights(np.flatnonzero(one), one[np.flatnonzero(one)]) for one in values]
