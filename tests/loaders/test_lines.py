"""Tests of embedder.loaders.lines."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.errors import SourceError
from embedder.loaders import lines as module
from embedder.loaders.lines import lines, open_text


def _write(folder: Path, content: bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["file.txt", "file.txt.gz"])
@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        ("a\u2028b\x0bc\x85d\n".encode(), ["a\u2028b\x0bc\x85d"]),
        (b"caf\xe9\n", ["caf\udce9"]),
        (b"\n\n", ["", ""]),
    ],
)
def test_lines_end_at_line_feeds_alone(tmp_path: Path, name: str, content: bytes, found: list[str]) -> None:
    """Lines end at LF or CRLF and nowhere else; a BOM is no text; bytes that are no UTF-8 can still be told."""
    assert list(lines(_write(tmp_path, content, name))) == list(enumerate(found, 1))


def test_a_line_beyond_the_cap_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is longer than any text is passed over in pieces, and those after it are read."""
    monkeypatch.setattr(module, "MAX_LINE", 10)
    path = _write(tmp_path, b"short\n" + b"x" * 35 + b"\nlast")
    assert list(lines(path)) == [(1, "short"), (2, None), (3, "last")]


def test_a_gzip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that unpacks to far more than its size is refused before it is read to its end."""
    monkeypatch.setattr(module, "_ALWAYS", 2**20)
    path = _write(tmp_path, b"0" * 2**24 + b"\n", "bomb.gz")
    with pytest.raises(SourceError, match="beyond the caps of 200 times its size"):
        list(lines(path))


def test_a_size_cap_holds_whatever_the_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that unpacks beyond the cap in bytes is refused too."""
    monkeypatch.setattr(module, "MAX_UNPACKED", 100)
    with pytest.raises(SourceError, match="unpacks to more than"):
        list(lines(_write(tmp_path, bytes(range(32, 127)) * 4, "large.gz")))


@pytest.mark.parametrize("cut", [5, 20, -9])
def test_a_broken_gzip_file_is_an_error(tmp_path: Path, cut: int) -> None:
    """A file cut short, or packed otherwise, is an error that names it."""
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(b"some text\n" * 50)[:cut])
    with pytest.raises(SourceError, match=r"broken.gz: a broken gzip file"):
        list(lines(path))


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\xff\xfea\x00", "UTF-16"),
        (b"PK\x03\x04", "a zip archive"),
        (b"BZh9", "bzip2"),
        (gzip.compress(b"text"), "gzip without .gz in its name"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (b"\xfd7zXZ\x00\x00", "xz"),
    ],
)
def test_other_encodings_and_archives_are_named(tmp_path: Path, start: bytes, what: str) -> None:
    """A file in another encoding, or an archive, is refused by name and not read as dirt."""
    with pytest.raises(SourceError, match=f"is {what}, not UTF-8 text"):
        list(lines(_write(tmp_path, start)))


def test_capitals_in_an_ending_are_the_ending(tmp_path: Path) -> None:
    """A packed file is one in capitals too."""
    path = tmp_path / "FILE.GZ"
    path.write_bytes(gzip.compress(b"a\n"))
    assert list(lines(path)) == [(1, "a")]


@pytest.mark.parametrize("content", [b"\xef", b"\xef\xbb"])
def test_a_file_that_ends_within_a_bom_keeps_its_bytes(tmp_path: Path, content: bytes) -> None:
    """The first bytes of a BOM alone are bytes that are no UTF-8."""
    ((_, line),) = lines(_write(tmp_path, content))
    assert (line or "").encode("utf-8", "surrogateescape") == content


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that is not there is an error that names it."""
    with pytest.raises(SourceError, match=r"none.txt: cannot be read \(No such file"), open_text(tmp_path / "none.txt"):
        pass


@given(st.binary(max_size=200), st.sampled_from(["file", "file.gz"]))
def test_any_bytes_are_lines_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    """Whatever a file holds, it ends in lines whose bytes are the file's, or in one error."""
    path = _write(tmp_path_factory.mktemp("any"), content, name)
    try:
        found = [line for _, line in lines(path)]
    except SourceError:
        return
    text = "\n".join(line or "" for line in found).encode("utf-8", "surrogateescape")
    written = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n")
    assert text.replace(b"\r", b"") == written.replace(b"\r", b"")
