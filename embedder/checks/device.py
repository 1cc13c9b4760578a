"""What torch would run on. Imports torch, which takes seconds."""

from pathlib import Path

from embedder.checks.check import Check
from embedder.errors import ParamsError
from embedder.params.models import Runtime

_CPU = Path("/proc/cpuinfo")
# What the CPU calls instructions that multiply bfloat16; without one it is slower than float32.
_BF16 = ("amx_bf16", "avx512_bf16", "bf16")


def device(runtime: Runtime) -> Check:
    """Which device `runtime.device` means here, and whether it computes in bfloat16."""
    import torch

    from embedder.devices import resolve

    try:
        name = resolve(runtime.device)
    except ParamsError as error:
        return Check("device", "error", str(error), "set runtime.device in params.yaml to auto or cpu")
    if name.startswith("cuda"):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        found = f"{name}, {torch.cuda.get_device_name(name)}, {'with' if bf16 else 'without'} bfloat16"
    else:
        found = f"{name}, {torch.get_num_threads()} threads, {cpu_bf16(_CPU)}"
    return Check("device", "ok", found)


def cpu_bf16(cpuinfo: Path) -> str:
    """Say whether a CPU has instructions for bfloat16, from Linux's list of its flags."""
    if not cpuinfo.exists():
        return "bfloat16 unknown"
    words = set(cpuinfo.read_text(encoding="utf-8", errors="replace").split())
    flag = next((flag for flag in _BF16 if flag in words), None)
    return f"bfloat16 by {flag}" if flag else "no bfloat16 instructions"
