"""A training run from its first step to its last: watched, scored, stopped early, and gone on with after a kill.

data/cache/finetune/lock                   which process trains
data/cache/finetune/speed.csv              how fast the run goes
data/cache/finetune/IDENTITY/SEED/         its last two checkpoints

A checkpoint is one file, see `checkpoints`; `finetune` removes all of them, those of other identities included, once its
outputs are in place.
"""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedder import layout
from embedder.errors import StudentError
from embedder.locking import locked
from embedder.params.finetune import Selection
from embedder.params.runtime import Runtime
from embedder.progress import meter, say
from embedder.training import live, scores, speed
from embedder.training.checkpoints import Checkpoint, Checkpoints, moments_of, put_moments
from embedder.training.history import Step
from embedder.training.loop import Work, optimizer_of, train
from embedder.training.processes import Processes
from embedder.training.scores import Score
from embedder.training.states import put, state_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.training.states import State

SCHEMA = 1
"""Of the checkpoints; those of another one are not read."""

_KEY = re.compile(r"[0-9a-f]{64}")

Show = Callable[[Step, float, Score | None], None]
"""What shows a step, the seconds that it took, and its score if it has one."""


@dataclass(frozen=True)
class Run:
    """What a run was.

    Attributes:
        history: of all its steps, whichever process carried them out.
        scores: in training; empty without a scorer.
        kept: the step whose weights the model holds: the best score's; None where it is the last one's.
    """

    history: list[Step]
    scores: list[Score]
    kept: int | None


@contextmanager
def alone(processes: Processes) -> Iterator[None]:
    """Hold data/cache/finetune from before the first run until its outputs are in place; the first process does.

    Raises:
        EmbedderError: another training holds it.
    """
    with ExitStack() as stack:
        if processes.index == 0:
            stack.enter_context(locked(layout.TRAINING))
        yield


def run(
    model: "SentenceTransformer",
    work: Work,
    runtime: Runtime,
    identity: Mapping[str, str],
    *,
    seed: int,
    selection: Selection | None = None,
    scorer: Callable[[], float] | None = None,
) -> Run:
    """Train, from the newest checkpoint of the same run where there is one; on a CPU that changes no bit.

    Args:
        model: with its adapters as the seed made them, on its device; it is changed in place.
        work: the plan and what it needs.
        runtime: how often there is a checkpoint, and where the run is shown.
        identity: hashes of all that fixes a run, its scores included, but its seed.
        seed: of the run.
        selection: how often there is a score, and when to stop; None or no scorer for never.
        scorer: tells how good the model is now; asked in the first process alone.

    Raises:
        StudentError: a loss, gradient or score is not finite, or no checkpoint can be written.
        ParamsError: what `runtime.live` names is not installed.
    """
    with ExitStack() as stack:
        it = stack.enter_context(going(model, work, runtime, identity, seed=seed, selection=selection, scorer=scorer))
        steps = stack.enter_context(closing(train(model, it.optimizer, work, seed=seed, start=len(it.history))))
        timed = speed.timed(steps)
        while not it.over:
            it.done(*next(timed))
    return it.end()


@contextmanager
def going(
    model: "SentenceTransformer",
    work: Work,
    runtime: Runtime,
    identity: Mapping[str, str],
    *,
    seed: int,
    selection: Selection | None = None,
    scorer: Callable[[], float] | None = None,
) -> Iterator["Going"]:
    """Yield a run where its newest checkpoint left it, which is told of every step; the arguments are those of `run`."""
    checkpoints = Checkpoints(folder_of(identity, seed), speaks=work.processes.index == 0)
    found = Going(model, work, checkpoints, runtime.checkpoint_steps, selection if scorer else None, scorer)
    found.resume()
    begun = _Begun(_key(identity)[:12], seed, len(found.history), str(model.device))
    with _shown(begun, work, runtime) as found.show:
        yield found


def folder_of(identity: Mapping[str, str], seed: int) -> Path:
    """Where the checkpoints of a run lie."""
    return layout.TRAINING / _key(identity) / str(seed)


def forget() -> None:
    """Remove the checkpoints of all identities, by a process that is `alone`: the outputs of one are in place.

    Those of others are of settings, inputs or code that were given up, and nothing else would ever remove them.
    """
    for folder in layout.TRAINING.glob("*"):
        if _KEY.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


