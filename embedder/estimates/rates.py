"""How fast this machine multiplies: measured in a fraction of a second, for estimates alone."""

import time
from functools import cached_property

from embedder import devices
from embedder.params.runtime import Runtime

# Models are not all products: so much of the peak is what they reach.
_EFFICIENCY = 0.5
_ROWS, _INNER, _COLUMNS = 2_048, 1_024, 1_024
_SECONDS = 0.2
_MOST = 5


class Measured:
    """The device that `runtime` names; torch is imported when it is first asked."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rates: dict[str, float] = {}

    @cached_property
    def device(self) -> str:
        """Its torch name."""
        return devices.configure(self._runtime)

    def rate(self, dtype: str) -> float:
        """FLOP per second that a model reaches in a dtype: half of what a large product does."""
        if dtype not in self._rates:
            self._rates[dtype] = _EFFICIENCY * _peak(self.device, dtype)
        return self._rates[dtype]

    def is_native(self, dtype: str) -> bool:
        """Whether there are instructions for a dtype, so that it is no slower than float32."""
        import torch

        if dtype == "float32":
            return True
        if self.device.startswith("cuda"):
            return dtype == "float16" or torch.cuda.is_bf16_supported(including_emulation=False)
        return dtype == "bfloat16" and devices.bfloat16_flag() is not None


def _peak(device: str, dtype: str) -> float:
    """The fastest of a few products, in FLOP per second."""
    import torch

    left = torch.ones(_ROWS, _INNER, dtype=getattr(torch, dtype), device=device)
    right = torch.ones(_INNER, _COLUMNS, dtype=getattr(torch, dtype), device=device)
    fastest, spent = float("inf"), 0.0
    for number in range(_MOST + 1):
        start = time.perf_counter()
        _ = left @ right
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        spent += seconds
        # The first one makes ready.
        fastest = min(fastest, seconds) if number else fastest
        if number and spent > _SECONDS:
            break
    return 2.0 * _ROWS * _INNER * _COLUMNS / fastest
