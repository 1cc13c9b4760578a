"""The processes that train together: each encodes its share of a batch's texts, and all see the whole batch."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from embedder.training.launching import STARTED

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Numbers that are sent at once: 64 MiB.
_BUCKET = 1 << 24
_PATIENCE = 60.0


class Processes(Protocol):
    """All that training asks of them."""

    @property
    def index(self) -> int:
        """Which of them this is, from 0; the first writes files and prints."""
        ...

    @property
    def count(self) -> int:
        """How many they are."""
        ...

    def gather(self, own: "Tensor", sizes: Sequence[int]) -> "Tensor":
        """Return the rows of all processes, those of the first one first.

        Args:
            own: [rows, dimensions] this one's.
            sizes: how many rows each of them has.
        """
        ...

    def add(self, gradients: "Sequence[Tensor]") -> None:
        """Put the sum of all processes' tensors into each."""
        ...

    def agree(self, value: float) -> float:
        """Return what the first of them has, so that all decide alike."""
        ...


class Alone:
    """One process."""

    index = 0
    count = 1

    def gather(self, own: "Tensor", sizes: Sequence[int]) -> "Tensor":
        """Return `own`."""
        del sizes
        return own

    def add(self, gradients: "Sequence[Tensor]") -> None:
        """Leave them as they are."""

    def agree(self, value: float) -> float:
        """Return `value`."""
        return value


class Several:
    """Processes of one machine or of several, through torch.distributed: gloo on CPUs, NCCL on GPUs; see `joined`.

    Args:
        device: of this one's tensors.
    """

    def __init__(self, device: "torch.device") -> None:
        from torch import distributed

        self._device = device
        self.index, self.count = distributed.get_rank(), distributed.get_world_size()

    def gather(self, own: "Tensor", sizes: Sequence[int]) -> "Tensor":
        """Pad to the most rows, send, and take the padding out: see `Processes.gather`."""
        import torch
        from torch import distributed

        most = max(sizes)
        padded = own.new_zeros(most, own.shape[1])
        padded[: len(own)] = own
        found = list(torch.split(own.new_empty(self.count * most, own.shape[1]), most))
        with _others():
            distributed.all_gather(found, padded)
        return torch.cat([part[:size] for part, size in zip(found, sizes, strict=True)])

    def add(self, gradients: "Sequence[Tensor]") -> None:
        """Sum them in buckets, for hundreds of small adapters: see `Processes.add`."""
        import torch
        from torch import distributed

        for bucket in _buckets(gradients):
            total = torch.cat([one.reshape(-1) for one in bucket])
            with _others():
                distributed.all_reduce(total)
            for one, part in zip(bucket, torch.split(total, [one.numel() for one in bucket]), strict=True):
                one.copy_(part.view_as(one))

    def agree(self, value: float) -> float:
        """Send what the first has: see `Processes.agree`."""
        import torch
        from torch import distributed

        sent = torch.tensor([value], dtype=torch.float64, device=self._device)
        with _others():
            distributed.broadcast(sent, src=0)
        return float(sent)


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that were started together: by `launching.launch`, torchrun or `accelerate launch`.

    Within the block the device "cuda" is this process's own GPU.

    Args:
        device: "cpu", or "cuda".
    """
    if "RANK" not in os.environ:
        yield Alone()
        return
    from accelerate import PartialState

    # Whoever waits for long, waits for an evaluation; that another process is gone is seen at once.
    state = PartialState(cpu=device == "cpu", timeout=timedelta(days=1))
    done = False
    try:
        yield Several(state.device)
        done = True
    finally:
        # After an error the others may be waiting for this one, and NCCL would wait for them.
        if done or state.backend == "gloo":
            state.destroy_process_group()


@contextmanager
def _others() -> Iterator[None]:
    """Where another process is gone, wait for the starter to end this one: what happened is said once, and not here."""
    try:
        yield
    except RuntimeError:
        if STARTED in os.environ:
            time.sleep(_PATIENCE)
        raise


def _buckets(tensors: "Sequence[Tensor]") -> "Iterator[list[Tensor]]":
    """Cut into lists of at most so many numbers, or of one tensor."""
    bucket: list[Tensor] = []
    size = 0
    for one in tensors:
        if bucket and size + one.numel() > _BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(one)
        size += one.numel()
    if bucket:
        yield bucket
