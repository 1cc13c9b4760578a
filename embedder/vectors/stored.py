"""What a store holds already, for whoever only wants to know: nothing is locked, made or written."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from embedder.vectors import manifest, units
from embedder.vectors.index import Index
from embedder.vectors.keys import text_keys
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
    folder = root / space_key({"schema": SCHEMA, "dtype": dtype, "facts": facts})
    index = Index()
    for unit in manifest.read(folder / "manifest.jsonl"):
        if units.is_whole(folder / "units", unit, np.dtype(dtype).itemsize):
            index.add(units.read_keys(folder / "units", unit))
    if not index.rows:
        return 0
    remaining, rows = iter(texts), np.empty(0, np.int64)
    while part := list(islice(remaining, _AT_ONCE)):
        rows = np.union1d(rows, index.find(text_keys(part)))
    return int(np.count_nonzero(rows >= 0))
