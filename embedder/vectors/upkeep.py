"""Looking after a store of vectors: every byte verified, and what is damaged or wanted by nobody removed."""

import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedder import progress
from embedder.vectors import manifest, units
from embedder.vectors.store import space_key

_SPACE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class State:
    """What one space holds, and what was done to it.

    Attributes:
        key: the space's name.
        facts: what its vectors depend on; None where facts.json is damaged.
        vectors: how many it holds, or held before it was removed.
        bytes: the size of their files.
        damaged: units whose file was missing or not as it was written; they will be encoded again.
        unfinished: files that a kill left, drafts and units without a line in the manifest.
        removed: whether the whole space was removed, because nobody wants it.
    """

    key: str
    facts: Mapping[str, object] | None
    vectors: int
    bytes: int
    damaged: int = 0
    unfinished: int = 0
    removed: bool = False


def tidy(root: Path, wanted: Collection[str]) -> Iterator[State]:
    """Verify every space of a store, and remove what is damaged, unfinished or not wanted; the caller holds its lock.

    Args:
        root: the store, `data/cache/vectors`.
        wanted: the revisions of the models in use; see `is_wanted`.
    """
    for folder in sorted(root.iterdir()):
        if _SPACE.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            facts = _facts(folder)
            if facts is None or is_wanted(facts, wanted):
                yield _verify(folder, facts)
            else:
                yield _remove(folder, facts)


def is_wanted(facts: Mapping[str, object], wanted: Collection[str]) -> bool:
    """Whether a value anywhere in `facts` is one of the revisions in use."""
    return any(value in wanted for value in mentioned(facts))


def mentioned(value: object) -> Iterator[str]:
    """Yield every text among the values of nested mappings and lists, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from mentioned(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from mentioned(inner)


def _facts(folder: Path) -> Mapping[str, object] | None:
    """Read a space's facts; None where facts.json is not what names the folder."""
    try:
        content = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        return dict(content["facts"]) if space_key(content) == folder.name else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remove(folder: Path, facts: Mapping[str, object]) -> State:
    held = manifest.read(folder / "manifest.jsonl")
    shutil.rmtree(folder)
    return State(folder.name, facts, _vectors(held), _bytes(held), removed=True)


def _verify(folder: Path, facts: Mapping[str, object] | None) -> State:
    """Remove a space's damaged units and what a kill left, from the files as from the manifest."""
    path = folder / "manifest.jsonl"
    named = manifest.read(path)
    tracked = progress.track(named, len(named), f"check {folder.name[:12]}: units")
    kept = [unit for unit in tracked if units.is_unharmed(folder / "units", unit)]
    damaged = {unit.unit for unit in named} - {unit.unit for unit in kept}
    if damaged:
        manifest.rewrite(path, kept)
    names = {unit.unit for unit in kept}
    others = [file for file in (folder / "units").glob("*") if file.name not in names]
    for file in [*others, *folder.glob(".*.tmp")]:
        file.unlink()
    unfinished = sum(file.name not in damaged for file in others)
    return State(folder.name, facts, _vectors(kept), _bytes(kept), len(damaged), unfinished)


def _vectors(held: Iterable[units.Unit]) -> int:
    return sum(unit.rows for unit in held)


def _bytes(held: Iterable[units.Unit]) -> int:
    return sum(unit.bytes for unit in held)
