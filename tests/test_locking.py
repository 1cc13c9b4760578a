"""One process at a time works in a folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedder.errors import EmbedderError
from embedder.locking import locked

HOLD = """
import sys
from pathlib import Path
from embedder.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(root: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the folder until its input ends."""
    command = [sys.executable, "-c", HOLD, str(root)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_process_is_refused_at_once(tmp_path: Path) -> None:
    """Whoever comes second is told the holder's number and command; when it ends, the folder is free."""
    root = tmp_path / "vectors"
    child = hold(root)
    with pytest.raises(EmbedderError, match=rf"vectors: held by process {child.pid} \(-c .*\); wait"), locked(root):
        pass
    child.communicate()
    with locked(root):
        assert (root / "lock").read_text().startswith(f"{os.getpid()} ")
    assert (root / "lock").read_text() == ""


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    """After kill -9 the folder is free, whatever the lock file says."""
    with hold(tmp_path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert (tmp_path / "lock").read_text().startswith(f"{child.pid} ")
        with locked(tmp_path):
            pass


def test_an_error_lets_go(tmp_path: Path) -> None:
    """A store is free after an error as after a good end."""
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass


def test_a_process_may_not_hold_it_twice(tmp_path: Path) -> None:
    """Taking a lock that this process holds is refused too, not waited for."""
    with locked(tmp_path), pytest.raises(EmbedderError, match=f"held by process {os.getpid()} "), locked(tmp_path):
        pass


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where locks are not supported the message says what to do."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(EmbedderError, match="put it on a file system with locks"), locked(tmp_path):
        pass
