"""Where and how reproducibly torch runs."""

from pathlib import Path

import pytest
import torch

from embedder.devices import bfloat16_flag, configure, reproducible, resolve
from embedder.errors import ParamsError
from embedder.params.runtime import Runtime


def test_auto_is_a_device_of_this_machine() -> None:
    """The device auto is cuda with a GPU and cpu without."""
    assert resolve("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(device: str) -> None:
    """A device this machine does not have is refused by the key that names it."""
    with pytest.raises(ParamsError, match=f"runtime.device: '{device}' cannot be used here"):
        resolve(device)


def test_threads_are_honoured() -> None:
    """The number of threads is torch's after configuration."""
    before = torch.get_num_threads()
    try:
        assert configure(Runtime(device="cpu", threads=1)) == "cpu"
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_reproducible_block_draws_the_same_and_leaves_no_trace() -> None:
    """Within the block torch draws what the seed says; outside, its generator and switches are as before."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with reproducible(5):
        first = torch.rand(2)
        assert torch.are_deterministic_algorithms_enabled()
    with reproducible(5):
        torch.testing.assert_close(torch.rand(2), first)
    assert not torch.are_deterministic_algorithms_enabled()
    torch.testing.assert_close(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        ("fpu avx512_bf16 amx_bf16 amx_tile", "amx_bf16"),
        ("fpu avx512_bf16", "avx512_bf16"),
        ("fpu avx2", None),
    ],
)
def test_a_cpus_flags_tell_of_bfloat16(flags: str, flag: str | None, tmp_path: Path) -> None:
    """Whether a CPU multiplies bfloat16 is read from its flags, the fastest unit named; unknown is no."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert bfloat16_flag(tmp_path / "cpuinfo") == flag
    assert bfloat16_flag(tmp_path / "none") is None
