"""Where torch runs and how reproducibly: `runtime.device`, `runtime.threads`, seeds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedder.errors import ParamsError
from embedder.params.runtime import Runtime

_CPU = Path("/proc/cpuinfo")
# What a CPU calls instructions that multiply bfloat16, the fastest first.
_BFLOAT16 = ("amx_bf16", "avx512_bf16", "bf16")


def configure(runtime: Runtime) -> str:
    """Set torch's threads, turn the libraries' own bars off, and return the device to run on.

    Raises:
        ParamsError: `runtime.device` is none of this machine's.
    """
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
    return resolve(runtime.device)


def resolve(device: str) -> str:
    """Turn "auto" into "cuda" where there is a GPU and "cpu" elsewhere; check any other name.

    Raises:
        ParamsError: it is none of this machine's devices.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ParamsError(f"runtime.device: '{device}' cannot be used here ({reason}); use auto or cpu") from error
    return device


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bfloat16_flag(cpuinfo: Path = _CPU) -> str | None:
    """Return what this CPU calls its instructions that multiply bfloat16; None without any, or where Linux does not tell.

    Without them a product in bfloat16 is slower than one in float32.
    """
    if not cpuinfo.exists():
        return None
    words = set(cpuinfo.read_text(encoding="utf-8", errors="replace").split())
    return next((flag for flag in _BFLOAT16 if flag in words), None)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed torch and ask it for deterministic operations within the block; leave its state as it was.

    Where a device has no deterministic kernel torch warns and goes on: bytes are promised per device type only.
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
