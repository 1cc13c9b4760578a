"""From the vectors of a batch to its loss, and to what the history says of its similarities."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from embedder.errors import StudentError
from embedder.params.recipe import Recipe
from embedder.training.batches import Texts
from embedder.training.losses import LOSSES, Compared
from embedder.training.tokens import Tokens

if TYPE_CHECKING:
    from torch import Tensor

QUANTILES = (0.1, 0.5, 0.9)
_SAMPLED = 2**20


class Masked(NamedTuple):
    """What does not count in a batch.

    Attributes:
        own: see `Texts.masked_own`.
        in_batch: see `Texts.masked_in_batch`.
        by_score: how many more such pairs look like unjudged positives to the model, see `Recipe.score_mask`.
        alone: rows that are left with their positive alone: they have loss 0.
    """

    own: int
    in_batch: int
    by_score: int
    alone: int


@dataclass(frozen=True)
class Similarities:
    """Quantiles (0.1, 0.5, 0.9) of cosines: positives', and of the negatives that count; 0 without any.

    Of more than a million every n-th is taken. Beside them, how many were masked.
    """

    positives: tuple[float, float, float]
    negatives: tuple[float, float, float]
    masked: Masked


class Objective:
    """What is minimised for one batch.

    Args:
        tokens: which vector is whose.
        texts: which passage counts for which row.
        recipe: the losses and what they are made with.
        device: a torch device.
    """

    def __init__(self, tokens: Tokens, texts: Texts, recipe: Recipe, device: str) -> None:
        import torch

        self._recipe, self._texts = recipe, texts
        self._queries = torch.as_tensor(tokens.queries, device=device)
        self._passages = torch.as_tensor(tokens.passages, device=device)
        self._targets = torch.as_tensor(texts.targets, device=device)
        self._allowed = torch.as_tensor(texts.allowed, device=device)
        self._listed = torch.as_tensor(texts.listed, device=device)
        self._temperature = torch.as_tensor(texts.temperature, device=device)
        self._wanted = None if texts.wanted is None else torch.as_tensor(texts.wanted, device=device)

    def loss(self, vectors: "Tensor") -> "Tensor":
        """The recipe's losses, weighted and summed, meant over the full vectors and each of `dimensions`.

        Args:
            vectors: [texts, dimensions] of length 1, in the order of `tokens.ids`.
        """
        import torch

        sizes = [vectors.shape[1], *self._recipe.dimensions]
        return torch.stack([self._of(self._cosines(vectors, size)) for size in sizes]).mean()

    def similarities(self, vectors: "Tensor") -> Similarities:
        """What the history says of a batch's cosines."""
        found = self._cosines(vectors.detach(), vectors.shape[1])
        positives = found.gather(1, self._targets[:, None]).flatten()
        counted = self._counted(found)
        others = counted.scatter(1, self._targets[:, None], value=False)
        by_score, alone = int((self._allowed & ~counted).sum()), int((~others.any(dim=1)).sum())
        masked = Masked(self._texts.masked_own, self._texts.masked_in_batch, by_score, alone)
        return Similarities(_quantiles(positives), _quantiles(found[others]), masked)

    def _of(self, cosines: "Tensor") -> "Tensor":
        import torch

        seen = Compared(cosines, self._targets, self._counted(cosines), self._temperature, self._listed, self._wanted)
        return torch.stack([weight * LOSSES[name](seen) for name, weight in sorted(self._recipe.losses.items())]).sum()

    def _cosines(self, vectors: "Tensor", size: int) -> "Tensor":
        from torch.nn.functional import normalize

        short = vectors if size == vectors.shape[1] else normalize(vectors[:, :size], dim=-1)
        return short.index_select(0, self._queries) @ short.index_select(0, self._passages).T

    def _counted(self, cosines: "Tensor") -> "Tensor":
        """What is allowed, less the in-batch passages that look like unjudged positives to the model itself."""
        if self._recipe.score_mask is None:
            return self._allowed
        found = cosines.detach()
        likely = found > found.gather(1, self._targets[:, None]) + self._recipe.score_mask
        return self._allowed & ~likely.scatter(1, self._listed, value=False)


def check_dimensions(recipe: Recipe, dimensions: int) -> None:
    """Refuse a recipe that wants the loss on more dimensions than a model's vectors have.

    Raises:
        StudentError: names them.
    """
    if too_many := [one for one in recipe.dimensions if one >= dimensions]:
        raise StudentError(
            f"recipe.dimensions has {too_many[0]}, and the model's vectors have {dimensions}, which always have the "
            "loss; name smaller numbers, or none"
        )


def _quantiles(values: "Tensor") -> tuple[float, float, float]:
    import numpy as np

    every = -(-len(values) // _SAMPLED) or 1
    found = np.quantile(values[::every].float().cpu().numpy(), QUANTILES) if len(values) else np.zeros(len(QUANTILES))
    return float(found[0]), float(found[1]), float(found[2])
