"""Where and how reproducibly torch runs."""

import pytest
import torch

from embedder.devices import configure, reproducible, resolve
from embedder.errors import ParamsError
from embedder.params.models import Runtime


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
