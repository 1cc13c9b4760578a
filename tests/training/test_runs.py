"""A training run: gone on with after a kill, scored, stopped, and nothing of it different for that."""

import csv
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from embedder import layout
from embedder.errors import EmbedderError, StudentError
from embedder.params.finetune import Selection
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.training import live, runs
from embedder.training.checkpoints import Checkpoints
from embedder.training.processes import Alone
from embedder.training.states import state_of
from tests.training.made_up import adapted, work_of
from tests.training_sets import student

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sentence_transformers import SentenceTransformer

    from embedder.training.history import Step
    from embedder.training.runs import Run
    from embedder.training.states import State

IDENTITY = {"shards": "a", "base": "b"}
DROPS = {"r": 2, "alpha": 4, "dropout": 0.3, "targets": "all-linear"}
OFTEN = Runtime(device="cpu", checkpoint_steps=2)


class Killed(BaseException):
    """Ends a run as a signal does, without a word."""


class Scores:
    """A scorer that says what is written, and counts how often it is asked."""

    def __init__(self, values: "Sequence[float]", start: int = 0) -> None:
        self.values, self.asked = values, start

    def __call__(self) -> float:
        """Say the next one."""
        self.asked += 1
        return self.values[self.asked - 1]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> "Callable[[int], None]":
    """Have the next run die when so many steps are done, before anything is made of the last of them."""
    done = runs.Going.done

    def kill_at(steps: int) -> None:
        def die(going: runs.Going, step: "Step", seconds: float) -> None:
            if step.step + 1 == steps:
                monkeypatch.setattr(runs.Going, "done", done)
                raise Killed
            done(going, step, seconds)

        monkeypatch.setattr(runs.Going, "done", die)

    return kill_at


def selection(every: int | None = 1, patience: int | None = None) -> Selection:
    """Return a selection that scores every so many steps."""
    return Selection(share=0.5, every=every, patience=patience, scales=[1.0], seeds=1)


def carried_out(
    fresh: "Callable[[], SentenceTransformer]",
    used: Student | None = None,
    *,
    seed: int = 1,
    chosen: Selection | None = None,
    scorer: "Callable[[], float] | None" = None,
    runtime: Runtime = OFTEN,
    identity: dict[str, str] = IDENTITY,
) -> "tuple[Run, State]":
    """Carry out a run with a fresh model; return it and the weights it leaves."""
    used = used or student(lora=DROPS)
    model = adapted(fresh, used)
    found = runs.run(model, work_of(used), runtime, identity, seed=seed, selection=chosen, scorer=scorer)
    assert not model.training
    return found, state_of(model)


def assert_same(left: "State", right: "State") -> None:
    """Compare weights to the bit."""
    assert left.keys() == right.keys()
    assert all(torch.equal(value, right[name]) for name, value in left.items())


def checkpoints(seed: int = 1) -> list[int]:
    """After how many steps there are checkpoints of the run."""
    return sorted(int(path.name[:8]) for path in runs.folder_of(IDENTITY, seed).glob("*.safetensors"))


def test_a_run_is_its_steps(fresh: "Callable[[], SentenceTransformer]") -> None:
    """A run has one row of history a step, a checkpoint every so many and at its end, and no score by itself."""
    run, _ = carried_out(fresh, runtime=Runtime(device="cpu", checkpoint_steps=4))
    assert [one.step for one in run.history] == list(range(6))
    assert (run.scores, run.kept) == ([], None)
    assert checkpoints() == [4, 6]


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_a_killed_run_goes_on(
    fresh: "Callable[[], SentenceTransformer]", kill: "Callable[[int], None]", steps: int
) -> None:
    """Killed in whatever step, the same run again leaves the same history and weights, to the bit, dropout and all."""
    expected, weights = carried_out(fresh, identity={"shards": "of another run"})
    kill(steps)
    with pytest.raises(Killed):
        carried_out(fresh)
    assert checkpoints() == [one for one in (2, 4) if one < steps]
    found, resumed = carried_out(fresh)
    assert found == expected
    assert_same(weights, resumed)


