"""The section `finetune` of params.yaml: what of training is no student's."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from embedder.params.base import Model

Positive = Annotated[int, Field(ge=1)]


class Selection(Model):
    """What is chosen by the score on a part of the dev queries, which `evaluate` then leaves out.

    Attributes:
        share: of the dev queries' groups.
        every: steps between two scores of a run in training, whose best checkpoint is kept; null for its end alone.
        patience: after so many scores without a better one a run ends; null for never.
        scales: what the adapters are multiplied by, 1 as they were trained: the best is kept.
        seeds: how many runs there are, from the recipe's seed on; their average is one more to choose.
    """

    share: Annotated[float, Field(gt=0, lt=1)]
    every: Positive | None
    patience: Positive | None
    scales: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    seeds: Positive

    @model_validator(mode="after")
    def _scored(self) -> "Selection":
        if self.patience and not self.every:
            raise ValueError("patience counts scores in training: write `every` too")
        return self


class Finetune(Model):
    """What does not belong to a student: who trains, in which pieces, what is chosen after, and what is saved.

    Attributes:
        backend: own, or st: sentence-transformers' trainer with the same plan and loss.
        mini_batch_tokens: of a forward pass with gradients, padding included; null for what suits the device.
        cached_tokens: of a forward pass without; null for what suits the device.
        merged: whether the saved model holds the adapters merged into its weights, or beside its base.
        selection: null for none.
    """

    backend: Literal["own", "st"]
    mini_batch_tokens: Positive | None
    cached_tokens: Positive | None
    merged: bool
    selection: Selection | None
