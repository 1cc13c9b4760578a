"""What is done when the trainer has carried out a step: history, score, checkpoint, early end.

Imports torch, so only what trains imports this module.
"""

import time
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from embedder.training.history import Step
from embedder.training.loop import Work, check_finite, learning_rate
from embedder.training.plans import Batch
from embedder.training.runs import Going
from embedder.training.st.loss import PlannedLoss, Taken


class Watch(TrainerCallback):
    """Hands every step to the run, and ends the training when the run is over.

    Args:
        work: the plan and what it needs.
        loss: which knows what a step took in.
        going: the run.
    """

    def __init__(self, work: Work, loss: PlannedLoss, going: Going) -> None:
        self._work, self._loss, self._going = work, loss, going
        self._since = time.perf_counter()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,  # noqa: ANN401 - whatever else the trainer tells
    ) -> None:
        """Take a step when it is done; what the trainer says of the whole run has no gradient."""
        del args, state
        if logs is None or "grad_norm" not in logs or self._loss.taken is None:
            return
        taken, work = self._loss.taken, self._work
        batch, rate = work.batches[taken.step], learning_rate(taken.step, len(work.batches), work.recipe)
        check_finite(batch, (taken.loss, rate, logs["grad_norm"]))
        self._going.done(_row(batch, taken, rate, logs["grad_norm"]), time.perf_counter() - self._since)
        control.should_training_stop |= self._going.over
        self._since = time.perf_counter()


def _row(batch: Batch, taken: Taken, rate: float, norm: float) -> Step:
    datasets = {part.dataset for part in batch.parts}
    return Step(
        batch.step,
        datasets.pop() if len(datasets) == 1 else "",
        max(part.epoch for part in batch.parts),
        taken.rows,
        taken.passages,
        taken.texts,
        taken.tokens,
        1 - taken.tokens / taken.computed,
        taken.loss,
        rate,
        norm,
        *taken.similarities.positives,
        *taken.similarities.negatives,
        *taken.similarities.masked,
    )
