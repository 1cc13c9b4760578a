"""A plan as the trainer reads it: one row for each of its rows, in its order, in batches of its own sizes.

Imports torch, so only what trains imports this module.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

from embedder import encoding, padding
from embedder.params.recipe import Recipe
from embedder.training.batches import Texts
from embedder.training.plans import Batch

if TYPE_CHECKING:
    import torch

# The column whose content the loss is told; the trainer knows it by this name.
STEP = "label"


def dataset_of(batches: Sequence[Batch]) -> Dataset:
    """Lay a plan out as a dataset of `step` and `row` within the step: texts are looked up when a batch is asked for."""
    sizes = [sum(len(part.rows) for part in batch.parts) for batch in batches]
    steps = np.repeat([batch.step for batch in batches], sizes)
    return Dataset.from_dict({"step": steps, "row": np.concatenate([np.arange(size) for size in sizes])})


class PlannedBatches(DefaultBatchSampler):
    """The batches of a plan, in its order; what the trainer says of sizes and shuffling is not asked."""

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        drop_last: bool,  # noqa: FBT001 - the trainer's signature
        valid_label_columns: list[str] | None = None,
        generator: "torch.Generator | None" = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, batch_size, drop_last, valid_label_columns, generator, seed)
        steps = np.asarray(dataset["step"])
        self._starts = np.flatnonzero(np.diff(steps, prepend=-1, append=-1)).tolist()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in zip(self._starts, self._starts[1:], strict=False):
            yield list(range(start, end))


@dataclass
class PlannedCollator(SentenceTransformerDataCollator):
    """Rows of a step to columns query, positive, negative_1 and on, and those to the model's input.

    Where a row has fewer negatives than others its positive stands again, which counts once.
    """

    texts_of: Callable[[int], Texts] = field(kw_only=True)

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Look up and tokenize the texts of rows, which are all of one step."""
        (step,) = {one["step"] for one in features}
        texts = self.texts_of(step)
        return super().__call__([_row(texts, step, one["row"]) for one in features])


def collator_of(
    model: SentenceTransformer, recipe: Recipe, texts_of: Callable[[int], Texts]
) -> SentenceTransformerDataCollator:
    """The collator of a model: prompts stand in the texts already, ends and padding are those of `encoding`."""

    def preprocess(texts: list[str], *, max_length: int, **_: object) -> dict[str, Any]:
        return padding.of(model).features(encoding.tokenize(model, texts, "", max_length))

    passages = dict.fromkeys(_passage_columns(1 + recipe.num_negatives), "document")
    return PlannedCollator(
        preprocess,
        router_mapping={"query": "query", **passages},
        max_length={"query": recipe.query_length, "document": recipe.passage_length},
        texts_of=texts_of,
    )


def _passage_columns(count: int) -> list[str]:
    return ["positive", *(f"negative_{number}" for number in range(1, count))]


def _row(texts: Texts, step: int, row: int) -> dict[str, Any]:
    listed = texts.listed[row].tolist()
    passages = {name: texts.passages[one] for name, one in zip(_passage_columns(len(listed)), listed, strict=True)}
    return {"query": texts.queries[row], **passages, STEP: step}
