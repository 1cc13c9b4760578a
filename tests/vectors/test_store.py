"""A store of vectors, addressed by text and by what they depend on."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import TableError, TeacherError
from embedder.vectors import units
from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from tests.vectors.made_up import DIMENSIONS, encode

FACTS: dict[str, Any] = {"model": {"revision": "abc"}, "prompt": "query: "}
TEXTS = st.lists(st.sampled_from([f"text {number}" for number in range(20)]), max_size=12)


def space(root: Path, **facts: object) -> Space:
    """Open the space of the made-up model."""
    return Space(root, {**FACTS, **facts}, "float32")


def add(to: Space, *texts: str) -> None:
    """Commit one unit of texts."""
    to.add(text_keys(texts), encode(texts))


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS, st.integers(1, 6), st.booleans()), max_size=6))
@settings(deadline=None, max_examples=50)
def test_a_space_is_a_dictionary(steps: list[tuple[list[str], list[str], int, bool]]) -> None:
    """Whatever is added, asked, and opened again: missing, shards and vectors tell what a dictionary would."""
    with TemporaryDirectory() as folder:
        held, stored = space(Path(folder)), set[str]()
        for added, asked, rows, reopen in steps:
            add(held, *added)
            stored |= set(added)
            held = space(Path(folder)) if reopen else held
            lacking = dict.fromkeys(text for text in asked if text not in stored)
            assert held.missing(text_keys(asked)).tolist() == [asked.index(text) for text in lacking]
            known = [text for text in asked if text in stored]
            np.testing.assert_array_equal(held.vectors(text_keys(known)), encode(known))
            check_shards(held, known, rows)


def check_shards(held: Space, texts: list[str], rows: int) -> None:
    """Every position comes once, with its own vector, `rows` to a shard but the last."""
    shards = list(held.shards(text_keys(texts), rows))
    assert sorted(position for positions, _ in shards for position in positions) == list(range(len(texts)))
    assert all(len(positions) == rows for positions, _ in shards[:-1])
    for positions, vectors in shards:
        assert (vectors.dtype.str, vectors.flags.c_contiguous) == ("<f4", True)
        np.testing.assert_array_equal(vectors, encode([texts[position] for position in positions]))


def test_shards_read_every_byte_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards come in the order of storage: whatever the order of the keys, no unit's row is read twice."""
    held = space(tmp_path)
    for start in range(0, 60, 10):
        add(held, *map(str, range(start, start + 10)))
    read: list[int] = []
    original = units.read_vectors

    def counted(*arguments: Any) -> units.Vectors:  # noqa: ANN401 - passed on
        found = original(*arguments)
        read.append(len(found))
        return found

    monkeypatch.setattr(units, "read_vectors", counted)
    texts = [str(number) for number in np.random.default_rng(0).permutation(60)]
    check_shards(held, texts, 7)
    assert sum(read) == 60


def test_another_fact_is_another_space(tmp_path: Path) -> None:
    """A prompt, a revision or a dtype that differs shares no vector; the order of the facts does not matter."""
    add(space(tmp_path), "a")
    keys = text_keys(["a"])
    assert not len(Space(tmp_path, dict(reversed(FACTS.items())), "float32").missing(keys))
    assert len(space(tmp_path, prompt="passage: ").missing(keys))
    assert len(space(tmp_path, model={"revision": "abd"}).missing(keys))
    assert len(Space(tmp_path, FACTS, "float16").missing(keys))
    assert len(list(tmp_path.iterdir())) == 4


def test_a_space_says_what_it_is(tmp_path: Path) -> None:
    """facts.json holds all that names the folder, and is written again where it is damaged."""
    path = space(tmp_path).folder / "facts.json"
    assert json.loads(path.read_text()) == {"dtype": "float32", "facts": FACTS, "schema": 1}
    path.write_text("{")
    space(tmp_path)
    assert json.loads(path.read_text())["facts"] == FACTS


@given(st.lists(st.floats(-1, 1, width=32), min_size=DIMENSIONS, max_size=DIMENSIONS))
@settings(deadline=None, max_examples=30)
def test_half_precision_keeps_eleven_bits(values: list[float]) -> None:
    """A float16 space gives back float32 numbers that are half precision's nearest."""
    with TemporaryDirectory() as folder:
        half = Space(Path(folder), FACTS, "float16")
        vector = np.array([values], np.float32)
        half.add(text_keys(["a"]), vector)
        found = Space(Path(folder), FACTS, "float16").vectors(text_keys(["a"]))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, vector.astype(np.float16).astype(np.float32))
        np.testing.assert_allclose(found, vector, rtol=2**-11, atol=2**-25)