class Going:
    """A run that goes on; all but its files is the same in every process.

    Attributes:
        optimizer: of the model's trained parameters.
        history: of the steps that are done.
        scores: of some of them.
        show: is told of every step.
    """

    def __init__(
        self,
        model: "SentenceTransformer",
        work: Work,
        checkpoints: Checkpoints,
        every: int,
        selection: Selection | None,
        scorer: Callable[[], float] | None,
    ) -> None:
        self.optimizer = optimizer_of(model, work.recipe)
        self.history: list[Step] = []
        self.scores: list[Score] = []
        self.show: Show = _not_shown
        self._model, self._steps, self._processes = model, len(work.batches), work.processes
        self._checkpoints, self._every = checkpoints, every
        self._selection, self._scorer = selection, scorer
        self._best: State | None = None

    @property
    def over(self) -> bool:
        """Whether no step is left, or none is worth while."""
        return len(self.history) == self._steps or scores.hopeless(self.scores, self._selection)

    def resume(self) -> None:
        """Take what the newest checkpoint holds, which must be the same for all processes."""
        found = self._checkpoints.newest()
        done = len(found.history) if found else 0
        if self._processes.agree(done) != done:
            raise StudentError(f"{layout.TRAINING}: the processes see other checkpoints; have them share the project")
        if found:
            put(self._model, found.trained)
            put_moments(self.optimizer, found.moments)
            self.history, self.scores, self._best = found.history, found.scores, found.best
            if self._processes.index == 0:
                say(f"finetune: going on after {done:,} of {self._steps:,} steps, from a checkpoint")

    def done(self, step: Step, seconds: float) -> None:
        """Take a step that is done: score it, show it, and save a checkpoint, where it is time for one.

        Raises:
            StudentError: its score is not finite, or no checkpoint can be written.
        """
        self.history.append(step)
        score = self._score(self._scorer, step) if self._scorer and self._due(step) else None
        self.show(step, seconds, score)
        if self._processes.index == 0 and (self.over or len(self.history) % self._every == 0):
            trained, moments = state_of(self._model), moments_of(self.optimizer)
            self._checkpoints.save(Checkpoint(self.history, self.scores, trained, moments, self._best))

    def end(self) -> Run:
        """Leave the model with the weights of the best score, or with the last ones."""
        kept = scores.best(self.scores)
        if self._best is not None:
            put(self._model, self._best)
        self._model.eval()
        return Run(self.history, self.scores, kept.step if kept else None)

    def _due(self, step: Step) -> bool:
        return scores.due(step.step, self._steps, self._selection)

    def _score(self, scorer: Callable[[], float], step: Step) -> Score:
        """Have the first process score, so that all stop together, and keep the weights where they are the best."""
        value = self._processes.agree(scorer() if self._processes.index == 0 else 0.0)
        if not math.isfinite(value):
            raise StudentError(f"step {step.step}: the score of the dev queries is {value}, which chooses nothing")
        score = Score(step.step, value)
        self.scores.append(score)
        if scores.best(self.scores) is score:
            self._best = state_of(self._model)
        return score


@dataclass(frozen=True)
class _Begun:
    """What is said of a run beside its steps: which it is, the first step carried out now, and where."""

    name: str
    seed: int
    start: int
    device: str


@contextmanager
def _shown(begun: _Begun, work: Work, runtime: Runtime) -> Iterator[Show]:
    """Yield what shows a step in speed.csv, where it is watched live, and on stderr: in the first process."""
    if work.processes.index:
        yield _not_shown
        return
    with ExitStack() as stack:
        tell = stack.enter_context(live.watched(runtime.live, layout.TRAINING, begun.start))
        append = stack.enter_context(speed.recorded(layout.SPEED, begun.name, begun.seed, begun.start))
        shown = stack.enter_context(meter(len(work.batches), "finetune: steps", runtime.log_interval))
        shown.skip(begun.start)

        def show(step: Step, seconds: float, score: Score | None) -> None:
            measured = speed.speed_of(begun.name, begun.seed, step, seconds, begun.device)
            append(measured)
            tell(step.step, _figures(step, measured, score))
            shown.more(1)

        yield show


def _not_shown(step: Step, seconds: float, score: Score | None) -> None:
    """Show nothing."""


def _figures(step: Step, measured: speed.Speed, score: Score | None) -> dict[str, float]:
    """What is drawn of a step."""
    found = {name: value for name, value in asdict(step).items() if isinstance(value, float)}
    found |= {name: value for name, value in asdict(measured).items() if name.endswith(("_per_second", "_memory"))}
    return found if score is None else found | {"score": score.value}


def _key(identity: Mapping[str, str]) -> str:
    content = {"schema": SCHEMA, "identity": dict(identity)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
