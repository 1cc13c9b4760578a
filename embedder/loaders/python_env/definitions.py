"""All definitions of the packages with their groups: parsed once, kept in a cache that is safe to delete."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from embedder import layout, near_copies, texts
from embedder.loaders.python_env.groups import group_ids, split_of
from embedder.loaders.python_env.packages import Package
from embedder.loaders.python_env.parse import Definition, parse_package
from embedder.records import Reject


@dataclass(frozen=True)
class Definitions:
    """What the packages hold, in the order of ids.

    Attributes:
        rows: the definitions.
        groups: the group of each.
        rejects: files and definitions that were refused.
        undocumented: how many definitions have no docstring, and so no row.
    """

    rows: list[Definition]
    groups: list[str]
    rejects: list[Reject]
    undocumented: int

    def splits(self, dev_share: float) -> list[str]:
        """The side of the split of each definition."""
        return [split_of(group, dev_share) for group in self.groups]


def read(packages: Sequence[Package], versions: Literal["locked", "any"]) -> Definitions:
    """Parse the packages, or read what an earlier call parsed of the same files with the same code.

    A locked version stands for its files; with `any`, a package under development keeps its version while they change.
    """
    files = [] if versions == "locked" else [_stat(path) for package in packages for path in package.files()]
    path = layout.CACHE / "python-env" / f"{_key(packages, files)}.json.gz"
    cached = _cached(path)
    if cached is not None:
        return cached
    made = _parse(packages)
    _write(path, made)
    return made


def _parse(packages: Sequence[Package]) -> Definitions:
    parsed = [parse_package(package) for package in packages]
    rows = sorted((d for p in parsed for d in p.definitions), key=lambda d: d.id)
    rejects = [reject for p in parsed for reject in p.rejects]
    return Definitions(rows, group_ids(rows), rejects, sum(p.undocumented for p in parsed))


def _stat(path: Path) -> tuple[str, int, int]:
    return str(path), path.stat().st_size, path.stat().st_mtime_ns


def _key(packages: Sequence[Package], files: Sequence[tuple[str, int, int]]) -> str:
    """Hash the versions, the files where versions do not stand for them, and all the code that makes the result."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(near_copies.__file__), Path(texts.__file__)]
    key = hashlib.sha256(json.dumps([[[p.distribution, p.name, p.version] for p in packages], files]).encode())
    for source in sources:
        key.update(source.read_bytes())
    return key.hexdigest()[:32]


def _cached(path: Path) -> Definitions | None:
    """Read the cache; a file that is missing, cut off or of another form is as good as none."""
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        return Definitions(
            [Definition(**row) for row in content["rows"]],
            content["groups"],
            [Reject(*row) for row in content["rejects"]],
            content["undocumented"],
        )
    except (OSError, EOFError, ValueError, TypeError, KeyError, zlib.error):
        return None


def _write(path: Path, made: Definitions) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(gzip.compress(json.dumps(asdict(made)).encode(), compresslevel=1, mtime=0))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
