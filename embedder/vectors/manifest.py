"""Which units of a space are done: `manifest.jsonl`, one line a unit, appended once its file is whole.

A kill may tear the last line; it is not read, and cut off before the next is appended.
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from embedder.files import sync_folder
from embedder.vectors.units import Unit

_HASH = re.compile(r"[0-9a-f]{64}")


def read(path: Path) -> list[Unit]:
    """Return the units in the order in which they were done, of one named twice the last line.

    What is no whole line of a unit is left out, which has that unit done again.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    units = [unit for unit in map(_parse, lines) if unit is not None]
    return list({unit.unit: unit for unit in units}.values())


def append(path: Path, unit: Unit) -> None:
    """Add a unit's line, on the disk when this returns."""
    is_new = not path.exists()
    with path.open("ab+") as file:
        _cut_torn_line(file.fileno())
        file.write(_line(unit))
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)


def rewrite(path: Path, units: Iterable[Unit]) -> None:
    """Have the manifest name `units` and no others."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.writelines(map(_line, units))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _line(unit: Unit) -> bytes:
    return json.dumps(dataclasses.asdict(unit), sort_keys=True).encode() + b"\n"


def _parse(line: bytes) -> Unit | None:
    try:
        unit = Unit(**json.loads(line))
    except (ValueError, TypeError):
        return None
    counts = (unit.rows, unit.dimensions, unit.bytes)
    # The name becomes a path.
    named = all(isinstance(text, str) and _HASH.fullmatch(text) for text in (unit.unit, unit.sha256))
    return unit if named and all(isinstance(count, int) and count > 0 for count in counts) else None


def _cut_torn_line(file: int) -> None:
    size = os.fstat(file).st_size
    # A line is some 230 bytes; a tail with no end of line in it is torn altogether.
    tail = os.pread(file, 4096, max(0, size - 4096))
    os.ftruncate(file, size - len(tail) + tail.rfind(b"\n") + 1)
