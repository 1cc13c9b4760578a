"""The backend `st`: sentence-transformers' trainer with our plan, losses and learning rate.

For what hangs on its callbacks (`trainer.trainer_of` takes them), and as the oracle of our own loop: on one plan both
take the same gradients. It encodes a passage as often as it stands in a batch, pads in the plan's order, and runs in
one process. Scores, checkpoints and what is shown are those of `runs`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from embedder.params.finetune import Selection
from embedder.params.runtime import Runtime

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.training.loop import Work
    from embedder.training.runs import Run
    from embedder.training.st.loss import PlannedLoss


def run(
    model: "SentenceTransformer",
    work: "Work",
    runtime: Runtime,
    identity: Mapping[str, str],
    *,
    seed: int,
    selection: Selection | None = None,
    scorer: Callable[[], float] | None = None,
) -> "Run":
    """Train as `runs.run` does, with sentence-transformers' trainer.

    Args:
        model: with its adapters as the seed made them, on its device; it is changed in place.
        work: the plan and what it needs.
        runtime: how often there is a checkpoint, and where the run is shown.
        identity: hashes of all that fixes a run, its scores and its backend included, but its seed.
        seed: of the run.
        selection: how often there is a score, and when to stop; None or no scorer for never.
        scorer: tells how good the model is now.

    Raises:
        StudentError: several processes are to train together, the model computes in a type that the trainer has not, a
            loss, gradient or score is not finite, or no checkpoint can be written.
        ParamsError: what `runtime.live` names is not installed.
    """
    from embedder.training import runs
    from embedder.training.st.trainer import trainer_of
    from embedder.training.st.watch import Watch

    with runs.going(model, work, runtime, identity, seed=seed, selection=selection, scorer=scorer) as going:
        if not going.over:
            with TemporaryDirectory() as folder:
                trainer = trainer_of(model, going.optimizer, work, Path(folder), seed=seed, start=len(going.history))
                trainer.add_callback(Watch(work, cast("PlannedLoss", trainer.loss), going))
                trainer.train()
            # In bfloat16 the trainer leaves its autocast around the model.
            trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    return going.end()