def test_what_was_done_is_not_done_again(
    fresh: "Callable[[], SentenceTransformer]",
    kill: "Callable[[int], None]",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second process carries out the steps after the newest checkpoint alone, and says in a line that it goes on."""
    kill(5)
    with pytest.raises(Killed):
        carried_out(fresh)
    capsys.readouterr()
    done: list[int] = []
    take = runs.Going.done

    def note(going: runs.Going, step: "Step", seconds: float) -> None:
        done.append(step.step)
        take(going, step, seconds)

    monkeypatch.setattr(runs.Going, "done", note)
    carried_out(fresh)
    assert done == [4, 5]
    assert capsys.readouterr().err == "finetune: going on after 4 of 6 steps, from a checkpoint\n"


def test_a_run_that_is_over_is_not_carried_out_again(
    fresh: "Callable[[], SentenceTransformer]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after its end, as in the run of the next seed, a run is read from its last checkpoint."""
    expected, weights = carried_out(fresh)
    monkeypatch.setattr(runs.Going, "done", None)
    found, again = carried_out(fresh)
    assert found == expected
    assert_same(weights, again)


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    fresh: "Callable[[], SentenceTransformer]",
    kill: "Callable[[int], None]",
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a bit flipped in the newest one the run goes on from the one before, says so, and ends the same."""
    expected, weights = carried_out(fresh, identity={"shards": "of another run"})
    kill(6)
    with pytest.raises(Killed):
        carried_out(fresh)
    newest = max(runs.folder_of(IDENTITY, 1).iterdir())
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    capsys.readouterr()
    found, resumed = carried_out(fresh)
    assert capsys.readouterr().err.splitlines() == [
        f"{newest}: is not as it was written; going on from the one before",
        "finetune: going on after 2 of 6 steps, from a checkpoint",
    ]
    assert found == expected
    assert_same(weights, resumed)


def test_a_checkpoint_of_another_run_is_not_read(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Another identity, or another seed of the same, begins at its first step."""
    _, weights = carried_out(fresh)
    other, _ = carried_out(fresh, identity=IDENTITY | {"shards": "others"})
    assert len(other.history) == 6
    _, seeded = carried_out(fresh, seed=2)
    assert any(not torch.equal(value, seeded[name]) for name, value in weights.items())
    assert checkpoints(1) == checkpoints(2) == [4, 6]


def test_checkpoints_are_forgotten(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Those of all seeds and identities go, all else in the folder stays, and forgetting twice does no harm."""
    for seed in (1, 2):
        carried_out(fresh, seed=seed)
    carried_out(fresh, identity={"shards": "others"})
    (layout.TRAINING / "tensorboard").mkdir()
    with runs.alone(Alone()):
        for _ in range(2):
            runs.forget()
    assert sorted(path.name for path in layout.TRAINING.iterdir()) == ["lock", "speed.csv", "tensorboard"]


def test_nothing_to_forget_is_no_mistake() -> None:
    """Without a folder there is nothing to remove."""
    runs.forget()
    assert not layout.TRAINING.exists()


def test_checkpoints_change_no_bit(fresh: "Callable[[], SentenceTransformer]") -> None:
    """A run with a checkpoint at each step ends as one with none but the last."""
    runtimes = [Runtime(device="cpu", checkpoint_steps=steps) for steps in (1, 1000)]
    each, none = (
        carried_out(fresh, runtime=runtime, identity={"run": str(number)}) for number, runtime in enumerate(runtimes)
    )
    assert each[0] == none[0]
    assert_same(each[1], none[1])


def test_the_best_state_is_kept(fresh: "Callable[[], SentenceTransformer]") -> None:
    """The model ends with the weights of the highest score, of equal ones the earliest; the history has all steps."""
    used = student(lora=DROPS)
    model, states = adapted(fresh, used), []
    values = [0.1, 0.3, 0.2, 0.3, 0.1, 0.2]

    def scorer() -> float:
        states.append(state_of(model))
        model.eval()
        return values[len(states) - 1]

    run = runs.run(model, work_of(used), OFTEN, IDENTITY, seed=1, selection=selection(), scorer=scorer)
    assert [(one.step, one.value) for one in run.scores] == list(enumerate(values))
    assert (run.kept, len(run.history)) == (1, 6)
    assert_same(state_of(model), states[1])
    _, unscored = carried_out(fresh, used, identity={"run": "without scores"})
    assert_same(states[-1], unscored)


def test_a_run_ends_when_there_is_no_more_hope(fresh: "Callable[[], SentenceTransformer]") -> None:
    """After two scores without a better one it ends, with a checkpoint, and its later steps are not carried out."""
    scorer = Scores([0.1, 0.5, 0.4, 0.5])
    run, _ = carried_out(fresh, chosen=selection(patience=2), scorer=scorer)
    assert (scorer.asked, len(run.history), run.kept) == (4, 4, 1)
    assert checkpoints() == [2, 4]


@pytest.mark.parametrize(("patience", "steps"), [(None, 5), (3, 5), (2, 3)])
def test_a_killed_run_remembers_its_scores(
    fresh: "Callable[[], SentenceTransformer]",
    kill: "Callable[[int], None]",
    patience: int | None,
    steps: int,
) -> None:
    """Scores, best weights and patience go on as if there had been no kill."""
    values, chosen = [0.1, 0.6, 0.4, 0.5, 0.3, 0.2], selection(patience=patience)
    expected, weights = carried_out(fresh, chosen=chosen, scorer=Scores(values), identity={"run": "another"})
    kill(steps)
    with pytest.raises(Killed):
        carried_out(fresh, chosen=chosen, scorer=Scores(values))
    found, resumed = carried_out(fresh, chosen=chosen, scorer=Scores(values, start=checkpoints()[-1]))
    assert found == expected
    assert found.kept == 1
    assert_same(weights, resumed)


def test_scores_are_taken_when_they_are_due(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Every fourth step and the last are scored; without `every`, or without a scorer, none is."""
    run, _ = carried_out(fresh, chosen=selection(every=4), scorer=Scores([0.1, 0.2]))
    assert [one.step for one in run.scores] == [3, 5]
    for chosen, scorer in ((selection(every=None), Scores([])), (selection(), None), (None, Scores([]))):
        run, _ = carried_out(fresh, chosen=chosen, scorer=scorer, identity={"run": "unscored"})
        assert (run.scores, run.kept) == ([], None)


def test_a_score_that_is_no_number_ends_the_run(fresh: "Callable[[], SentenceTransformer]") -> None:
    """It could choose nothing, so the step is named."""
    with pytest.raises(StudentError, match="step 1: the score of the dev queries is nan"):
        carried_out(fresh, chosen=selection(every=2), scorer=Scores([float("nan")]))


def test_the_speed_can_be_read_while_the_run_goes_on(
    fresh: "Callable[[], SentenceTransformer]", kill: "Callable[[int], None]"
) -> None:
    """Every step is in speed.csv when it is scored, and once after a kill."""
    seen: list[list[int]] = []

    def scorer() -> float:
        with layout.SPEED.open(newline="") as file:
            seen.append([int(row["step"]) for row in csv.DictReader(file)])
        return 0.5

    kill(4)
    with pytest.raises(Killed):
        carried_out(fresh, chosen=selection(), scorer=scorer)
    assert seen == [list(range(step)) for step in range(3)]
    carried_out(fresh, chosen=selection(), scorer=scorer)
    with layout.SPEED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(6))
    assert all(float(row["tokens_per_second"]) > 0 and int(row["peak_memory"]) > 0 for row in rows)


def test_figures_go_where_the_run_is_watched(
    fresh: "Callable[[], SentenceTransformer]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step tells loss, rate, norm, quantiles, padding, speed and memory, and its score where it has one."""
    told: list[tuple[int, dict[str, float]]] = []

    class Place:
        """Notes what it is told."""

        def __init__(self, folder: Path, start: int) -> None:
            assert (folder, start) == (layout.TRAINING / "dvclive", 0)

        def __enter__(self) -> "Callable[[int, dict[str, float]], None]":
            return lambda step, figures: told.append((step, figures))

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setitem(live.PLACES, "dvclive", Place)
    runtime = Runtime(device="cpu", live="dvclive")
    run, _ = carried_out(fresh, chosen=selection(every=6), scorer=Scores([0.5]), runtime=runtime)
    assert [step for step, _ in told] == list(range(6))
    assert set(told[-1][1]) - set(told[0][1]) == {"score"}
    quantiles = {f"{kind}_{one}" for kind in ("positive", "negative") for one in (10, 50, 90)}
    names = {"loss", "learning_rate", "gradient_norm", "padding", "tokens_per_second", "texts_per_second"}
    assert set(told[0][1]) == names | quantiles | {"peak_memory"}
    assert [figures["loss"] for _, figures in told] == [one.loss for one in run.history]


def test_progress_counts_what_was_done_before_and_not_in_the_speed(
    fresh: "Callable[[], SentenceTransformer]",
    kill: "Callable[[int], None]",
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A resumed run shows all steps that are done, and how long the rest takes at the speed of its own."""
    kill(5)
    with pytest.raises(Killed):
        carried_out(fresh)
    capsys.readouterr()
    carried_out(fresh, runtime=Runtime(device="cpu", checkpoint_steps=2, log_interval=1e-9))
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "finetune: steps: 4 of 6"
    assert lines[2].startswith("finetune: steps: 5 of 6, ")
    assert lines[3].startswith("finetune: steps: 6 of 6, ")


class Pair(Alone):
    """One of two processes that both have the whole batch, so that nothing but decisions is shared."""

    count = 2

    def __init__(self, index: int, sent: list[float], here: threading.Barrier) -> None:
        self.index = index
        self._sent, self._here = sent, here

    def gather(self, own: torch.Tensor, sizes: "Sequence[int]") -> torch.Tensor:
        """Not asked for: see `work`."""
        raise NotImplementedError

    def agree(self, value: float) -> float:
        """Send what the first has."""
        if self.index == 0:
            self._sent.append(value)
        self._here.wait(60)
        found = self._sent[-1]
        self._here.wait(60)
        return found


def going_of(
    model: "SentenceTransformer", pair: Pair, scorer: "Callable[[], float]", made_up: "Sequence[Step]"
) -> "tuple[list[int], Run]":
    """Be one of two processes of a run whose steps are made up."""
    work, chosen = work_of(student(), processes=pair), selection(patience=2)
    with runs.going(model, work, OFTEN, {"run": "pair"}, seed=1, selection=chosen, scorer=scorer) as going:
        while not going.over:
            going.done(made_up[len(going.history)], 0.1)
    return [one.step for one in going.history], going.end()


def test_all_processes_stop_together(fresh: "Callable[[], SentenceTransformer]") -> None:
    """The first one scores and writes; the others take its scores, so both end after the same step."""
    used = student()
    made_up = carried_out(fresh, used, identity={"run": "alone"})[0].history
    models = [adapted(fresh, used) for _ in range(2)]
    sent: list[float] = []
    here = threading.Barrier(2)
    found: dict[int, tuple[list[int], Run]] = {}
    scorers = [Scores([0.1, 0.5, 0.4, 0.3]), Scores([])]

    def be(index: int) -> None:
        found[index] = going_of(models[index], Pair(index, sent, here), scorers[index], made_up)

    threads = [threading.Thread(target=be, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert found[0][0] == [0, 1, 2, 3]
    assert (found[0][1].kept, scorers[1].asked) == (1, 0)
    assert len(list(runs.folder_of({"run": "pair"}, 1).iterdir())) == 2


def test_processes_that_see_other_checkpoints_are_refused(fresh: "Callable[[], SentenceTransformer]") -> None:
    """On machines that do not share the project the second would begin anew while the first goes on."""
    used = student()
    work = work_of(used, processes=Pair(1, [4.0], threading.Barrier(1)))
    with pytest.raises(StudentError, match="the processes see other checkpoints"):
        runs.run(adapted(fresh, used), work, OFTEN, IDENTITY, seed=1)
    assert Checkpoints(runs.folder_of(IDENTITY, 1)).newest() is None


def test_a_second_training_is_refused() -> None:
    """While one holds the folder another is told its number, and what is not the first of several holds nothing."""
    hold = "from embedder.training import runs\nfrom embedder.training.processes import Alone\n"
    hold += "with runs.alone(Alone()):\n    print('held', flush=True)\n    input()"
    environment = os.environ | {"PYTHONPATH": str(Path(runs.__file__).resolve().parents[2])}
    child = subprocess.Popen(
        [sys.executable, "-c", hold], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(EmbedderError, match=rf"finetune: held by process {child.pid} "), runs.alone(Alone()):
        pass
    with runs.alone(Pair(1, [], threading.Barrier(1))):
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    with runs.alone(Alone()):
        pass
