"""Tests of embedder.labels."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder.errors import TableError
from embedder.labels import VERDICTS, Verdict, read, texts_hash, write

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
