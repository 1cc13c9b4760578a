"""What a store holds already, for whoever only wants to know: nothing is locked, made or written."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.vectors import manifest, units
from embedder.vectors.index import Index
from embedder.vectors.keys import Keys, text_keys
from embedder.vectors.store import SCHEMA, space_key

_AT_ONCE = 65_536


def stored(root: Path, facts: Mapping[str, object], dtype: str, texts: Iterable[str]) -> int:
    """Count the distinct texts whose vectors a space holds.

    Args:
        root: the store.
        facts: what fixes the space, as in `Space`.
        dtype: what it stores.
        texts: read once, and not at all where there is no such space.
    """
    index = _index(root, facts, dtype)
    if not index.rows:
        return 0
    remaining, rows = iter(texts), np.empty(0, np.int64)
    while part := list(islice(remaining, _AT_ONCE)):
        rows = np.union1d(rows, index.find(text_keys(part)))
    return int(np.count_nonzero(rows >= 0))


def known(root: Path, facts: Mapping[str, object], dtype: str, keys: Keys) -> NDArray[np.bool_]:
    """Say which of [n] `keys` a space holds; the other arguments are those of `stored`."""
    return np.asarray(_index(root, facts, dtype).find(keys) >= 0)


def _index(root: Path, facts: Mapping[str, object], dtype: str) -> Index:
    folder = root / space_key({"schema": SCHEMA, "dtype": dtype, "facts": facts})
    index = Index()
    for unit in manifest.read(folder / "manifest.jsonl"):
        if units.is_whole(folder / "units", unit, np.dtype(dtype).itemsize):
            index.add(units.read_keys(folder / "units", unit))
    return index
