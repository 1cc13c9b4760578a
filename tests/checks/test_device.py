"""What torch would run on."""

from pathlib import Path

import pytest

from embedder.checks.device import cpu_bf16, device
from embedder.params.models import Runtime


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("fpu avx512_bf16 amx_bf16 amx_tile", "bfloat16 by amx_bf16"),
        ("fpu avx512_bf16", "bfloat16 by avx512_bf16"),
        ("fpu avx2", "no bfloat16 instructions"),
    ],
)
def test_a_cpus_flags_tell_of_bfloat16(flags: str, said: str, tmp_path: Path) -> None:
    """Whether a CPU multiplies bfloat16 is read from its flags, the fastest unit named."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert cpu_bf16(tmp_path / "cpuinfo") == said
    assert cpu_bf16(tmp_path / "none") == "bfloat16 unknown"


def test_the_cpu_is_named_with_its_threads() -> None:
    """On the CPU the check tells the threads and whether bfloat16 pays."""
    found = device(Runtime(device="cpu"))
    assert found.level == "ok"
    assert found.found.startswith("cpu, ")
    assert "threads, " in found.found


def test_a_device_that_is_not_there_is_an_error() -> None:
    """A runtime.device this machine lacks is an error that says what to write instead."""
    found = device(Runtime(device="nonsense"))
    assert (found.level, found.advice) == ("error", "set runtime.device in params.yaml to auto or cpu")
