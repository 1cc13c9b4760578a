"""What a text is called in the store: half of a hash of it, 16 bytes whatever its length."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.bytes_]
"""[n] of dtype S16. Two of 2**40 texts share a key with a chance of 2e-15."""

KEY_BYTES = 16


def text_keys(texts: Iterable[str]) -> Keys:
    """Return the first 16 bytes of BLAKE2b of each text's UTF-8.

    Args:
        texts: [n] texts; lone surrogates, which UTF-8 has no bytes for, are texts like others.
    """
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES] for text in texts)
    return np.fromiter(digests, np.dtype(f"S{KEY_BYTES}"))
