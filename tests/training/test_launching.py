"""Processes that are started together: they find each other, and end together with one code and one line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embedder import devices
from embedder.errors import ParamsError
from embedder.params.runtime import Runtime
from embedder.training import launching
from embedder.training.launching import launch, run, wanted

ROOT = Path(__file__).resolve().parents[2]
# What every process of these tests does first; it is as quick as a process is.
_START = """
import os, signal, sys, time
from embedder.params.runtime import Runtime
from embedder.training.launching import launch
launch("no.such.module", Runtime(device="cpu"))
me = int(os.environ["RANK"])
"""


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def started(script: str, count: int = 3) -> int:
    """Run a script in processes, for their exit code."""
    return run([sys.executable, "-c", _START + script], count)


def test_processes_know_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process has its own place and the same address, and the cores are shared out."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS"]
    script = f"open({str(tmp_path)!r} + f'/{{me}}', 'w').write(' '.join(os.environ[one] for one in {names}))"
    assert started(script, 2) == 0
    first, second = ((tmp_path / str(index)).read_text().split() for index in range(2))
    assert (first[:4], second[:4]) == (["0", "0", "2", "2"], ["1", "1", "2", "2"])
    assert first[4:] == second[4:]
    assert int(first[6]) == max(1, devices.cores() // 2)


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("print('fine', file=sys.stderr) if me else print('done')", 0, ""),
        ("print('error: mine', file=sys.stderr)\nsys.exit(2)", 2, "error: mine\n"),
        ("time.sleep(0.5 * (me == 0))\nprint('error: mine', file=sys.stderr)\nsys.exit(2)", 2, "error: mine\n"),
        ("if me:\n    sys.exit('another')\ntime.sleep(60)", 1, "another\n"),
        ("if me == 0:\n    sys.exit(3)\ntime.sleep(60)", 3, ""),
        (
            "if me == 2:\n    os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(60)",
            137,
            "error: process 2 of those that train together was ended by SIGKILL; out of memory?\n",
        ),
        (
            "if me == 0:\n    os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)",
            143,
            "error: process 0 of those that train together was ended by SIGTERM\n",
        ),
    ],
    ids=["all well", "all fail", "the first fails last", "another fails", "the first fails", "killed", "first killed"],
)
def test_one_failure_is_said_once(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, script: str, code: int, said: str
) -> None:
    """The exit code is that of the process that failed, its words are said once, and nobody is waited for."""
    monkeypatch.setattr(launching, "_GRACE", 2.0)
    before = time.monotonic()
    assert started(script) == code
    assert capfd.readouterr().err == said
    assert time.monotonic() - before < 30


def test_only_the_first_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """What the others print is dropped."""
    assert started("print('I am', me)") == 0
    assert capfd.readouterr().out == "I am 0\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_starter_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    """Processes end by themselves when who started them is gone, however it went."""
    work = f"open({str(tmp_path)!r} + f'/{{me}}', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    script = (
        f"import sys\nfrom embedder.training.launching import run\nrun([sys.executable, '-c', {_START + work!r}], 2)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    files = [tmp_path / "0", tmp_path / "1"]
    assert _soon(lambda: all(file.exists() and file.read_text() for file in files))
    starter.send_signal(number)
    starter.wait()
    assert _soon(lambda: not any(_runs(int(file.read_text())) for file in files))


def test_a_process_that_was_started_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun and the like, and where one process is wanted, `launch` returns at once."""
    launch("no.such.module", Runtime(device="cpu"))
    launch("no.such.module", Runtime(device="cpu", processes=1))
    monkeypatch.setenv("RANK", "1")
    launch("no.such.module", Runtime(device="cpu", processes=2))


def test_a_module_is_run_in_processes(capfd: pytest.CaptureFixture[str]) -> None:
    """Where several are wanted `launch` runs the module in each, and ends with their code."""
    with pytest.raises(SystemExit) as ended:
        launch("no.such.module", Runtime(device="cpu", processes=2))
    assert ended.value.code == 1
    assert "No module named" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("device", "processes", "gpus", "expected"),
    [
        ("cpu", None, 4, 1),
        ("cpu", 3, 4, 3),
        ("cuda", None, 4, 4),
        ("cuda", 2, 4, 2),
        ("auto", None, 4, 4),
        ("cuda:1", None, 4, 1),
        ("cuda:1", 1, 4, 1),
    ],
)
def test_there_is_one_process_a_gpu(
    monkeypatch: pytest.MonkeyPatch, device: str, processes: int | None, gpus: int, expected: int
) -> None:
    """Unless written otherwise one process trains on each GPU, and one on a CPU."""
    monkeypatch.setattr(devices, "resolve", lambda name: "cuda" if name == "auto" else name)
    monkeypatch.setattr(launching, "_gpus", lambda: gpus)
    assert wanted(Runtime(device=device, processes=processes)) == expected


@pytest.mark.parametrize(("device", "room"), [("cuda", 2), ("cuda:1", 1)])
def test_processes_share_no_gpu(monkeypatch: pytest.MonkeyPatch, device: str, room: int) -> None:
    """More processes than GPUs are a mistake that is said in one line."""
    monkeypatch.setattr(devices, "resolve", lambda name: name)
    monkeypatch.setattr(launching, "_gpus", lambda: 2)
    with pytest.raises(ParamsError, match=rf"runtime.processes: 3 do not fit on device '{device}'.* room for {room}"):
        wanted(Runtime(device=device, processes=3))


def _soon(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
