"""The steps that benchmarks/train.py compares ours with: sentence-transformers' cached loss, and graphs that are kept.

They are bare loops around the libraries' parts, which spares them the trainer's data loading, logging and callbacks;
adapters are PEFT's own. Imports torch, so only an arm imports this module.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import train_work
from peft import LoraConfig, get_peft_model
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from train_steps import Steps

Features = dict[str, Any]


class MaskedLoss(CachedMultipleNegativesRankingLoss):
    """The library's loss, told which passages count for a row.

    By itself it knows no label task, and has a passage that is twice in a batch count twice.

    Args:
        model: with adapters.
        allowed: see `train_work.Columns`.
        orders: of each column, which row's text stands where; None where all stand in the order of rows.
        size: texts of a mini-batch.
        budget: its tokens, in place of `size`.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        allowed: Tensor,
        orders: Sequence[Tensor] | None,
        size: int,
        budget: int | None,
    ) -> None:
        scale = 1 / train_work.TEMPERATURE
        super().__init__(model, scale, mini_batch_size=size, mini_batch_num_tokens=budget)
        self._allowed = allowed
        self._places = [order.argsort() for order in orders] if orders else None

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """Take the loss of all columns' vectors."""
        del labels
        columns = [torch.cat(parts) for parts in reps]
        if self._places:
            columns = [one[places] for one, places in zip(columns, self._places, strict=True)]
        loss = masked(columns, self._allowed)
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def masked(columns: Sequence[Tensor], allowed: Tensor) -> Tensor:
    """InfoNCE over the passages that count, in float32."""
    queries, *passages = (normalize(one.float(), dim=-1) for one in columns)
    logits = (queries @ torch.cat(passages).T / train_work.TEMPERATURE).masked_fill(~allowed, float("-inf"))
    return cross_entropy(logits, torch.arange(len(queries), device=logits.device))


def adapted(asked: Namespace, folder: Path, side: str, attention: str = "sdpa") -> SentenceTransformer:
    """Make the model with adapters as PEFT makes them, padded on that side."""
    made = train_work.model(asked, folder, attention)
    config = LoraConfig(
        r=train_work.LORA["r"],
        lora_alpha=train_work.LORA["alpha"],
        lora_dropout=train_work.LORA["dropout"],
        target_modules=train_work.LORA["targets"],
        task_type="FEATURE_EXTRACTION",
    )
    transformer: Any = made[0].model
    get_peft_model(transformer, config)
    train_work.move_adapters(made)
    made.tokenizer.padding_side = side
    return made.train()


def steps(
    asked: Namespace, model: SentenceTransformer, loss_of: Callable[[train_work.Columns], Callable[[], Tensor]]
) -> Steps:
    """Make steps: gradients, their norm, AdamW; with autocast in both passes, as the trainer has it.

    Args:
        asked: the script's options.
        model: with adapters.
        loss_of: from a batch to what takes its loss.
    """
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-12, weight_decay=0.0)

    def step(loss: Callable[[], Tensor]) -> None:
        optimizer.zero_grad(set_to_none=True)
        with nullcontext() if asked.dtype == "float32" else torch.autocast(model.device.type, dtype=torch.bfloat16):
            loss().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1e9)
        optimizer.step()

    warm, whole = (loss_of(train_work.columns(asked, count)) for count in (asked.warm_rows, asked.rows))
    return Steps(model, lambda: step(warm), lambda: step(whole))


def cached(
    model: SentenceTransformer, found: train_work.Columns, size: int, budget: int | None, *, ordered: bool, stock: bool
) -> Callable[[], Tensor]:
    """Return what takes the loss of a batch as the library does, its texts tokenized column by column.

    Args:
        model: with adapters.
        found: the batch.
        size: texts of a mini-batch.
        budget: its tokens, in place of `size`; None for none.
        ordered: whether each column is sorted by length.
        stock: whether the loss is the library's as it is, which fits where nothing is masked.
    """
    texts, places = found.texts, None
    if ordered:
        orders = [np.argsort([len(text) for text in column], kind="stable") for column in texts]
        texts = [[column[one] for one in order] for column, order in zip(texts, orders, strict=True)]
        places = [torch.as_tensor(order, device=model.device) for order in orders]
    loss: Any = MaskedLoss(model, torch.as_tensor(found.allowed, device=model.device), places, size, budget)
    if stock:
        loss = CachedMultipleNegativesRankingLoss(model, 1 / train_work.TEMPERATURE, mini_batch_size=size)
    return lambda: loss([_features(model, column) for column in texts], None)


def kept(model: SentenceTransformer, found: train_work.Columns, size: int) -> Callable[[], Tensor]:
    """Return what takes the loss as FlagEmbedding does: parts of columns one by one, all graphs kept until the end."""
    allowed = torch.as_tensor(found.allowed, device=model.device)

    def loss_of() -> Tensor:
        columns = []
        for column in found.texts:
            parts = [column[start : start + size] for start in range(0, len(column), size)]
            columns.append(torch.cat([model(_features(model, part))["sentence_embedding"] for part in parts]))
        return masked(columns, allowed)

    return loss_of


def _features(model: SentenceTransformer, texts: Sequence[str]) -> Features:
    made = model.preprocess(list(texts))
    return {key: value.to(model.device) if torch.is_tensor(value) else value for key, value in made.items()}