@pytest.mark.parametrize(
    ("vectors", "dtype", "said"),
    [
        ([[1, 2], [np.nan, 1], [1, np.inf]], "float32", "2 of 3 vectors are not finite in float32, the first is row 1"),
        ([[1, 2], [3, 4], [1e6, 1]], "float16", "1 of 3 vectors are not finite in float16, the first is row 2"),
        ([[1, 2], [3, 4]], "float32", r"vectors of shape \(2, 2\) for 3 texts"),
        ([1, 2, 3], "float32", r"vectors of shape \(3,\) for 3 texts"),
        ([[], [], []], "float32", r"vectors of shape \(3, 0\) for 3 texts"),
    ],
)
def test_wrong_vectors_are_refused(
    vectors: list[Any], dtype: Literal["float32", "float16"], said: str, tmp_path: Path
) -> None:
    """Vectors that are not finite in the space's dtype, or not one a text, are refused with their number."""
    held, keys = Space(tmp_path, FACTS, dtype), text_keys("abc")
    with pytest.raises(TeacherError, match=said):
        held.add(keys, np.array(vectors, np.float32))
    assert len(held.missing(keys)) == 3
    assert list((held.folder / "units").iterdir()) == []


def test_other_dimensions_are_refused(tmp_path: Path) -> None:
    """All vectors of a space are as long as the first."""
    held = space(tmp_path)
    assert held.dimensions is None
    add(held, "a")
    assert space(tmp_path).dimensions == DIMENSIONS
    with pytest.raises(TeacherError, match="vectors of 2 dimensions, but the stored ones have 3"):
        held.add(text_keys(["b"]), np.ones((1, 2), np.float32))


def test_what_is_not_stored_is_an_error(tmp_path: Path) -> None:
    """Asking for vectors nobody stored is an error that counts them."""
    held = space(tmp_path)
    add(held, "a")
    with pytest.raises(TableError, match="1 of 2 texts have no vector"):
        held.vectors(text_keys(["a", "b"]))


def test_a_unit_that_goes_while_it_is_used_is_an_error(tmp_path: Path) -> None:
    """A cache deleted during a run ends it with a message."""
    held = space(tmp_path)
    add(held, "a", "b")
    (file,) = (held.folder / "units").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TableError, match="cannot be read"):
        held.vectors(text_keys("ab"))
    file.unlink()
    with pytest.raises(TableError, match="cannot be read"):
        held.vectors(text_keys("ab"))


def test_a_disk_that_lies_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that reads back other than it was written is no unit."""
    held = space(tmp_path)
    monkeypatch.setattr(units, "file_sha256", lambda _: "another")
    with pytest.raises(TableError, match="the disk is failing"):
        add(held, "a")
    assert len(space(tmp_path).missing(text_keys("a"))) == 1


def test_the_draft_of_a_killed_process_goes_when_its_unit_is_done(tmp_path: Path) -> None:
    """What a kill left of a unit takes no room once the unit is done, whatever process does it."""
    held = space(tmp_path)
    name = units.unit_name(held.key, text_keys("ab"))
    draft = held.folder / "units" / f".{name}.1.tmp"
    draft.write_bytes(b"half")
    add(held, "a", "b")
    assert [path.name for path in (held.folder / "units").iterdir()] == [name]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "3",
        "\\xff",
        '{"unit": "../../params.yaml"}',
        '{"unit": "../../../x", "rows": 1, "dimensions": 3, "bytes": 28, "sha256": "0"}',
        f'{{"unit": "{"0" * 64}", "rows": -1, "dimensions": 3, "bytes": 28, "sha256": "{"0" * 64}"}}',
        f'{{"unit": "{"0" * 64}", "rows": 1, "dimensions": 3, "bytes": 28, "sha256": "{"0" * 64}"}}',
    ],
)
def test_damaged_lines_name_no_unit(line: str, tmp_path: Path) -> None:
    """A line of the manifest that is damaged, or hostile, is as if it were not there."""
    held = space(tmp_path)
    add(held, "a")
    manifest = held.folder / "manifest.jsonl"
    manifest.write_text(f"{line}\n{manifest.read_text()}")
    assert space(tmp_path).missing(text_keys("ab")).tolist() == [1]
