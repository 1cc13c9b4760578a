"""Random generators that depend on a seed and on names alone."""

import hashlib

import numpy as np


def rng(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on `seed` and `names`: not on order, workers or the hash seed."""
    content = "\0".join((str(seed), *names)).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:16], "big"))
