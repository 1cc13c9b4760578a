"""How benchmarks/train.py measures a step, whoever makes it; and the step that this project makes.

Imports torch and the training code, so only an arm imports this module.
"""

import gc
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import arms
import numpy as np
import torch
import train_work
from sentence_transformers import SentenceTransformer

from embedder.params.finetune import Finetune
from embedder.params.recipe import Lora
from embedder.params.runtime import Runtime
from embedder.training.adapters import with_adapters
from embedder.training.loop import Work, optimizer_of, train
from embedder.training.memory import pieces_of

_HALVINGS = 8


@dataclass(frozen=True)
class Steps:
    """What makes steps.

    Attributes:
        model: whose gradients they leave.
        warm: makes a step of few rows.
        whole: makes one of all.
        kept_tokens: of which graphs may be kept.
    """

    model: SentenceTransformer
    warm: Callable[[], object]
    whole: Callable[[], object]
    kept_tokens: int = 0


def ours(asked: Namespace, graphs: float | None, share: float) -> Steps:
    """Make steps as the stage finetune does.

    Args:
        asked: the script's options.
        graphs: GiB for graphs; None for what the stage has by default.
        share: what all mini-batches are scaled by.
    """
    model = train_work.model(asked, asked.folder / "ours")
    with_adapters(model[0].model, Lora.model_validate(train_work.LORA), "made-up", None)
    train_work.move_adapters(model)
    # The first step that keeps graphs gets its memory from the system, page by page; no later one does.
    warm = asked.warm_rows if graphs == 0 else asked.rows
    # One more than is taken: while a step computes, the next one's texts are looked up and tokenized.
    counts = [warm] * asked.warm + [asked.rows] * (asked.steps + 1)
    entry, rows = train_work.student(asked, len(counts)), train_work.rows(asked)
    settings = Finetune(backend="own", mini_batch_tokens=None, cached_tokens=None, merged=False, selection=None)
    pieces = pieces_of(model, entry, settings, Runtime(device=asked.device, graphs=graphs))
    pieces = replace(
        pieces,
        tokens=int(pieces.tokens * share),
        cached_tokens=int(pieces.cached_tokens * share),
        kept_tokens=int(pieces.kept_tokens * share),
    )
    batches = [train_work.batch(asked, step, count) for step, count in enumerate(counts)]
    work = Work(batches, {rows.name: rows}, {rows.name: train_work.NO_PROMPTS}, entry.recipe, pieces)
    steps = train(model, optimizer_of(model, entry.recipe), work, seed=1)
    return Steps(model, lambda: next(steps), lambda: next(steps), pieces.kept_tokens)


def measured(asked: Namespace, name: str, make: Callable[[float], Steps]) -> arms.Result:
    """Measure steps and leave the gradients in a file of that name.

    Where memory runs out, again with mini-batches of half the size.

    Args:
        asked: the script's options.
        name: of the arm.
        make: makes the steps, all mini-batches scaled by what it is given.
    """
    for halvings in range(_HALVINGS):
        try:
            return _measured(asked, name, make(0.5**halvings)) | {"halvings": halvings}
        except torch.OutOfMemoryError:
            gc.collect()
            torch.cuda.empty_cache()
    raise SystemExit(f"{name}: mini-batches of 1 / {2**_HALVINGS} of the usual size do not fit either")


def seconds(asked: Namespace, run: Callable[[], object]) -> float:
    """Return how long it takes until the device is done with it."""
    _wait(asked)
    start = time.perf_counter()
    run()
    _wait(asked)
    return time.perf_counter() - start


def _wait(asked: Namespace) -> None:
    if asked.device.startswith("cuda"):
        torch.cuda.synchronize()


def _measured(asked: Namespace, name: str, made: Steps) -> arms.Result:
    on_gpu = asked.device.startswith("cuda")
    for _ in range(asked.warm):
        made.warm()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    forward: list[int] = []
    hook = made.model[0].register_forward_pre_hook(lambda _, given: forward.append(given[0]["input_ids"].numel()))
    with arms.measured() as found:
        times = [seconds(asked, made.whole) for _ in range(asked.steps)]
    hook.remove()
    np.save(asked.folder / f"{name}.npy", train_work.gradients(made.model))
    if on_gpu:
        found["peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    return found | _rates(asked, times, sum(forward) / asked.steps, made.kept_tokens)


def _rates(asked: Namespace, times: Sequence[float], forward: float, kept: int) -> dict[str, Any]:
    took = median(times)
    _, useful = train_work.tokens(train_work.columns(asked, asked.rows))
    return {
        "seconds": took,
        "sequences_s": train_work.TEXTS * asked.rows / took,
        "tokens_s": useful / took,
        "forward": forward / useful,
        "kept": min(1.0, kept / useful),
    }
