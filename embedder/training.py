"""The training loop: fixed steps of one planned batch each, AdamW on the adapters, a history of every step."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from embedder.batches import Texts, TrainingSet, compose
from embedder.encoding import embed, tokenize
from embedder.losses import LOSSES
from embedder.params.models import Recipe
from embedder.plans import Batch
from embedder.progress import track
from embedder.prompts import Prompts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor
    from torch.optim import Optimizer


@dataclass(frozen=True)
class Step:
    """One row of the history; similarities are cosines, a negative's those of allowed passages."""

    step: int
    dataset: str
    queries: int
    passages: int
    loss: float
    learning_rate: float
    gradient_norm: float
    positive_similarity: float
    negative_similarity: float


def train(
    model: "SentenceTransformer",
    plan: Sequence[Batch],
    sets: Mapping[str, TrainingSet],
    prompts: Mapping[str, Prompts],
    recipe: Recipe,
    *,
    interval: float = 10.0,
) -> list[Step]:
    """Tune the trainable parameters of `model` in place, step by step.

    Args:
        model: with its adapters, on its device.
        plan: the batches.
        sets: the rows, by dataset.
        prompts: what stands before each dataset's texts.
        recipe: learning rate, lengths, temperature and the rest.
        interval: seconds between two lines of progress.

    Returns:
        The history, one `Step` a batch.
    """
    from torch.optim import AdamW

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    model.train()
    history = []
    for batch in track(plan, len(plan), "finetune: steps", interval):
        texts = compose(sets[batch.dataset], batch)
        history.append(_step(model, optimizer, batch, texts, prompts[batch.dataset], recipe))
    model.eval()
    return history


def learning_rate(step: int, recipe: Recipe) -> float:
    """The learning rate of a step, counted from 0: a linear rise over `warmup_steps`, then a linear fall towards 0.

    The first step has 1 / warmup_steps of the peak and the last is above 0, so no step is wasted.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    return recipe.learning_rate * (recipe.steps - step) / (recipe.steps - recipe.warmup_steps)


def write_history(path: Path, history: Sequence[Step]) -> None:
    """Write the history as CSV, floats at six significant digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Step)])
        for step in history:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in asdict(step).values()])


def _step(
    model: "SentenceTransformer", optimizer: "Optimizer", batch: Batch, texts: Texts, prompts: Prompts, recipe: Recipe
) -> Step:
    import torch

    rate = learning_rate(batch.step, recipe)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss, positive, negative = _backward(model, texts, prompts, recipe)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(trained, recipe.max_grad_norm)
    optimizer.step()
    sizes = len(texts.queries), len(texts.passages)
    return Step(batch.step, batch.dataset, *sizes, loss, rate, float(norm), positive, negative)


def _backward(
    model: "SentenceTransformer", texts: Texts, prompts: Prompts, recipe: Recipe
) -> tuple[float, float, float]:
    """Put the batch's gradients on the parameters; return its loss, mean positive and mean negative similarity.

    The whole batch is encoded with its graph. GradCache takes this function's place where that does not fit: the same
    loss on vectors encoded without graph, then a second pass with their gradients.
    """
    import torch

    targets = torch.as_tensor(texts.targets, device=model.device)
    allowed = torch.as_tensor(texts.allowed, device=model.device)
    similarities = _similarities(model, texts, prompts, recipe)
    loss = LOSSES["info_nce"](similarities, targets, allowed, recipe.temperature)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item(), *_means(similarities.detach(), targets, allowed)


def _similarities(model: "SentenceTransformer", texts: Texts, prompts: Prompts, recipe: Recipe) -> "Tensor":
    """Cosines of the batch: [queries, passages]."""
    queries = tokenize(model, texts.queries, prompts.query, recipe.query_length)
    passages = tokenize(model, texts.passages, prompts.passage, recipe.passage_length)
    return embed(model, queries) @ embed(model, passages).T


def _means(similarities: "Tensor", targets: "Tensor", allowed: "Tensor") -> tuple[float, float]:
    positives = similarities.gather(1, targets[:, None])
    others = allowed.scatter(1, targets[:, None], value=False)
    negatives = similarities[others]
    return float(positives.mean()), float(negatives.mean()) if len(negatives) else 0.0
