"""The training loop: one planned batch a step, AdamW on what is trained, a row of history for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedder.params.recipe import Recipe
from embedder.prompts import Prompts
from embedder.training.batches import compose
from embedder.training.grad_cache import Pieces, backward
from embedder.training.history import Step
from embedder.training.objective import Objective, Similarities
from embedder.training.plans import Batch
from embedder.training.processes import Alone, Processes
from embedder.training.shards import TrainingSet
from embedder.training.tokens import Tokens, cut, tokens

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
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on all that is trained."""
    from torch.optim import AdamW

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def train(model: "SentenceTransformer", optimizer: "AdamW", work: Work, start: int = 0) -> Iterator[Step]:
    """Tune the trainable parameters of `model` in place, a step whenever the next row is asked for.

    Args:
        model: with its adapters, on its device.
        optimizer: of its trained parameters.
        work: the plan and what it needs.
        start: the first step to carry out; the model and the optimizer are as the one before left them.

    Yields:
        One row of the history a step, when the step is done.
    """
    for batch in work.batches[start:]:
        model.train()
        yield _step(model, optimizer, batch, work)
    model.eval()


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step, counted from 0: a linear rise over `warmup_steps`, then a linear fall towards 0.

    The first step has 1 / warmup_steps of the peak and the last is above 0, so no step is wasted.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    return recipe.learning_rate * (steps - step) / (steps - recipe.warmup_steps)


def _step(model: "SentenceTransformer", optimizer: "AdamW", batch: Batch, work: Work) -> Step:
    import torch

    recipe = work.recipe
    texts = compose(work.sets, work.prompts, recipe, batch)
    read = tokens(model, texts, recipe)
    objective = Objective(read, texts, recipe, str(model.device))
    rate = learning_rate(batch.step, len(work.batches), recipe)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss, vectors = backward(
        model, read.ids, objective.loss, work.pieces, processes=work.processes, seed=recipe.seed + batch.step
    )
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(trained, recipe.max_grad_norm)
    optimizer.step()
    sizes = len(texts.queries), len(texts.passages)
    return _row(batch, sizes, read, work.pieces, (float(loss), rate, float(norm)), objective.similarities(vectors))


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
    one = batch.parts[0] if len(batch.parts) == 1 else None
    return Step(
        batch.step,
        one.dataset if one else "",
        max(part.epoch for part in batch.parts),
        *sizes,
        len(lengths),
        sum(lengths),
        1 - sum(lengths) / computed,
        *figures,
        *found.positives,
        *found.negatives,
    )
