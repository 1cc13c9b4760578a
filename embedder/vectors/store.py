"""A content-addressed store of vectors: outside DVC's outs, safe to delete, resumable by unit.

    data/cache/vectors/lock                     who works on it
    data/cache/vectors/SPACE/facts.json         all that changes a vector but its text
    data/cache/vectors/SPACE/manifest.jsonl     the units that are done
    data/cache/vectors/SPACE/units/UNIT         keys and vectors

A unit is written to a draft, synced, read back, renamed and only then named by the manifest; it counts as done where
file and manifest agree.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder import files
from embedder.errors import TableError, TeacherError
from embedder.vectors import manifest, units
from embedder.vectors.index import Index
from embedder.vectors.keys import Keys

SCHEMA = 1
"""Of the files' layout; another one has other spaces."""

_SHARD_ROWS = 16_384


class Space:
    """The vectors of one way of reading texts. Whoever adds to it holds `locked(root)`.

    Attributes:
        key: its name, the SHA-256 of what `facts.json` says.
        folder: where it lies.
        dimensions: how long its vectors are; None while there are none.
    """

    def __init__(self, root: Path, facts: Mapping[str, object], dtype: Literal["float32", "float16"]) -> None:
        """Open a space, or make it.

        Args:
            root: the store, `data/cache/vectors`.
            facts: all that changes a vector but its text: JSON values; `model` identifies the model.
            dtype: what is stored; float16 takes half the room and keeps 11 bits.
        """
        content = {"schema": SCHEMA, "dtype": dtype, "facts": facts}
        self.key = space_key(content)
        self.folder = root / self.key
        self.dimensions: int | None = None
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._index = Index()
        self._units: list[units.Unit] = []
        self._starts: list[int] = []
        self._verified: set[int] = set()
        self._files.mkdir(parents=True, exist_ok=True)
        _describe(self.folder / "facts.json", content)
        for unit in manifest.read(self._manifest):
            self._open(unit)

    def missing(self, keys: Keys) -> NDArray[np.int64]:
        """Return, ascending, where each distinct key that no unit holds first stands in `keys`."""
        absent = np.flatnonzero(self._index.find(keys) < 0)
        _, first = np.unique(keys[absent], return_index=True)
        return absent[np.sort(first)]

    def add(self, keys: Keys, vectors: NDArray[np.float32]) -> None:
        """Commit one unit; it is on the disk when this returns.

        Args:
            keys: [n] keys, n > 0; of one that is stored already the first vector stays.
            vectors: [n, d] their vectors.

        Raises:
            TeacherError: the vectors are not n, not of the space's d, or some are not finite in its dtype.
        """
        name = units.unit_name(self.key, keys)
        if any(name == unit.unit for unit in self._units):
            return
        with np.errstate(over="ignore"):
            stored = np.asarray(vectors, self._dtype)
        self._check(keys, stored)
        unit = units.write(self._files, name, keys, stored)
        manifest.append(self._manifest, unit)
        self._hold(unit, keys)
        self._verified.add(len(self._units) - 1)

    def shards(self, keys: Keys, rows: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield every position of `keys` once, with its vector, in the order in which they are stored.

        Besides the shard that the caller holds, one shard and what it takes of one unit are in memory.

        Args:
            keys: [n] keys, which may repeat.
            rows: vectors a shard; the last has fewer.

        Yields:
            [m] positions in `keys`, and their [m, d] vectors, contiguous.

        Raises:
            TableError: a key is not stored, or a unit cannot be read.
        """
        places = self._index.find(keys)
        if absent := int(np.count_nonzero(places < 0)):
            advice = "encode them first; where the cache was deleted meanwhile, run the same command again"
            raise TableError(f"{self.folder}: {absent:,} of {len(keys):,} texts have no vector; {advice}")
        order = np.argsort(places, kind="stable")
        for start in range(0, len(order), rows):
            positions = order[start : start + rows]
            yield positions, self._read(places[positions])

    def vectors(self, keys: Keys) -> NDArray[np.float32]:
        """Return the [n, d] vectors of [n] keys, in their order.

        Raises:
            TableError: a key is not stored, or a unit cannot be read.
        """
        found = np.empty((len(keys), self.dimensions or 0), np.float32)
        for positions, vectors in self.shards(keys, _SHARD_ROWS):
            found[positions] = vectors
        return found

    @property
    def _files(self) -> Path:
        return self.folder / "units"

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.jsonl"

    def _open(self, unit: units.Unit) -> None:
        """Hold a unit whose file agrees with the manifest; any other is missing, and so done again."""
        if units.is_whole(self._files, unit, self._dtype.itemsize):
            keys = units.read_keys(self._files, unit)
            if units.unit_name(self.key, keys) == unit.unit:
                self._hold(unit, keys)

    def _hold(self, unit: units.Unit, keys: Keys) -> None:
        self.dimensions = unit.dimensions
        self._starts.append(self._index.rows)
        self._units.append(unit)
        self._index.add(keys)

    def _check(self, keys: Keys, vectors: units.Vectors) -> None:
        if vectors.ndim != 2 or not vectors.size or len(vectors) != len(keys):  # noqa: PLR2004 - rows and dimensions
            raise TeacherError(f"{self.folder}: vectors of shape {vectors.shape} for {len(keys):,} texts")
        if self.dimensions not in (None, vectors.shape[1]):
            has = f"the stored ones have {self.dimensions}"
            raise TeacherError(f"{self.folder}: vectors of {vectors.shape[1]} dimensions, but {has}; delete the folder")
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(wrong):
            said = f"{len(wrong):,} of {len(vectors):,} vectors are not finite in {self._dtype.name}"
            raise TeacherError(f"{self.folder}: {said}, the first is row {wrong[0]}; use another dtype")

    def _read(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read the vectors of ascending rows of the space, unit by unit."""
        found = np.empty((len(places), self.dimensions or 0), np.float32)
        owners = np.searchsorted(self._starts, places, side="right") - 1
        for owner in np.unique(owners):
            self._verify(int(owner))
            first, end = np.searchsorted(owners, [owner, owner + 1])
            rows = places[first:end] - self._starts[owner]
            span = units.read_vectors(self._files, self._units[owner], self._dtype, int(rows[0]), int(rows[-1]) + 1)
            found[first:end] = span[rows - rows[0]]
        return found

    def _verify(self, owner: int) -> None:
        """Hash a unit before it is first read from: a damaged vector would be mined with, and nobody would know."""
        if owner not in self._verified and not units.is_unharmed(self._files, self._units[owner]):
            name = self._files / self._units[owner].unit
            raise TableError(
                f"{name}: is not as it was written; embedder check --cache removes it, then run this again"
            )
        self._verified.add(owner)


def space_key(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a space's schema, dtype and facts in canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _describe(path: Path, content: Mapping[str, object]) -> None:
    """Write facts.json, again where it is damaged."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    files.write_json(draft, content)
    draft.replace(path)
