"""SentenceTransformerTrainer with a plan, a recipe's losses and its learning rate.

Imports torch, so only what trains imports this module.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, TrainerCallback

from embedder.errors import StudentError
from embedder.training.batches import Texts, compose
from embedder.training.loop import Work, learning_rate
from embedder.training.st.columns import PlannedBatches, collator_of, dataset_of
from embedder.training.st.loss import PlannedLoss

if TYPE_CHECKING:
    from torch.optim import Optimizer


class PlannedTrainer(SentenceTransformerTrainer):
    """The library's trainer without its card: that reads and measures the whole dataset, and is not ours."""

    def add_model_card_callback(self, default_args_dict: Mapping[str, Any]) -> None:
        """Leave it out."""


def trainer_of(
    model: SentenceTransformer,
    optimizer: "Optimizer",
    work: Work,
    folder: Path,
    *,
    seed: int,
    start: int = 0,
    callbacks: Sequence[TrainerCallback] = (),
    **arguments: Any,  # noqa: ANN401 - the library's arguments
) -> PlannedTrainer:
    """Make a trainer that carries out a plan: its `train()` tunes the trainable parameters of `model` in place.

    Args:
        model: with its adapters, on its device.
        optimizer: of its trained parameters.
        work: the plan and what it needs.
        folder: for what the trainer writes, which is nothing unless `arguments` ask for it.
        seed: of dropout.
        start: the first step to carry out; the model and the optimizer are as the one before left them.
        callbacks: are told what happens.
        arguments: of SentenceTransformerTrainingArguments, in place of ours: report_to.

    Raises:
        StudentError: several processes are to train together, or the model computes in a type that the trainer has not.
    """
    _check(work)
    recipe, steps = work.recipe, len(work.batches)

    # The collator asks for a step's texts, and a step later the loss.
    @lru_cache(maxsize=2)
    def texts_of(step: int) -> Texts:
        return compose(work.sets, work.prompts, recipe, work.batches[step])

    def rate(done: int) -> float:
        return learning_rate(start + done, steps, recipe) / recipe.learning_rate

    trainer = PlannedTrainer(
        model=model,
        args=_arguments(model, work, folder, {"seed": seed} | arguments),
        train_dataset=dataset_of(work.batches[start:]),
        data_collator=collator_of(model, recipe, texts_of),
        loss=PlannedLoss(model, texts_of, recipe, work.pieces.tokens, seed),
        optimizers=(optimizer, LambdaLR(optimizer, rate)),
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(
    model: SentenceTransformer, work: Work, folder: Path, changes: Mapping[str, Any]
) -> SentenceTransformerTrainingArguments:
    ours: dict[str, Any] = {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "batch_sampler": PlannedBatches,
        "max_grad_norm": work.recipe.max_grad_norm,
        "bf16": work.pieces.dtype == "bfloat16",
        "use_cpu": model.device.type == "cpu",
        "dataloader_pin_memory": model.device.type != "cpu",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    arguments = SentenceTransformerTrainingArguments(**{**ours, **changes})
    # Several GPUs in sight would be several copies of the model, each with a part of every batch.
    arguments._n_gpu = min(arguments.n_gpu, 1)  # noqa: SLF001 - the library has no other switch
    return arguments


def _check(work: Work) -> None:
    if work.processes.count > 1:
        raise StudentError(
            f"finetune.backend st trains in one process, and here are {work.processes.count}; "
            "set runtime.processes to 1, or finetune.backend to own"
        )
    if work.pieces.dtype not in (None, "bfloat16"):
        raise StudentError(
            f"finetune.backend st computes in float32 or bfloat16, not in {work.pieces.dtype}; set finetune.backend to own"
        )
