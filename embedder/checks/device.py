"""What torch would run on. Imports torch, which takes seconds."""

from embedder.checks.check import Check
from embedder.devices import bfloat16_flag, resolve
from embedder.errors import ParamsError
from embedder.params.runtime import Runtime


def device(runtime: Runtime) -> Check:
    """Which device `runtime.device` means here, and whether it computes in bfloat16."""
    import torch

    try:
        name = resolve(runtime.device)
    except ParamsError as error:
        return Check("device", "error", str(error), "set runtime.device in params.yaml to auto or cpu")
    if name.startswith("cuda"):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        found = f"{name}, {torch.cuda.get_device_name(name)}, {'with' if bf16 else 'without'} bfloat16"
    else:
        found = f"{name}, {torch.get_num_threads()} threads, {_bfloat16()}"
    return Check("device", "ok", found)


def _bfloat16() -> str:
    flag = bfloat16_flag()
    return f"bfloat16 by {flag}" if flag else "no bfloat16 instructions that Linux tells of"
