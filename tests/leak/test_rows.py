"""Tests of embedder.leak.rows."""

from dataclasses import fields
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from embedder.leak.rows import NOT_IDENTIFIABLE, Row, read_csv, write_csv
from embedder.params.models import Filter
from tests.leak.made_up import QUERIES, Query
from tests.leak.test_pass_through import GRIDS, measure
from tests.tables import rules


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, GRIDS)
def test_rows_are_read_back(tmp_path: Path, queries: list[Query], filters: list[Filter]) -> None:
    """Written and read, every row is the same, and so are the bytes when it is written again."""
    rows = measure(queries, filters)
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    write_csv(one, rows)
    assert read_csv(one) == rows
    write_csv(other, read_csv(one))
    assert one.read_bytes() == other.read_bytes()


def test_what_labels_cannot_say_is_said_in_words(tmp_path: Path) -> None:
    """A margin of queries with one positive has no rate in the file but the words, and no interval."""
    rows = measure([Query(("positive",), (1.0,), (0,), ())], [rules(relative_margin=0.1)])
    write_csv(tmp_path / "leak.csv", rows)
    header, first, *_ = (tmp_path / "leak.csv").read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    assert list(cells) == [field.name for field in fields(Row)]
    assert (cells["pass_through"], cells["low"], cells["not_identifiable"]) == (NOT_IDENTIFIABLE, "", "1")
    assert (cells["current"], cells["min_rank"], cells["relative_margin"]) == ("true", "", "0.1")
