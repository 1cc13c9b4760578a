"""Two real processes: each with the gradients of one, and in the end with its weights."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from embedder.training import processes
from embedder.training.launching import STARTED, run
from embedder.training.processes import Alone, joined
from tests.project import make_project, tiny_params
from tests.training import shapes
from tests.training.together import STEPS, TRAINED, State, everything, prepare

ROOT = Path(__file__).resolve().parents[2]
CASES = [f"{shape} {task}" for shape in shapes.SHAPES for task in [*shapes.TASKS, "dropout"]]

Found = dict[str, State]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found, Found]:
    """What one process makes, and what each of two does."""
    folder = tmp_path_factory.mktemp("together")
    prepare(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        assert run([sys.executable, "-m", "tests.training.together", str(folder)], 2, threads=1) == 0
    first, second = (torch.load(folder / f"{index}.pt") for index in range(2))
    return everything(folder, Alone()), first, second


def error(expected: State, found: State) -> float:
    """Return the length of the difference by that of what is expected, over all tensors."""
    assert expected.keys() == found.keys()
    between = sum(float((found[name] - expected[name]).square().sum()) for name in expected)
    return float((between / sum(float(one.square().sum()) for one in expected.values())) ** 0.5)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_have_the_gradients_of_one(found: tuple[Found, Found, Found], name: str) -> None:
    """For every shape and task, and with dropout, each of two processes ends with the whole gradients."""
    alone, first, second = (one[name] for one in found)
    assert error(alone, first) < 1e-5
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_what_is_dropped_is_the_same(found: tuple[Found, Found, Found]) -> None:
    """The gradients with dropout are others than without: their equality above says that two processes drop alike."""
    alone = found[0]
    assert error(alone["bert retrieval"], alone["bert dropout"]) > 1e-2


@pytest.mark.parametrize("name", TRAINED)
def test_two_processes_train_what_one_does(found: tuple[Found, Found, Found], name: str) -> None:
    """After a run two processes have the same weights to the bit, and those of one process but for the order of sums."""
    alone, first, second = (one[f"{name} trained"] for one in found)
    assert STEPS >= 20
    assert error(alone, first) < 1e-6
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_three_processes_exchange_uneven_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, of which one process has none, sums in several buckets and agreements reach all of three processes."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert run([sys.executable, "-m", "tests.training.together"], 3, threads=1) == 0


def test_sums_are_sent_in_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket holds as many tensors as fit, and a tensor that does not fit is alone."""
    monkeypatch.setattr(processes, "_BUCKET", 10)
    sizes = [4, 6, 1, 30, 2, 9]
    cut = [[len(one) for one in bucket] for bucket in processes._buckets([torch.zeros(size) for size in sizes])]
    assert cut == [[4, 6], [1], [30], [2], [9]]


@pytest.mark.parametrize(("started", "waits"), [(True, [60.0]), (False, [])])
def test_who_lost_another_lets_it_speak(monkeypatch: pytest.MonkeyPatch, waits: list[float], *, started: bool) -> None:
    """Where an exchange fails, a process that has a starter waits to be ended by it before it says anything."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.delenv(STARTED, raising=False)
    if started:
        monkeypatch.setenv(STARTED, "1")
    with pytest.raises(RuntimeError, match="closed"), processes._others():
        raise RuntimeError("connection closed")
    assert waited == waits


def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started by itself joins nobody."""
    monkeypatch.delenv("RANK", raising=False)
    with joined("cpu") as together:
        assert (together.index, together.count, together.agree(0.25)) == (0, 1, 0.25)
        own = torch.ones(2, 3)
        assert together.gather(own, [2]) is own


def test_a_mistake_is_one_line_of_all_processes(tmp_path: Path) -> None:
    """The stage in two processes ends a user's mistake with exit code 2 and one line, as in one."""
    params = tiny_params()
    folder = make_project(tmp_path / "project", params | {"runtime": params["runtime"] | {"processes": 2}})
    command = [sys.executable, "-m", "stages.finetune"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
