"""Content hashes of folders."""

import subprocess
import sys
from pathlib import Path

from embedder.revisions import content_hash, file_hashes


def make(folder: Path, **files: str) -> str:
    """Write files and return the folder's content hash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return content_hash(file_hashes(folder))


def test_the_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    """Equal files in two places have one hash; another content or another name has another."""
    first = make(tmp_path / "one", weights="1", sub__config="2")
    assert first == make(tmp_path / "two", sub__config="2", weights="1")
    assert first != make(tmp_path / "three", weights="1", sub__config="3")
    assert first != make(tmp_path / "four", weights="1", config="2")
    assert len(first) == 64


def test_what_changes_no_vector_is_left_out(tmp_path: Path) -> None:
    """Hidden files and the card do not count."""
    first = make(tmp_path / "one", weights="1")
    (tmp_path / "one" / "README.md").write_text("card")
    (tmp_path / "one" / ".cache").mkdir()
    (tmp_path / "one" / ".cache" / "lock").write_text("x")
    assert file_hashes(tmp_path / "one").keys() == {"weights"}
    assert first == make(tmp_path / "one", weights="1")


def test_a_folders_revision_can_be_printed(tmp_path: Path) -> None:
    """`python -m embedder.revisions FOLDER` prints the content hash that an entry is pinned by."""
    expected = make(tmp_path / "one", weights="1")
    command = [sys.executable, "-m", "embedder.revisions", str(tmp_path / "one")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{expected}\n"
