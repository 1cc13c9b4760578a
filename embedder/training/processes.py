"""The processes that train together: each encodes its share of a batch's texts, and all see the whole batch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


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
