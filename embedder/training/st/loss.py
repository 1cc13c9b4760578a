"""Our objective behind sentence-transformers' cached loss: their GradCache, our masks.

Imports torch, so only what trains imports this module.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin, RandContext
from torch import Tensor, nn
from torch.nn.functional import normalize

from embedder.params.recipe import Recipe
from embedder.training.batches import Texts
from embedder.training.loop import dropout_seed
from embedder.training.objective import Objective, Similarities
from embedder.training.tokens import Tokens


@dataclass(frozen=True)
class Taken:
    """What a step took in.

    Attributes:
        step: from 0.
        rows: of the batch.
        passages: distinct ones, that rows are compared with.
        texts: that were encoded: a passage as often as it stands in the columns.
        tokens: of these texts, without padding.
        computed: with padding.
        loss: the recipe's.
        similarities: of queries and passages.
    """

    step: int
    rows: int
    passages: int
    texts: int
    tokens: int
    computed: int
    loss: float
    similarities: Similarities


class PlannedLoss(CachedLossMixin, nn.Module):
    """The recipe's losses on a planned batch of columns query, positive, negative_1 and on.

    A passage that stands in several columns is encoded as often and counts once.

    Args:
        model: the student.
        texts_of: a step's texts.
        recipe: the losses and what they are made with.
        mini_batch_tokens: of a forward pass, without padding.
        seed: of dropout, with the step.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        texts_of: Callable[[int], Texts],
        recipe: Recipe,
        mini_batch_tokens: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.model, self.mini_batch_size, self.mini_batch_num_tokens = model, 1, mini_batch_tokens
        self.taken: Taken | None = None
        self._texts_of, self._recipe, self._seed = texts_of, recipe, seed
        self._lengths: list[list[int]] = []

    def forward(self, sentence_features: Sequence[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Take the loss of the step that `labels` say, with gradients on their way."""
        self._lengths = []
        torch.manual_seed(dropout_seed(self._seed, int(labels[0])))
        return self.forward_cached(sentence_features, labels)

    def embed_minibatch(
        self,
        sentence_feature: dict[str, Tensor],
        begin: int,
        end: int,
        with_grad: bool,  # noqa: FBT001 - the library's signature
        copy_random_state: bool,  # noqa: FBT001
        random_state: RandContext | None = None,
    ) -> tuple[Tensor, RandContext | None]:
        """Encode a part of a column, and note how long its texts are."""
        if not with_grad:
            self._lengths.append(_lengths(sentence_feature)[begin:end])
        return super().embed_minibatch(sentence_feature, begin, end, with_grad, copy_random_state, random_state)

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """Take the loss of all columns' vectors; see the mixin."""
        if labels is None:
            raise ValueError("the column of steps is missing")
        step = int(labels[0])
        texts = self._texts_of(step)
        vectors = normalize(torch.cat([part for column in reps for part in column]).float(), dim=-1)
        objective = Objective(_places(texts), texts, self._recipe, str(vectors.device))
        loss = objective.loss(vectors)
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
            loss = loss.detach()
        self.taken = Taken(
            step,
            len(texts.queries),
            len(texts.passages),
            sum(map(len, self._lengths)),
            sum(map(sum, self._lengths)),
            sum(len(part) * max(part) for part in self._lengths),
            loss.item(),
            objective.similarities(vectors),
        )
        return loss


def _places(texts: Texts) -> Tokens:
    """Where queries and passages stand among the vectors of all columns; of a repeated passage, the first place."""
    rows = len(texts.queries)
    _, first = np.unique(texts.listed.T, return_index=True)
    return Tokens([], np.arange(rows), first + rows)


def _lengths(features: dict[str, Any]) -> list[int]:
    if "cu_seq_lens_q" in features:
        found: list[int] = features["cu_seq_lens_q"].diff().tolist()
    else:
        found = features["attention_mask"].sum(dim=1).tolist()
    return found
