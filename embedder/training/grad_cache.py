"""Gradients of a loss over more texts than one forward pass holds (GradCache: Gao et al. 2021, arXiv 2101.06983).

The texts are encoded piece by piece without a graph; the loss is taken on all vectors, whose gradients are then sent
back through each piece, encoded again with its graph. What fits into memory keeps its graph and is encoded once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

from embedder.encoding import forward
from embedder.padding import padded
from embedder.seeds import rng
from embedder.training.processes import Alone, Processes
from embedder.training.tokens import Ids, cut

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from torch import Tensor


@dataclass(frozen=True)
class Pieces:
    """In which pieces a batch is encoded; tokens count padding.

    Attributes:
        tokens: the most of a piece that is encoded with its graph.
        cached_tokens: the most of one that is encoded without; below `tokens` it is `tokens`, and where dropout makes
            two passes of a text differ both have the same pieces.
        kept_tokens: the most of one process whose graphs are kept, so that they are not encoded again. On a CPU it
            changes no bit, unless `cached_tokens` makes the first pass round otherwise than the second.
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

    Torch's generator is left as it was.

    Args:
        model: in training mode; its parameters decide what gets gradients: zeros, where no text reaches one.
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
    cuda = [model.device] if model.device.type == "cuda" else []
    with _summed(model, together), torch.random.fork_rng(cuda):
        cached = encoder.cached(own[: len(own) - len(kept)])
        with_graph = {piece: encoder(piece, graph=True) for piece in kept}
        found = _stacked(model, [*cached, *(vectors.detach() for vectors in with_graph.values())])
        leaf = _in_order(together.gather(found, [sum(map(len, share)) for share in shares]), shares).requires_grad_()
        loss = loss_of(leaf)
        (gradients,) = torch.autograd.grad(loss, leaf)
        # Always from the last piece to the first, so that what memory there is changes no bit of the sums.
        for piece in reversed(own):
            vectors = with_graph.pop(piece) if piece in with_graph else encoder(piece, graph=True)
            vectors.backward(gradients[piece.start : piece.stop])  # type: ignore[no-untyped-call]
    return loss.detach(), leaf.detach()


class _Encoder:
    """Encodes the pieces of a batch."""

    def __init__(self, model: "SentenceTransformer", ids: Sequence[Ids], pieces: Pieces, seed: int) -> None:
        self._model, self._ids, self._budget = model, ids, pieces
        self._pad = model.tokenizer.pad_token_id or 0
        self.pieces = cut([len(one) for one in ids], pieces.tokens)
        self._seeds = {piece: _seed(seed, number) for number, piece in enumerate(self.pieces)}

    def __call__(self, piece: range, *, graph: bool) -> "Tensor":
        """Encode one of the pieces: [texts, dimensions] float32."""
        import torch

        torch.manual_seed(self._seeds[piece])
        return self._encode(piece, graph=graph)

    def kept(self, own: Sequence[range]) -> Sequence[range]:
        """The last pieces, as many as may keep their graphs."""
        tokens = accumulate(len(piece) * len(self._ids[piece[-1]]) for piece in reversed(own))
        return own[len(own) - sum(one <= self._budget.kept_tokens for one in tokens) :]

    def cached(self, own: Sequence[range]) -> "list[Tensor]":
        """Encode pieces without a graph, larger ones where nothing is random: vectors in the order of the texts."""
        if not own:
            return []
        first = self(own[0], graph=False)
        if self._is_random(own[0]) or self._budget.cached_tokens <= self._budget.tokens:
            return [first, *(self(piece, graph=False) for piece in own[1:])]
        rest = [place for piece in own[1:] for place in piece]
        larger = cut([len(self._ids[place]) for place in rest], self._budget.cached_tokens)
        return [first, *(self._encode([rest[one] for one in part], graph=False) for part in larger)]

    def _is_random(self, piece: range) -> bool:
        """Whether encoding that piece, which has just been done, drew random numbers: dropout of whatever kind."""
        import torch

        device = self._model.device
        after = _generator(device)
        torch.manual_seed(self._seeds[piece])
        return not torch.equal(after, _generator(device))

    def _encode(self, places: Sequence[int], *, graph: bool) -> "Tensor":
        import torch

        texts = [self._ids[place] for place in places]
        with torch.set_grad_enabled(graph), self._autocast():
            return forward(self._model, padded(texts, len(texts[-1]), self._pad))

    def _autocast(self) -> Any:  # noqa: ANN401 - one of two context managers
        import torch

        if self._budget.dtype is None:
            return nullcontext()
        return torch.autocast(self._model.device.type, dtype=getattr(torch, self._budget.dtype))


@contextmanager
def _summed(model: "SentenceTransformer", together: Processes) -> Iterator[None]:
    """Sum the block's gradients over the processes, then add what the parameters held before."""
    trained = [one for one in model.parameters() if one.requires_grad]
    held = [one.grad for one in trained]
    for one in trained:
        one.grad = None
    yield
    together.add([_gradient(one) for one in trained])
    for one, before in zip(trained, held, strict=True):
        if before is not None:
            _gradient(one).add_(before)


def _gradient(parameter: "Tensor") -> "Tensor":
    """Its gradient; zeros where this process had no text."""
    import torch

    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _generator(device: "torch.device") -> "Tensor":
    """The state of the generator that a device draws from."""
    import torch

    if device.type == "cpu":
        return torch.get_rng_state()
    return cast("Tensor", torch.get_device_module(device).get_rng_state())


def _seed(seed: int, piece: int) -> int:
    return int(rng(seed, "piece", str(piece)).integers(2**63))


def _stacked(model: "SentenceTransformer", parts: "list[Tensor]") -> "Tensor":
    """[texts, dimensions] of all parts; none where a process has no text."""
    import torch

    return torch.cat(parts) if parts else torch.empty(0, model.get_embedding_dimension() or 0, device=model.device)


def _in_order(gathered: "Tensor", shares: Sequence[Sequence[range]]) -> "Tensor":
    """Put the vectors of all processes into the order of the texts."""
    import torch

    if len(shares) == 1:
        return gathered
    places = [place for share in shares for piece in share for place in piece]
    vectors = torch.empty_like(gathered)
    vectors[torch.as_tensor(places, device=gathered.device)] = gathered
    return vectors
