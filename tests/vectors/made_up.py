"""Made-up vectors: a text's own, whatever is encoded beside it."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 3


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return numbers in [-1, 1] that only the text decides."""
    seeds = (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts)
    rows = [np.random.default_rng(seed).uniform(-1, 1, DIMENSIONS) for seed in seeds]
    return np.array(rows, np.float32).reshape(len(texts), DIMENSIONS)


class Encoder:
    """Encodes, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.units: list[list[str]] = []

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        """Encode one unit."""
        self.units.append(texts)
        return encode(texts)

    @property
    def texts(self) -> list[str]:
        """All that was encoded, sorted."""
        return sorted(text for unit in self.units for text in unit)
