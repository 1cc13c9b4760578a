"""How a student is tuned: the key `recipe` of its entry in params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from embedder.params.base import Model
from embedder.training.losses import LOSSES

Positive = Annotated[int, Field(ge=1)]
Above = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Lora(Model):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685).

    Attributes:
        r: the inner dimension of an adapter.
        alpha: an adapter's output is scaled by alpha / r.
        dropout: of an adapter's input.
        targets: all-linear, or the last parts of the names of layers: q_proj.
    """

    r: Positive
    alpha: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)]


class Distilled(Model):
    """Which scores the loss `listwise` learns: of a row's positive and of its own negatives.

    Attributes:
        scores: the teacher's that mined, or the judge's; both are in the shards where there are any.
        temperature: what they are divided by before the softmax.
    """

    scores: Literal["teacher", "judge"]
    temperature: Above


class Override(Model):
    """What one dataset has otherwise; what is not written is as in the recipe.

    Attributes:
        batch_size: rows of a batch of this dataset; not where batches are mixed.
        temperature: of its rows.
        in_batch_negatives: whether other rows' passages count; label tasks never have them.
    """

    batch_size: Annotated[int, Field(ge=2)] | None = None
    temperature: Above | None = None
    in_batch_negatives: bool | None = None


class Recipe(Model):
    """How a student is tuned; lengths are in tokens, prompt included.

    Attributes:
        steps: how many batches; null where `epochs` says it.
        epochs: how often the datasets of the largest weight are gone through where `size_exponent` is 1, and the others
            by their weight: half as often at half of it. Another `size_exponent` shares out as many steps otherwise.
        batch_size: rows of a batch.
        homogeneous: whether a batch is of one dataset.
        size_exponent: a dataset's share of the batches is weight * (batches of one epoch) ** size_exponent (where
            batches are mixed, its share of the rows, by the rows of one epoch): 0 makes the weights alone count, 1 goes
            through datasets of one weight equally often.
        rows_per_query: the most rows of a query in an epoch, drawn anew in each; null for all.
        learning_rate: the highest.
        warmup_steps: of a linear rise; a linear fall follows.
        weight_decay: of AdamW, on matrices; biases and the weights of norms have none.
        max_grad_norm: a longer gradient is shortened to it.
        losses: the weight of each loss that is summed, by its name in `losses.LOSSES`.
        distilled: what `listwise` learns; null without it.
        temperature: what cosines are divided by.
        score_mask: a passage of another row is masked whose cosine is above that of the positive plus this
            (Qwen3-Embedding, arXiv 2506.05176, has 0.1, for hard negatives too); null for none.
        dimensions: the vectors' first so many dimensions have the loss too (Kusupati et al. 2022, arXiv 2205.13147);
            fewer than the model has.
        num_negatives: how many of a row's stored negatives it sees, drawn anew in each epoch.
        query_length: in tokens.
        passage_length: in tokens.
        datasets: what single datasets have otherwise.
        lora: the adapters; null tunes all weights.
        gradient_checkpointing: activations are computed again in place of being kept: slower, in less memory.
        seed: of the plan, the adapters and dropout.
    """

    steps: Positive | None
    epochs: Above | None
    batch_size: Annotated[int, Field(ge=2)]
    homogeneous: bool
    size_exponent: Annotated[float, Field(ge=0, le=1)]
    rows_per_query: Positive | None
    learning_rate: Above
    warmup_steps: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    max_grad_norm: Above
    losses: Annotated[dict[str, Above], Field(min_length=1)]
    distilled: Distilled | None
    temperature: Above
    score_mask: Annotated[float, Field(ge=0)] | None
    dimensions: list[Positive]
    num_negatives: Annotated[int, Field(ge=0)]
    query_length: Positive
    passage_length: Positive
    datasets: dict[str, Override]
    lora: Lora | None
    gradient_checkpointing: bool
    seed: Seed

    @model_validator(mode="after")
    def _length(self) -> "Recipe":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("one of steps and epochs must be null, and the other a number")
        if self.steps is not None and self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} leave nothing of {self.steps} steps")
        return self

    @model_validator(mode="after")
    def _sizes(self) -> "Recipe":
        sized = sorted(name for name, one in self.datasets.items() if one.batch_size is not None)
        if sized and not self.homogeneous:
            raise ValueError(
                f"datasets.{sized[0]}.batch_size says nothing where batches are mixed (homogeneous: false)"
            )
        if len(set(self.dimensions)) < len(self.dimensions):
            raise ValueError(f"dimensions {self.dimensions} has one twice, which would count twice")
        return self

    @model_validator(mode="after")
    def _known_losses(self) -> "Recipe":
        if unknown := sorted(set(self.losses) - set(LOSSES)):
            raise ValueError(f"losses has '{unknown[0]}'; known are {', '.join(sorted(LOSSES))}")
        if ("listwise" in self.losses) != (self.distilled is not None):
            raise ValueError("the loss listwise needs `distilled`, and `distilled` the loss listwise")
        return self

    def of(self, dataset: str) -> Override:
        """What a dataset has otherwise; nothing where it is not named."""
        return self.datasets.get(dataset, Override())
