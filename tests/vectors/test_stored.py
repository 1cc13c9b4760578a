"""Counting what a store holds, without touching it."""

from pathlib import Path

import numpy as np

from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from embedder.vectors.stored import known, stored

FACTS = {"model": "a", "prompt": "ask: "}


def test_distinct_texts_are_counted_once(tmp_path: Path) -> None:
    """Of the texts asked for, those with a vector in that very space count, each once."""
    space = Space(tmp_path, FACTS, "float32")
    space.add(text_keys(["one", "two"]), np.ones((2, 4), np.float32))
    space.add(text_keys(["three"]), np.ones((1, 4), np.float32))
    assert stored(tmp_path, FACTS, "float32", iter(["one", "three", "one", "four"])) == 2
    assert stored(tmp_path, FACTS, "float16", ["one"]) == 0
    assert stored(tmp_path, {**FACTS, "prompt": ""}, "float32", ["one"]) == 0


def test_nothing_is_made_or_written(tmp_path: Path) -> None:
    """Asking makes no store and no space, and leaves one that is there as it was."""
    assert stored(tmp_path / "store", FACTS, "float32", ["one"]) == 0
    assert not (tmp_path / "store").exists()
    Space(tmp_path, FACTS, "float32").add(text_keys(["one"]), np.ones((1, 4), np.float32))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert stored(tmp_path, FACTS, "float32", ["one"]) == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_damaged_units_do_not_count(tmp_path: Path) -> None:
    """A unit whose file is gone or cut would be encoded again, so its texts are not there."""
    space = Space(tmp_path, FACTS, "float32")
    space.add(text_keys(["one", "two"]), np.ones((2, 4), np.float32))
    space.add(text_keys(["three"]), np.ones((1, 4), np.float32))
    largest = max((space.folder / "units").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    assert stored(tmp_path, FACTS, "float32", ["one", "two", "three"]) == 1


def test_each_key_is_told(tmp_path: Path) -> None:
    """Of keys, in any order and however often, those that a space holds are marked; nothing is made."""
    assert known(tmp_path / "none", {"model": "m"}, "float32", text_keys("ab")).tolist() == [False, False]
    assert not (tmp_path / "none").exists()
    Space(tmp_path, {"model": "m"}, "float32").add(text_keys("abc"), np.ones((3, 4), np.float32))
    assert known(tmp_path, {"model": "m"}, "float32", text_keys("xcaxc")).tolist() == [False, True, True, False, True]
    assert known(tmp_path, {"model": "other"}, "float32", text_keys("a")).tolist() == [False]
