"""Processes that are threads: quick to start, for what does not depend on torch's generator."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

Found = TypeVar("Found")


class Threads:
    """One of several threads, as `embedder.training.processes.Processes`."""

    def __init__(self, index: int, count: int, barrier: Barrier, slots: list[list[torch.Tensor]]) -> None:
        self.index, self.count, self._barrier, self._slots = index, count, barrier, slots

    def gather(self, own: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        """Return the rows of all threads."""
        assert len(own) == sizes[self.index]
        return torch.cat([one for (one,) in self._all([own])])

    def add(self, gradients: Sequence[torch.Tensor]) -> None:
        """Put the sums into each thread's tensors."""
        sums = [torch.stack(same).sum(dim=0) for same in zip(*self._all(list(gradients)), strict=True)]
        self._barrier.wait()
        for one, total in zip(gradients, sums, strict=True):
            one.copy_(total)

    def agree(self, value: float) -> float:
        """Return what the first thread has."""
        return float(self._all([torch.tensor(value, dtype=torch.float64)])[0][0])

    def _all(self, own: list[torch.Tensor]) -> list[list[torch.Tensor]]:
        self._slots[self.index] = own
        self._barrier.wait()
        found = list(self._slots)
        self._barrier.wait()
        return found


def in_threads(count: int, work: Callable[[Threads], Found]) -> list[Found]:
    """Do the work in so many threads that see each other; return what each found."""
    barrier, slots = Barrier(count, timeout=60), [list[torch.Tensor]() for _ in range(count)]

    def one(index: int) -> Found:
        try:
            return work(Threads(index, count, barrier, slots))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
