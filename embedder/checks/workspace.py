"""The project's folder: its git and DVC repositories, who works in it, what lies about, how much room is left."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from embedder.checks.check import Check, some

_LITTLE_ROOM = 5e9


def repository() -> Check:
    """Whether there are a git and a DVC repository; DVC does not start without them."""
    if not shutil.which("git"):
        return Check("repository", "error", "git is not installed", "install git; DVC needs it")
    if _git("rev-parse", "--git-dir"):
        return Check("repository", "error", "this is no git repository", "git init")
    if not Path(".dvc").is_dir():
        return Check("repository", "error", "DVC is not initialised here", "dvc init")
    return Check("repository", "ok", "git and DVC are initialised")


def dvc_lock() -> Check:
    """Whether git ignores dvc.lock, which DVC refuses."""
    if shutil.which("git") and _git("check-ignore", "--quiet", "dvc.lock") == 0:
        advice = "take it out of .gitignore; git check-ignore -v dvc.lock names the line"
        return Check("dvc.lock", "error", "is ignored by git, which DVC refuses", advice)
    return Check("dvc.lock", "ok", "is not ignored by git")


def running(tmp: Path) -> Check:
    """Whether a process holds one of DVC's locks in `.dvc/tmp`, and which."""
    rwlock = tmp / "rwlock"
    try:
        holders = dict(_readers_and_writers(rwlock))
    except (ValueError, AttributeError, KeyError, TypeError):
        return Check("DVC locks", "error", f"{rwlock} is damaged", f"delete {rwlock} when no dvc is running")
    if _is_locked(tmp / "lock"):
        holders.setdefault(int((tmp / "lock").read_text(encoding="utf-8")), "dvc")
    alive = [f"process {pid} ({command})" for pid, command in sorted(holders.items()) if is_alive(pid)]
    if alive:
        return Check("DVC locks", "warning", f"held by {some(alive)}", "wait for it, or stop it, before another dvc")
    return Check("DVC locks", "ok", "held by no process")


def cache(folder: Path) -> Check:
    """How large the cache is."""
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    return Check("cache", "ok", f"{folder} holds {len(sizes):,} files, {megabytes(sum(sizes))}; it is safe to delete")


def leftovers(data: Path) -> Check:
    """Which half-written files and folders lie about whose process has ended."""
    drafts = [draft for draft in sorted(data.rglob(".*.tmp")) if not is_alive(_writer(draft))]
    if drafts:
        names = some([str(draft) for draft in drafts])
        return Check("leftovers", "warning", f"half written: {names}", "delete them; whoever wrote them was stopped")
    return Check("leftovers", "ok", "nothing is half written")


def disk(folder: Path) -> Check:
    """How much room is left where data are written."""
    free = shutil.disk_usage(folder if folder.exists() else ".").free
    if free < _LITTLE_ROOM:
        return Check("disk", "warning", f"only {megabytes(free)} are free", "make room; dvc gc -w removes old results")
    return Check("disk", "ok", f"{megabytes(free)} are free")


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def megabytes(count: float) -> str:
    """A number of bytes in MB, or from 10 GB on in GB."""
    return f"{count / 1e9:,.0f} GB" if count >= 1e10 else f"{count / 1e6:,.1f} MB"  # noqa: PLR2004 - said above


def _git(*arguments: str) -> int:
    return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode  # noqa: S603, S607 - git of PATH, no shell


def _readers_and_writers(rwlock: Path) -> Iterator[tuple[int, str]]:
    """The processes DVC noted: {"write": {path: process}, "read": {path: [process]}}."""
    if rwlock.exists():
        content = json.loads(rwlock.read_text(encoding="utf-8"))
        for held in content.values():
            for processes in held.values():
                for process in processes if isinstance(processes, list) else [processes]:
                    yield int(process["pid"]), str(process["cmd"])


def _is_locked(lock: Path) -> bool:
    """Whether a process holds DVC's lock file; asking takes it for an instant, and DVC tries again for 3 s."""
    if not lock.exists():
        return False
    with lock.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return file.read().strip().isdigit()
    return False


def _writer(draft: Path) -> int:
    """The process whose number is in a draft's name: `.NAME.PID.tmp`; 0 without one."""
    number = draft.name.split(".")[-2]
    return int(number) if number.isdigit() else 0
