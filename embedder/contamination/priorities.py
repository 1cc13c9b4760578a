"""A random number for every pair of a query and a passage, the same in whatever order and blocks pairs are seen."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Words = NDArray[np.uint64]


def priorities(seed: str, query_ids: pa.Array | pa.ChunkedArray, passage_ids: pa.Array | pa.ChunkedArray) -> Words:
    """Return 64 random bits of each pair; the pairs with the smallest are a random sample of any size.

    Args:
        seed: what they are drawn for; another seed, other numbers.
        query_ids: [n] strings.
        passage_ids: [n] strings.
    """
    salt = np.uint64(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    return _mixed(_mixed(_hashes(query_ids) ^ salt) + _hashes(passage_ids))


def _hashes(ids: pa.Array | pa.ChunkedArray) -> Words:
    """Return 64 bits of each string; each distinct one is hashed once."""
    encoded = pc.dictionary_encode(ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids)
    distinct = [hashlib.blake2b(one.encode(), digest_size=8).digest() for one in encoded.dictionary.to_pylist()]
    found: Words = np.frombuffer(b"".join(distinct), dtype="<u8").astype(np.uint64)
    return np.asarray(found[encoded.indices.to_numpy()], dtype=np.uint64)


def _mixed(words: Words) -> Words:
    """Spread every bit over all bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
