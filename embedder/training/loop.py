"""The training loop: one planned batch a step, AdamW on what is trained, a row of history for each."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedder.errors import StudentError
from embedder.params.recipe import Recipe
from embedder.prompts import Prompts
from embedder.seeds import rng
from embedder.training.grad_cache import Pieces, backward
from embedder.training.history import Step
from embedder.training.objective import Objective, Similarities
from embedder.training.plans import Batch
from embedder.training.prepared import Prepared, prepared
from embedder.training.processes import Alone, Processes
from embedder.training.shards import TrainingSet
from embedder.training.tokens import Tokens, cut

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch.optim import AdamW

_ALONE = Alone()


@dataclass(frozen=True)
class Work:
    """What a run reads and never changes.

    Attributes:
        batches: the whole plan.
        sets: the rows, by dataset.
        prompts: what stands before each dataset's texts.
        recipe: learning rate, lengths, losses and the rest.
        pieces: how much is encoded at a time.
        processes: that train together.
    """

    batches: Sequence[Batch]
    sets: Mapping[str, TrainingSet]
    prompts: Mapping[str, Prompts]
    recipe: Recipe
    pieces: Pieces
    processes: Processes = _ALONE


def optimizer_of(model: "SentenceTransformer", recipe: Recipe) -> "AdamW":
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on all that is trained.

    Biases and the weights of norms, which are vectors, do not decay: as in transformers' Trainer, which published recipes
    mean.
    """
    from torch.optim import AdamW

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate)


def train(
    model: "SentenceTransformer", optimizer: "AdamW", work: Work, *, seed: int, start: int = 0
) -> Generator[Step, None, None]:
    """Tune the trainable parameters of `model` in place, a step whenever the next row is asked for.

    Args:
        model: with its adapters, on its device.
        optimizer: of its trained parameters.
        work: the plan and what it needs.
        seed: of dropout.
        start: the first step to carry out; the model and the optimizer are as the one before left them.

    Yields:
        One row of the history a step, when the step is done.

    Raises:
        StudentError: a loss or a gradient is not finite; the model is as the step before left it.
    """
    for one in prepared(model, work, start):
        model.train()
        yield _step(model, optimizer, one, work, dropout_seed(seed, one.batch.step))
    model.eval()


def dropout_seed(seed: int, step: int) -> int:
    """The seed of a step's dropout in the run of `seed`: no generator goes on from step to step, so none is kept."""
    return int(rng(seed, "dropout", str(step)).integers(2**40))


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step, counted from 0: a linear rise over `warmup_steps`, then a linear fall towards 0.

    The first step has 1 / warmup_steps of the peak and the last is above 0, so no step is wasted.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    return recipe.learning_rate * (steps - step) / (steps - recipe.warmup_steps)


def check_finite(batch: Batch, figures: tuple[float, float, float]) -> None:
    """Refuse a step whose loss, learning rate and gradient norm are not all finite.

    Raises:
        StudentError: one is not.
    """
    if all(map(math.isfinite, figures)):
        return
    names = ", ".join(part.dataset for part in batch.parts)
    raise StudentError(
        f"step {batch.step} ({names}): loss {figures[0]:g} and gradient norm {figures[2]:g}, from which there is no "
        "going on; lower the recipe's learning_rate, or raise its temperature"
    )


def _step(model: "SentenceTransformer", optimizer: "AdamW", one: Prepared, work: Work, seed: int) -> Step:
    import torch

    batch, texts, read, recipe = one.batch, one.texts, one.tokens, work.recipe
    objective = Objective(read, texts, recipe, str(model.device))
    rate = learning_rate(batch.step, len(work.batches), recipe)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss, vectors = backward(model, read.ids, objective.loss, work.pieces, processes=work.processes, seed=seed)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(trained, recipe.max_grad_norm)
    figures = float(loss), rate, float(norm)
    check_finite(batch, figures)
    optimizer.step()
    sizes = len(texts.queries), len(texts.passages)
    return _row(batch, sizes, read, work.pieces, figures, objective.similarities(vectors))


def _row(
    batch: Batch,
    sizes: tuple[int, int],
    read: Tokens,
    pieces: Pieces,
    figures: tuple[float, float, float],
    found: Similarities,
) -> Step:
    lengths = [len(one) for one in read.ids]
    computed = sum(len(piece) * lengths[piece[-1]] for piece in cut(lengths, pieces.tokens))
    datasets = {part.dataset for part in batch.parts}
    return Step(
        batch.step,
        datasets.pop() if len(datasets) == 1 else "",
        max(part.epoch for part in batch.parts),
        *sizes,
        len(lengths),
        sum(lengths),
        1 - sum(lengths) / computed,
        *figures,
        *found.positives,
        *found.negatives,
        *found.masked,
    )
