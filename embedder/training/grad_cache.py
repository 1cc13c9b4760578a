"""Gradients of a loss over more texts than one forward pass holds (GradCache: Gao et al. 2021, arXiv 2101.06983).

The texts are encoded piece by piece without a graph; the loss is taken on all vectors, whose gradients are then sent
back through each piece, encoded again with its graph. What fits into memory keeps its graph and is encoded once.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

from embedder.encoding import forward
from embedder.padding import padded
from embedder.training.processes import Alone, Processes
from embedder.training.tokens import Ids, cut

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


_PIECES = 1_000_003


@dataclass(frozen=True)
class Pieces:
    """In which pieces a batch is encoded; tokens count padding.

    Attributes:
        tokens: the most of a piece that is encoded with its graph.
        cached_tokens: the most of one that is encoded without.
        kept_tokens: the most whose graphs are kept, so that they are not encoded again. On a CPU it changes no bit.
        dtype: in which the model computes under autocast: bfloat16; None for that of its weights.
    """

    tokens: int
    cached_tokens: int
    kept_tokens: int
    dtype: str | None = None


def backward(
    model: "SentenceTransformer",
    ids: Sequence[Ids],
    loss_of: "Callable[[Tensor], Tensor]",
    pieces: Pieces,
    *,
    processes: Processes | None = None,
    seed: int = 0,
) -> "tuple[Tensor, Tensor]":
    """Add the gradients of `loss_of` to the model's parameters, as if all texts had been encoded with one graph.

    Args:
        model: in training mode; its parameters decide what gets gradients.
        ids: the distinct texts, sorted by length; the same in every process.
        loss_of: from [texts, dimensions] vectors of length 1 in the order of `ids` to a scalar.
        pieces: how much is encoded at a time.
        processes: that share the texts; each ends with the whole gradients. None for this one alone.
        seed: of dropout, with the number of a piece: its two passes drop the same, whoever makes them.

    Returns:
        The loss, and the vectors, both without graph.
    """
    import torch

    together = processes or Alone()
    encoder = _Encoder(model, ids, pieces, seed)
    shares = [encoder.pieces[first :: together.count] for first in range(together.count)]
    own = shares[together.index]
    kept = encoder.kept(own)
    cached = encoder.cached(own[: len(own) - len(kept)])
    with_graph = {piece: encoder(piece, graph=True) for piece in kept}
    found = torch.cat([cached, *(vectors.detach() for vectors in with_graph.values())])
    leaf = _in_order(together.gather(found, [sum(map(len, share)) for share in shares]), shares).requires_grad_()
    loss = loss_of(leaf)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = cast("Tensor", leaf.grad)
    # Always from the last piece to the first, so that what memory there is changes no bit of the sums.
    for piece in reversed(own):
        vectors = with_graph.pop(piece) if piece in with_graph else encoder(piece, graph=True)
        vectors.backward(gradients[piece.start : piece.stop])  # type: ignore[no-untyped-call]
    together.add([_gradient(one) for one in model.parameters() if one.requires_grad])
    return loss.detach(), leaf.detach()


class _Encoder:
    """Encodes the pieces of a batch."""

    def __init__(self, model: "SentenceTransformer", ids: Sequence[Ids], pieces: Pieces, seed: int) -> None:
        self._model, self._ids, self._budget, self._seed = model, ids, pieces, seed
        self._pad = model.tokenizer.pad_token_id or 0
        self._drops = _drops(model)
        self.pieces = cut([len(one) for one in ids], pieces.tokens)
        self._numbers = {piece: number for number, piece in enumerate(self.pieces)}

    def __call__(self, piece: range, *, graph: bool) -> "Tensor":
        """Encode one: [texts, dimensions] float32."""
        import torch

        if self._drops:
            torch.manual_seed(self._seed * _PIECES + self._numbers[piece])
        texts = [self._ids[place] for place in piece]
        with torch.set_grad_enabled(graph), self._autocast():
            return forward(self._model, padded(texts, len(texts[-1]), self._pad))

    def kept(self, own: Sequence[range]) -> Sequence[range]:
        """The last pieces, as many as may keep their graphs."""
        tokens = list(accumulate(len(piece) * len(self._ids[piece[-1]]) for piece in reversed(own)))
        return own[len(own) - sum(one <= self._budget.kept_tokens for one in tokens) :]

    def cached(self, own: Sequence[range]) -> "Tensor":
        """Encode pieces without a graph: [texts, dimensions]; larger ones, where nothing is dropped."""
        import torch

        if not own:
            dimensions = self._model.get_embedding_dimension() or 0
            return torch.empty(0, dimensions, device=self._model.device)
        if self._drops or self._budget.cached_tokens <= self._budget.tokens:
            return torch.cat([self(piece, graph=False) for piece in own])
        places = [place for piece in own for place in piece]
        larger = cut([len(self._ids[place]) for place in places], self._budget.cached_tokens)
        return torch.cat([self._without([places[one] for one in part]) for part in larger])

    def _without(self, places: Sequence[int]) -> "Tensor":
        import torch

        texts = [self._ids[place] for place in places]
        with torch.no_grad(), self._autocast():
            return forward(self._model, padded(texts, len(texts[-1]), self._pad))

    def _autocast(self) -> Any:  # noqa: ANN401 - one of two context managers
        import torch

        if self._budget.dtype is None:
            return nullcontext()
        return torch.autocast(self._model.device.type, dtype=getattr(torch, self._budget.dtype))


def _drops(model: "SentenceTransformer") -> bool:
    """Whether two passes of a text differ."""
    from torch.nn import Dropout

    return any(isinstance(module, Dropout) and module.p > 0 and module.training for module in model.modules())


def _in_order(gathered: "Tensor", shares: Sequence[Sequence[range]]) -> "Tensor":
    """Put the vectors of all processes into the order of the texts."""
    import torch

    places = [place for share in shares for piece in share for place in piece]
    vectors = torch.empty_like(gathered)
    vectors[torch.as_tensor(places, device=gathered.device)] = gathered
    return vectors


def _gradient(parameter: "Tensor") -> "Tensor":
    """Its gradient; zeros where this process had no text."""
    import torch

    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
