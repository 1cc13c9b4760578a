"""One process at a time works in a folder: on a store of vectors, on a training run."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from embedder.errors import EmbedderError


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the folder `root`; the kernel lets go of it when this process ends, however it ends.

    Raises:
        EmbedderError: another process holds it, or the file system knows no locks.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbedderError(f"{root}: held by {_holder(file)}; wait for it or stop it") from error
        except OSError as error:
            raise EmbedderError(f"{root}: cannot be locked ({error}); put it on a file system with locks") from error
        _sign(file)
        try:
            yield
        finally:
            file.truncate(0)


def _sign(file: TextIO) -> None:
    """Write down who holds the lock: a killed holder's line stays, which harms nobody."""
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])  # noqa: PTH119 - a string that may be empty
    file.truncate(0)
    file.write(f"{os.getpid()} {' '.join(command.split())}\n")
    file.flush()


def _holder(file: TextIO) -> str:
    file.seek(0)
    pid, _, command = file.read().strip().partition(" ")
    return f"process {pid} ({command})" if pid else "another process"
