"""The store of vectors: whether every byte is as it was written, and what nobody needs any more."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from embedder.checks.check import Check
from embedder.checks.workspace import megabytes
from embedder.errors import EmbedderError
from embedder.locking import locked
from embedder.params.models import Params
from embedder.vectors.upkeep import State, mentioned, tidy

_SHOWN = 60


def revisions(params: Params) -> set[str]:
    """Return every `revision` in the entries of `teachers` and `judges`, of adapters too: commits and content hashes."""
    named = [*params.teachers.values(), *params.judges.values()]
    entries = [entry.model_dump(mode="json") for entry in named]
    return {str(revision) for entry in entries for revision in _values(entry, "revision")}


def vectors(root: Path, wanted: Collection[str]) -> Iterator[Check]:
    """Verify and clear the store, and say of each space what it holds and what was done.

    Args:
        root: the store.
        wanted: the revisions of the models whose vectors stay.
    """
    if not root.is_dir():
        yield Check("vectors", "ok", f"{root} holds none")
        return
    try:
        with locked(root):
            found = [_check(state) for state in tidy(root, wanted)]
    except EmbedderError as error:
        yield Check("vectors", "error", str(error))
        return
    yield from found or [Check("vectors", "ok", f"{root} holds none")]


def _check(state: State) -> Check:
    held = f"{state.key[:12]} ({_short(state)}): {state.vectors:,} vectors, {megabytes(state.bytes)}"
    if state.removed:
        return Check("vectors", "warning", f"{held}; removed", "no teacher and no judge in params.yaml names its model")
    done = [f"{state.unfinished} unfinished files removed"] if state.unfinished else []
    if state.damaged:
        said = "; ".join([held, f"{state.damaged} damaged units removed", *done])
        return Check("vectors", "warning", said, "their texts are encoded again when they are next asked for")
    return Check("vectors", "ok", "; ".join([held, "every byte is as it was written", *done]))


def _values(entry: object, key: str) -> Iterator[object]:
    """Yield what `key` is in nested mappings and lists, as a fusion's members are one."""
    if isinstance(entry, list):
        for part in entry:
            yield from _values(part, key)
    elif isinstance(entry, Mapping):
        for name, value in entry.items():
            yield from [value] if name == key else _values(value, key)


def _short(state: State) -> str:
    """What a space's model and its other facts mention, model first, hashes cut."""
    if state.facts is None:
        return "facts.json is damaged; the next run with this model writes it again"
    others = {key: value for key, value in state.facts.items() if key != "model"}
    texts = [*mentioned(state.facts.get("model")), *mentioned(others)]
    said = ", ".join(text[:12] if len(text) > _SHOWN // 2 and text.isalnum() else text for text in texts)
    return said if len(said) <= _SHOWN else f"{said[: _SHOWN - 1]}…"
