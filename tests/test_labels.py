"""Tests of embedder.labels."""

import csv
import fcntl
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder.errors import TableError
from embedder.labels import VERDICTS, Verdict, add, read, texts_hash, write

_IDS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@'\"\t\r\n,\0＝"), max_size=8)  # noqa: RUF001 - a formula's
_ROWS = st.dictionaries(
    st.tuples(_IDS, _IDS), st.builds(Verdict, st.sampled_from(VERDICTS), st.just("0123456789abcdef")), max_size=6
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_ROWS)
def test_verdicts_survive_the_file(tmp_path: Path, rows: dict[tuple[str, str], Verdict]) -> None:
    """Whatever characters ids hold, what was written is read back, and no cell is a formula to a spreadsheet."""
    path = tmp_path / "labels" / "docs.csv"
    write(path, rows)
    assert read(path) == rows
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]  # noqa: RUF001 - a formula's
    assert [one.name for one in path.parent.iterdir()] == ["docs.csv"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_ROWS)
def test_equal_verdicts_are_equal_bytes(tmp_path: Path, rows: dict[tuple[str, str], Verdict]) -> None:
    """Rows are sorted, whatever the order in which they came."""
    write(tmp_path / "one.csv", rows)
    write(tmp_path / "two.csv", dict(reversed(rows.items())))
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_no_file_has_no_verdicts(tmp_path: Path) -> None:
    """Nobody need have labelled anything."""
    assert read(tmp_path / "none.csv") == {}


def test_a_plain_id_stands_as_it_is(tmp_path: Path) -> None:
    """The file is for people to read."""
    write(tmp_path / "docs.csv", {("q1", "=p"): Verdict("yes", "00")})
    expected = '"query_id","passage_id","verdict","texts"\n"q1","\'=p","yes","00"\n'
    assert (tmp_path / "docs.csv").read_text() == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "its first line is not"),
        (b"<<<<<<< HEAD\nquery_id,passage_id,verdict,texts\n", "its first line is not"),
        (b"query_id,passage_id,verdict,texts\nq,p,maybe,00\n", "docs.csv:2: is not"),
        (b"query_id,passage_id,verdict,texts\nq,p,yes,00\n\n", "docs.csv:3: is not"),
        (b"query_id,passage_id,verdict,texts\nq,p,yes,00\nq,p,no,00\n", "docs.csv:3: a second verdict"),
        (b'query_id,passage_id,verdict,texts\n"q"x,p,yes,00\n', "is no CSV"),
        (b"query_id,passage_id,verdict,texts\n\xff,p,yes,00\n", "is no CSV in UTF-8"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """What is not as it was written is told with its line, and never read in part."""
    (tmp_path / "docs.csv").write_bytes(content)
    with pytest.raises(TableError, match=said):
        read(tmp_path / "docs.csv")


def test_a_hash_tells_texts_apart() -> None:
    """Query, passage, and where one ends and the other begins all count."""
    hashes = {texts_hash(*pair) for pair in (("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("ab", "d"))}
    assert len(hashes) == 5
    assert Verdict("yes", texts_hash("a", "b")).is_of("a", "b")
    assert not Verdict("yes", texts_hash("a", "b")).is_of("b", "a")


def test_a_verdict_is_added_to_what_is_there(tmp_path: Path) -> None:
    """It replaces one on the same pair; all others stay, and all are returned."""
    path, yes, no = tmp_path / "labels" / "docs.csv", Verdict("yes", "00"), Verdict("no", "00")
    assert add(path, ("q1", "p1"), yes) == {("q1", "p1"): yes}
    write(path, {("q1", "p1"): yes, ("q2", "p2"): yes})
    assert add(path, ("q1", "p1"), no) == read(path) == {("q1", "p1"): no, ("q2", "p2"): yes}


def _label(path: Path, query_id: str) -> None:
    for number in range(20):
        add(path, (query_id, f"p{number}"), Verdict("yes", "00"))


def test_two_people_lose_no_verdict(tmp_path: Path) -> None:
    """Processes that label one dataset at once keep each other's verdicts."""
    path = tmp_path / "labels" / "docs.csv"
    forked = multiprocessing.get_context("fork")
    people = [forked.Process(target=_label, args=(path, f"q{number}")) for number in range(3)]
    for one in people:
        one.start()
    for one in people:
        one.join(30)
    assert [one.exitcode for one in people] == [0, 0, 0]
    assert sorted(read(path)) == sorted((f"q{number}", f"p{i}") for number in range(3) for i in range(20))


def test_the_folder_is_let_go_and_left_clean(tmp_path: Path) -> None:
    """After a verdict, and after an error, the lock is free; no file of a lock lies beside what git keeps."""
    add(tmp_path / "docs.csv", ("q", "p"), Verdict("yes", "00"))
    (tmp_path / "code.csv").write_text("damaged")
    with pytest.raises(TableError, match="first line"):
        add(tmp_path / "code.csv", ("q", "p"), Verdict("yes", "00"))
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["code.csv", "docs.csv"]


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder in a file's place, and a file in a folder's, are told in one line, read or written."""
    (tmp_path / "docs.csv").mkdir()
    (tmp_path / "labels").write_text("")
    for path in (tmp_path / "docs.csv", tmp_path / "labels" / "docs.csv"):
        with pytest.raises(TableError, match=r"docs.csv: cannot be read \("):
            read(path)
        with pytest.raises(TableError, match=r"docs.csv: cannot be written \("):
            write(path, {("q", "p"): Verdict("yes", "00")})
        with pytest.raises(TableError, match=r"docs.csv: cannot be (read|written) \("):
            add(path, ("q", "p"), Verdict("yes", "00"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["docs.csv", "labels"]


def test_a_file_system_that_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder cannot be locked, or a file not be read, the message says why and nothing is changed."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(TableError, match=r"cannot be written \(Permission denied\), and stays as it was"):
        add(tmp_path / "docs.csv", ("q", "p"), Verdict("yes", "00"))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TableError, match=r"cannot be read \(Permission denied\)"):
        read(tmp_path / "docs.csv")
    assert list(tmp_path.iterdir()) == []
