"""What a training run goes on from after a kill: one file a checkpoint, whole or not read.

A file's name ends in the SHA-256 of its bytes, and it has that name only when they are on the disk. There is no state
of a random generator in it, because none goes on from step to step: dropout is seeded by run, step and piece.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedder import files
from embedder.errors import StudentError
from embedder.progress import say
from embedder.training import states
from embedder.training.history import Step
from embedder.training.scores import Score

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from embedder.training.states import State

_NAME = re.compile(r"(\d{8})-([0-9a-f]{64})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """A run when a step was done.

    Attributes:
        history: of all steps so far; the next one's number is its length.
        scores: so far.
        trained: the weights.
        moments: the optimizer's tensors, see `moments_of`.
        best: the weights of the best score; None without scores.
    """

    history: list[Step]
    scores: list[Score]
    trained: "State"
    moments: "State"
    best: "State | None"


class Checkpoints:
    """The last two checkpoints of one run.

    Args:
        folder: of this run alone.
        speaks: whether it says on stderr which checkpoints are damaged.
    """

    def __init__(self, folder: Path, *, speaks: bool = True) -> None:
        self._folder, self._speaks = folder, speaks
        self._last: Path | None = None

    def newest(self) -> Checkpoint | None:
        """Return the newest whole one; None without any."""
        names = [path for path in self._folder.glob("*") if _NAME.fullmatch(path.name)]
        for path in sorted(names, reverse=True):
            if files.file_sha256(path) == path.stem.partition("-")[2]:
                self._last = path
                return _content(*states.load(path))
            if self._speaks:
                say(f"{path}: is not as it was written; going on from the one before")
        return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Write one; it is on the disk when this returns, and all but it and the one before are gone.

        Raises:
            StudentError: it cannot be written.
        """
        from safetensors import SafetensorError

        try:
            path = self._written(checkpoint)
        except (OSError, SafetensorError) as error:
            raise StudentError(f"{self._folder}: no checkpoint can be written ({error}); make room there") from error
        for other in set(self._folder.iterdir()) - {path, self._last}:
            other.unlink()
        self._last = path

    def _written(self, checkpoint: Checkpoint) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{os.getpid()}.tmp"
        states.save(draft, _tensors(checkpoint), _said(checkpoint))
        path = self._folder / f"{len(checkpoint.history):08}-{files.file_sha256(draft)}.safetensors"
        files.publish(draft, path)
        return path


def moments_of(optimizer: "Optimizer") -> "State":
    """What an optimizer remembers of its parameters, on the CPU: "0.exp_avg" is of the first one."""
    found = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value.cpu() for number, one in found.items() for name, value in one.items()}


def put_moments(optimizer: "Optimizer", moments: "Mapping[str, Tensor]") -> None:
    """Have an optimizer remember what `moments_of` took, in place."""
    found: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition(".")
        found.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": found})


def _tensors(checkpoint: Checkpoint) -> "State":
    groups = {"trained": checkpoint.trained, "moments": checkpoint.moments, "best": checkpoint.best or {}}
    return {f"{group}/{name}": value for group, state in groups.items() for name, value in state.items()}


def _said(checkpoint: Checkpoint) -> dict[str, str]:
    history, scores = map(asdict, checkpoint.history), map(asdict, checkpoint.scores)
    return {"history": json.dumps(list(history)), "scores": json.dumps(list(scores))}


def _content(state: "State", said: Mapping[str, str]) -> Checkpoint:
    groups: dict[str, State] = {"trained": {}, "moments": {}, "best": {}}
    for key, value in state.items():
        group, _, name = key.partition("/")
        groups[group][name] = value
    return Checkpoint(
        [Step(**one) for one in json.loads(said["history"])],
        [Score(**one) for one in json.loads(said["scores"])],
        groups["trained"],
        groups["moments"],
        groups["best"] or None,
    )
