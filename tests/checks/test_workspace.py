"""Repositories, locks, leftovers, cache and room of the project's folder."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from embedder.checks import workspace


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="dead")
def _dead() -> int:
    """The number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def init() -> None:
    """Make the folder a git repository."""
    subprocess.run(["git", "init", "--quiet"], check=True)


def test_git_and_dvc_are_both_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No git, no git repository, no DVC repository: each is an error with its own advice."""
    assert workspace.repository().advice == "git init"
    init()
    assert workspace.repository().advice == "dvc init"
    Path(".dvc").mkdir()
    assert workspace.repository().level == "ok"
    monkeypatch.setenv("PATH", "")
    assert workspace.repository().found == "git is not installed"


def test_an_ignored_dvc_lock_is_an_error() -> None:
    """A .gitignore that covers dvc.lock is an error, because DVC stops on it."""
    init()
    assert workspace.dvc_lock().level == "ok"
    Path(".gitignore").write_text("*.lock\n")
    assert workspace.dvc_lock().level == "error"


def rwlock(pid: int, kind: str) -> None:
    """Write what DVC notes while a process works."""
    info = {"pid": pid, "cmd": "dvc repro"}
    content = {"write": {"/data": info}} if kind == "write" else {"read": {"/data": [info]}}
    Path("rwlock").write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["read", "write"])
def test_who_holds_dvcs_lock_is_named(kind: str) -> None:
    """A living process that DVC noted as reader or writer is named with its command."""
    rwlock(os.getpid(), kind)
    found = workspace.running(Path())
    assert (found.level, found.found) == ("warning", f"held by process {os.getpid()} (dvc repro)")


def test_a_process_that_has_ended_holds_nothing(dead: int) -> None:
    """What a killed process left in DVC's notes is no lock; DVC clears it itself."""
    rwlock(dead, "write")
    assert workspace.running(Path()).level == "ok"
    assert workspace.running(Path("nowhere")).level == "ok"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"write": 3}', '{"write": {"a": {"cmd": "x"}}}', '{"read": {"a": [1]}}']
)
def test_damaged_notes_are_an_error(content: str) -> None:
    """DVC stops on a damaged rwlock, so it is an error to delete it for."""
    Path("rwlock").write_text(content)
    found = workspace.running(Path())
    assert (found.level, found.advice) == ("error", "delete rwlock when no dvc is running")


def test_a_held_lock_file_names_its_process() -> None:
    """While a process holds .dvc/tmp/lock it is named by the number in it; a lock file nobody holds is no lock."""
    Path("lock").write_text(f" {os.getpid()}\n")
    assert workspace.running(Path()).level == "ok"
    with Path("lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert workspace.running(Path()).found == f"held by process {os.getpid()} (dvc)"
    assert workspace.running(Path()).level == "ok"


def test_leftovers_of_the_dead_are_listed(dead: int) -> None:
    """Drafts of processes that have ended, or of none, are listed; those of living ones are being written."""
    assert workspace.leftovers(Path("data")).level == "ok"
    Path(f"data/mine/.docs.{os.getpid()}.tmp").mkdir(parents=True)
    assert workspace.leftovers(Path("data")).level == "ok"
    Path(f"data/mine/.docs.{dead}.tmp").mkdir()
    Path("data/mine/.odd.tmp").touch()
    found = workspace.leftovers(Path("data"))
    assert (found.level, found.found) == ("warning", f"half written: data/mine/.docs.{dead}.tmp, data/mine/.odd.tmp")


def test_cache_counts_its_files() -> None:
    """The cache's files and bytes are told, links not counted; without a cache they are none."""
    assert "holds 0 files, 0.0 MB" in workspace.cache(Path("data/cache")).found
    Path("data/cache/vectors").mkdir(parents=True)
    Path("data/cache/vectors/a").write_bytes(b"x" * 1_500_000)
    Path("data/cache/link").symlink_to("vectors/a")
    assert "holds 1 files, 1.5 MB" in workspace.cache(Path("data/cache")).found


@pytest.mark.parametrize(("free", "level"), [(4.9e9, "warning"), (5e9, "ok"), (3e12, "ok")])
def test_little_room_is_a_warning(free: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 5 GB free is a warning."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert workspace.disk(Path("data")).level == level


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0.0 MB"), (2_500_000, "2.5 MB"), (9.9e9, "9,900.0 MB"), (12e9, "12 GB")]
)
def test_sizes_are_readable(count: float, said: str) -> None:
    """Sizes are told in MB, large ones in GB."""
    assert workspace.megabytes(count) == said


def test_no_process_has_a_number_below_one() -> None:
    """Numbers that mean groups of processes, or none at all, are not asked for."""
    assert workspace.is_alive(os.getpid())
    assert not any(workspace.is_alive(pid) for pid in (0, -1, 10**30))
