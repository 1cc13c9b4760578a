"""The store of vectors, checked."""

from pathlib import Path

from embedder.checks.check import Check
from embedder.checks.vectors import revisions, vectors
from embedder.locking import locked
from embedder.params.base import Model
from embedder.params.load import load
from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from tests import project
from tests.vectors.made_up import encode


def space(root: Path, revision: str = "f" * 40) -> Space:
    """Make a space of one unit."""
    made = Space(root, {"prompt": "query: ", "model": {"name": "m", "revision": revision}}, "float32")
    made.add(text_keys("abc"), encode("abc"))
    return made


def found(root: Path) -> list[Check]:
    """Check a store in which model m is wanted."""
    return list(vectors(root, {"m"}))


def test_no_store_is_well(tmp_path: Path) -> None:
    """Without a store, or without spaces, there is nothing to do and nothing is made."""
    assert [check.level for check in found(tmp_path / "none")] == ["ok"]
    assert not (tmp_path / "none").exists()
    assert [check.level for check in found(tmp_path)] == ["ok"]


def test_a_space_is_one_line(tmp_path: Path) -> None:
    """Each space is told with its model, vectors, size and what was done."""
    made = space(tmp_path)
    said = f"{made.key[:12]} (m, ffffffffffff, query: ): 3 vectors, 0.0 MB; every byte is as it was written"
    assert found(tmp_path) == [Check("vectors", "ok", said)]


def test_long_facts_are_cut(tmp_path: Path) -> None:
    """A space's facts take 60 characters at most."""
    Space(tmp_path, {"model": "m", "prompt": "word " * 40}, "float32")
    (check,) = found(tmp_path)
    assert len(check.found.partition("(")[2].partition(")")[0]) == 60


def test_a_flipped_bit_is_a_warning(tmp_path: Path) -> None:
    """A damaged unit is removed, which is a warning once."""
    (file,) = (space(tmp_path).folder / "units").iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 64
    file.write_bytes(content)
    (file.parent / ".draft.1.tmp").touch()
    (check,) = found(tmp_path)
    assert check.level == "warning"
    assert check.found.endswith("0 vectors, 0.0 MB; 1 damaged units removed; 1 unfinished files removed")
    assert [check.level for check in found(tmp_path)] == ["ok"]


def test_a_space_of_no_teacher_goes(tmp_path: Path) -> None:
    """What was removed is told with what it held."""
    made = space(tmp_path)
    (check,) = vectors(tmp_path, {"other"})
    assert check.found.endswith("3 vectors, 0.0 MB; removed")
    assert (check.level, check.advice) == ("warning", "no teacher and no judge in params.yaml names its model")
    assert not made.folder.exists()


def test_damaged_facts_are_told(tmp_path: Path) -> None:
    """A space that lost its facts says so, and stays."""
    (space(tmp_path).folder / "facts.json").unlink()
    (check,) = found(tmp_path)
    assert "facts.json is damaged" in check.found


def test_a_store_in_use_is_an_error(tmp_path: Path) -> None:
    """While a process encodes the store is not touched, and the process is named."""
    made = space(tmp_path)
    with locked(tmp_path):
        (check,) = vectors(tmp_path, set())
    assert check.level == "error"
    assert "held by process" in check.found
    assert made.folder.exists()


class Adapter(Model):
    """A part of an entry with a revision of its own."""

    revision: str


class Entry(Model):
    """An entry of a teacher that has vectors."""

    kind: str
    revision: str
    adapter: Adapter | None


def test_the_revisions_of_all_teachers_are_wanted(tmp_path: Path) -> None:
    """Models and adapters of every entry count, whether in use or not; names and other values do not."""
    project.write_params(tmp_path, project.tiny_params())
    params = load(tmp_path / "params.yaml")
    assert revisions(params) == set()
    entries = {
        "a": Entry(kind="dense", revision="1" * 40, adapter=None),
        "b": Entry(kind="dense", revision="2" * 64, adapter=Adapter(revision="3" * 40)),
    }
    assert revisions(params.model_copy(update={"teachers": entries})) == {"1" * 40, "2" * 64, "3" * 40}
