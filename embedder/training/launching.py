"""Start the processes that train together, watch them, and end with the code and the words of the first that fails.

torchrun would do, but it ends with 1 whatever the processes end with, and writes a report of its own below theirs.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO

from embedder import devices
from embedder.errors import ParamsError
from embedder.params.runtime import Runtime

STARTED = "EMBEDDER_STARTED"
"""Set in a process that `launch` started, and that ends when its starter does."""

# A mistake is the same in all processes, so the first one will say it by itself; if not by then, another one's is said.
_GRACE = 5.0
_POLL = 0.05

Process = subprocess.Popen[bytes]


def launch(module: str, runtime: Runtime) -> None:
    """Run `python -m module` in as many processes as `runtime` wants, and end with their exit code.

    Returns without doing anything where one process is wanted, and in one that was started with others: by this
    function, by torchrun or by `accelerate launch`.

    Raises:
        ParamsError: `runtime` wants several where each cannot have a device of its own.
        SystemExit: all have ended.
    """
    if STARTED in os.environ:
        threading.Thread(target=_end_with_the_starter, daemon=True).start()
    elif "RANK" not in os.environ and (count := wanted(runtime)) > 1:
        raise SystemExit(run([sys.executable, "-m", module], count, runtime.threads))


def wanted(runtime: Runtime) -> int:
    """How many processes train: `runtime.processes`, or one a GPU, or one.

    Raises:
        ParamsError: there are not so many GPUs, or they are to share one.
    """
    device = runtime.device
    if runtime.processes == 1 or (runtime.processes is None and device not in ("auto", "cuda")):
        return 1
    kind = devices.resolve(device)
    if kind == "cpu":
        return runtime.processes or 1
    count = _gpus() if kind == "cuda" else 1
    if runtime.processes and runtime.processes > count:
        raise ParamsError(
            f"runtime.processes: {runtime.processes} do not fit on device '{device}', which has room for {count}: one a "
            "GPU; lower it or write null"
        )
    return runtime.processes or max(count, 1)


def run(command: Sequence[str], count: int, threads: int | None = None) -> int:
    """Run `command` in `count` processes that find each other, and return the exit code of the first that fails, or 0.

    The first one writes to this process's stdout and stderr. The others' stdout is dropped, and their stderr too,
    unless one of them fails and the first does not. All are gone when this returns, and soon after this process is.

    Args:
        command: that each of them runs.
        count: how many.
        threads: of each; None to share the cores out.
    """
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": str(threads or os.environ.get("OMP_NUM_THREADS") or max(1, devices.cores() // count)),
        STARTED: "1",
    }
    processes: list[Process] = []
    with ExitStack() as stack:
        errors = [stack.enter_context(TemporaryFile()) for _ in range(count)]
        for index in range(count):
            environment = os.environ | shared | _place(index, count)
            processes.append(stack.enter_context(_started(command, environment, errors[index] if index else None)))
        return _watched(processes, errors)


@contextmanager
def _started(command: Sequence[str], environment: dict[str, str], errors: IO[bytes] | None) -> Iterator[Process]:
    """Run it until the end of the block at most; without `errors` it writes where this process does."""
    stdout = subprocess.DEVNULL if errors else None
    # Nothing is ever written to its stdin: it ends when this process does, however that ends.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, stderr=errors, env=environment)  # noqa: S603 - our own command
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _place(index: int, count: int) -> dict[str, str]:
    """What torch.distributed reads, as torchrun sets it."""
    names = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    return {name: str(value) for name, value in names.items()}


def _watched(processes: Sequence[Process], errors: Sequence[IO[bytes]]) -> int:
    """Wait until all have ended well or one has not."""
    while True:
        codes = [process.poll() for process in processes]
        if codes[0]:
            return _told(0, codes[0], b"")
        if failed := [index for index, code in enumerate(codes) if code]:
            with suppress(subprocess.TimeoutExpired):
                if code := processes[0].wait(_GRACE):
                    return _told(0, code, b"")
            errors[failed[0]].seek(0)
            return _told(failed[0], codes[failed[0]] or 0, errors[failed[0]].read())
        if all(code == 0 for code in codes):
            return 0
        time.sleep(_POLL)


def _told(index: int, code: int, words: bytes) -> int:
    """Say why a process failed, unless it said so itself; return the exit code, as a shell counts signals."""
    sys.stderr.buffer.write(words)
    sys.stderr.flush()
    if code > 0:
        return code
    name = signal.Signals(-code).name
    hint = "; out of memory?" if -code == signal.SIGKILL else ""
    print(f"error: process {index} of those that train together was ended by {name}{hint}", file=sys.stderr)  # noqa: T201
    return 128 - code


def _end_with_the_starter() -> None:
    with suppress(OSError):
        os.read(0, 1)
    os._exit(1)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
