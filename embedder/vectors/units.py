"""One unit of a space: a file of keys and vectors, whole or absent.

A unit's file is its [rows] keys of 16 bytes, then its [rows, dimensions] vectors in little-endian floats, and nothing
else: what the manifest says of it (rows, dimensions, bytes, SHA-256) is all it takes to read any part of it. It is
named by its keys, so that a damaged key shows when the file is opened.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.errors import TableError
from embedder.files import file_sha256, sync_folder
from embedder.vectors.keys import KEY_BYTES, Keys

Vectors = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True)
class Unit:
    """What the manifest says of a unit.

    Attributes:
        unit: its name: the SHA-256 of its space and of its sorted keys.
        rows: how many vectors it holds.
        dimensions: how long each is.
        bytes: the size of its file.
        sha256: the hash of its file.
    """

    unit: str
    rows: int
    dimensions: int
    bytes: int
    sha256: str


def unit_name(space: str, keys: Keys) -> str:
    """Return the SHA-256 of a space's name and a unit's sorted keys."""
    return hashlib.sha256(space.encode() + np.sort(keys).tobytes()).hexdigest()


def write(folder: Path, name: str, keys: Keys, vectors: Vectors) -> Unit:
    """Write a unit so that its file is on the disk, verified, before it has its name.

    Raises:
        TableError: what was read back is not what was written.
    """
    for left in folder.glob(f".{name}.*.tmp"):
        left.unlink()
    draft = folder / f".{name}.{os.getpid()}.tmp"
    parts = (keys.tobytes(), np.ascontiguousarray(vectors).data.cast("B"))
    with draft.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    written = hashlib.sha256(parts[0])
    written.update(parts[1])
    if file_sha256(draft) != written.hexdigest():
        raise TableError(f"{draft}: reads back other than it was written; the disk is failing or full")
    size = draft.stat().st_size
    draft.replace(folder / name)
    sync_folder(folder)
    rows, dimensions = vectors.shape
    return Unit(name, rows, dimensions, size, written.hexdigest())


def is_whole(folder: Path, unit: Unit, itemsize: int) -> bool:
    """Whether a unit's file has the size that its manifest line says and that its rows take."""
    try:
        size = (folder / unit.unit).stat().st_size
    except OSError:
        return False
    return size == unit.bytes == unit.rows * (KEY_BYTES + unit.dimensions * itemsize)


def is_unharmed(folder: Path, unit: Unit) -> bool:
    """Whether every byte of a unit's file is as it was written."""
    path = folder / unit.unit
    return path.is_file() and path.stat().st_size == unit.bytes and file_sha256(path) == unit.sha256


def read_keys(folder: Path, unit: Unit) -> Keys:
    """Read a unit's [rows] keys, in the order of its vectors."""
    return np.fromfile(folder / unit.unit, np.dtype(f"S{KEY_BYTES}"), unit.rows)


def read_vectors(folder: Path, unit: Unit, dtype: np.dtype[np.floating], first: int, end: int) -> Vectors:
    """Read a unit's vectors from row `first` up to before row `end`.

    Raises:
        TableError: the file is not there, or is shorter than it was.
    """
    path = folder / unit.unit
    start = unit.rows * KEY_BYTES + first * unit.dimensions * dtype.itemsize
    try:
        values: Vectors = np.fromfile(path, dtype, (end - first) * unit.dimensions, offset=start)
        return values.reshape(end - first, unit.dimensions)
    except (OSError, ValueError) as error:
        advice = "it went while it was in use; run the same command again"
        raise TableError(f"{path}: cannot be read ({error}); {advice}") from error
