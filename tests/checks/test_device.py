"""What torch would run on."""

from embedder.checks.device import device
from embedder.params.runtime import Runtime


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
