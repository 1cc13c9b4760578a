"""Tests of embedder.files."""

from pathlib import Path

import pytest

from embedder.files import replacing, write_json


def test_replacing_puts_the_new_folder_in_place_of_the_old(tmp_path: Path) -> None:
    """When the block ends well the folder holds what the block wrote, nothing of before, and nothing lies beside it."""
    target = tmp_path / "deep" / "out"
    target.mkdir(parents=True)
    (target / "old").write_text("old")
    with replacing(target) as folder:
        (folder / "new").write_text("new")
        assert (target / "old").exists()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("before", [True, False])
def test_replacing_keeps_the_old_folder_when_the_block_raises(tmp_path: Path, before: bool) -> None:  # noqa: FBT001 - a case
    """When the block raises, the old folder stays as it was and nothing half-written is left."""
    target = tmp_path / "out"
    if before:
        target.mkdir()
        (target / "old").write_text("old")

    def fail() -> None:
        with replacing(target) as folder:
            (folder / "half").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "out",
        "out/old",
    ] * before


def test_replacing_starts_from_an_empty_folder(tmp_path: Path) -> None:
    """What the same process left of an earlier attempt isn't taken over."""
    with replacing(tmp_path / "out") as folder:
        draft = folder
    draft.mkdir()
    (draft / "stale").write_text("stale")
    with replacing(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []


def test_json_is_sorted_and_ends_with_a_newline(tmp_path: Path) -> None:
    """Equal contents are equal bytes whatever the order of keys, in UTF-8."""
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": 1\n}\n'


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    """A NaN is refused instead of written as something no JSON reader accepts."""
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
