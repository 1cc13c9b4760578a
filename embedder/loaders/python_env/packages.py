"""Which packages are installed, in which versions, and where their files lie; nothing of them is imported."""

import re
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from platform import python_version
from typing import Literal

from embedder.errors import SourceError

STDLIB = "stdlib"
_NOT_LIBRARY = frozenset({"ensurepip", "idlelib", "lib2to3", "test", "turtledemo"})

_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;]+)")


@dataclass(frozen=True)
class Package:
    """An installed package: `scikit-learn` is imported as `sklearn` from the folder `root`."""

    distribution: str
    name: str
    version: str
    root: Path

    def files(self) -> list[Path]:
        """Every source file, in an order that no file system decides; a module of its own is one file."""
        return [self.root] if self.root.is_file() else sorted(self.root.rglob("*.py"))


def installed(names: Sequence[str], lock: Path, versions: Literal["locked", "any"]) -> list[Package]:
    """Find the packages of the distributions `names`, in the versions `lock` pins unless `any` will do.

    Raises:
        SourceError: a distribution is missing, ships no package, or has another version than `lock` pins.
    """
    if STDLIB in names:
        others = installed([name for name in names if name != STDLIB], lock, versions)
        return [*_stdlib(versions), *others]
    found = [_distribution(name) for name in names]
    if versions == "locked":
        pinned = pins(lock)
        for name, dist in zip(names, found, strict=True):
            _check(name, dist.version, pinned.get(canonical(name), set()), lock)
    return [package for name, dist in zip(names, found, strict=True) for package in _packages(name, dist)]


def _stdlib(versions: Literal["locked", "any"]) -> Iterator[Package]:
    """Yield the modules of Python's own library; which there are changes with its patch version, so no lock pins it."""
    if versions == "locked":
        raise SourceError(f"python-env: no lock pins '{STDLIB}', the library of this Python; set versions: any")
    for root in sorted(Path(sysconfig.get_path("stdlib")).iterdir()):
        name = root.stem if root.suffix == ".py" else root.name if (root / "__init__.py").is_file() else ""
        if name and not name.startswith("_") and name not in _NOT_LIBRARY:
            yield Package(STDLIB, name, python_version(), root)


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise SourceError(f"python-env: package '{name}' is not installed; pip install {name}") from error


def pins(lock: Path) -> dict[str, set[str]]:
    """The versions a lock file pins for each name; markers may pin several."""
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{lock}: cannot be read ({error}); set path to the lock file, or versions: any") from error
    pinned: dict[str, set[str]] = {}
    for match in filter(None, map(_PINNED.match, lines)):
        pinned.setdefault(canonical(match[1]), set()).add(match[2])
    return pinned


def _check(name: str, version: str, pinned: set[str], lock: Path) -> None:
    if not pinned:
        raise SourceError(f"{lock}: does not pin '{name}'; add {name}=={version} to it, or set versions: any")
    if version not in pinned:
        wanted = " or ".join(sorted(pinned))
        raise SourceError(
            f"python-env: {name} {version} is installed but {lock} pins {wanted}; "
            f"pip install {name}=={min(pinned)}, or set versions: any"
        )


def _packages(name: str, dist: Distribution) -> Iterator[Package]:
    roots = sorted({_root(dist, file.parts[0]) for file in dist.files or () if file.parts[1:] == ("__init__.py",)})
    roots = [root for root in roots if not root.name.startswith("_")] or _spec_roots(name)
    if not roots:
        raise SourceError(f"python-env: '{name}' ships no Python package; take it out of packages")
    for root in roots:
        yield Package(name, root.name, dist.version, root)


def _root(dist: Distribution, folder: str) -> Path:
    return Path(str(dist.locate_file(folder)))


def _spec_roots(name: str) -> list[Path]:
    """Where an editable or system install, which lists no files, has the package of the distribution's name."""
    spec = find_spec(canonical(name).replace("-", "_"))
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
