"""Tests of embedder.leak.stored: what was filtered, read back."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder import layout, row_groups, schemas
from embedder.errors import EmbedderError, TableError
from embedder.leak import stored as module
from embedder.leak.left_out import LeftOut
from embedder.leak.stored import Stored
from embedder.params.models import Filter
from tests import tables
from tests.leak.made_up import MADE_BY, QUERIES, Query, joined, parts_of, write
from tests.leak.test_pass_through import FILTERS

ONE = [Query(("positive", "plain", "held_out"), (3.0, 2.0, 1.0), (0, 0, 0), ())]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _same(one: object, other: object) -> None:
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), name)


def _left(parts: list[LeftOut]) -> LeftOut:
    return LeftOut(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, FILTERS, st.integers(1, 20))
def test_rules_find_what_they_found(queries: list[Query], chosen: Filter, rows: int) -> None:
    """Candidates, refusals and positives read back are those that were written, however they are cut into parts."""
    write(Path(), queries, chosen)
    stored = Stored("docs", tables.entry())
    found, expected = list(stored.parts(rows)), parts_of(queries, chosen)
    assert stored.rules == chosen
    assert sum(len(np.unique(part.left.query)) for part in found) == len(stored.query_ids) == len(queries)
    _same(joined([part.candidates for part in found]), joined([part.candidates for part in expected]))
    _same(_left([part.left for part in found]), _left([part.left for part in expected]))
    for name in ("of", "refused_by"):
        one, other = (np.concatenate([getattr(part, name) for part in parts]) for parts in (found, expected))
        np.testing.assert_array_equal(one, other)


def test_queries_without_candidates_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part has more queries than it may, and each query is in one."""
    monkeypatch.setattr(module, "_QUERIES", 2)
    beyond = Query((), (), (), (0.5,))
    queries = [beyond] * 3 + ONE + [beyond] * 5
    write(tmp_path, queries, tables.rules())
    parts = list(Stored("docs", tables.entry()).parts())
    assert [query for part in parts for query in part.left.query.tolist()] == list(range(9))
    assert max(len(part.left.query) for part in parts) == 2
    assert [query for part in parts for query in part.of.tolist()] == [3] * 3


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), max_size=6), st.integers(1, 4), st.integers(1, 12))
def test_no_query_is_cut_in_two(counts: list[int], size: int, rows: int) -> None:
    """Whatever the batches, all rows are there, in order, and no two parts share a query."""
    column = [f"q{number}" for number, count in enumerate(counts) for _ in range(count)]
    table = pa.table({"query_id": pa.array(column, pa.string())})
    parts = [part["query_id"].to_pylist() for part in row_groups.whole_queries(table.to_batches(size), rows)]
    assert [one for part in parts for one in part] == column
    assert len({one for part in parts for one in set(part)}) == sum(len(set(part)) for part in parts)
    assert all(len(part) < rows + max(counts) + size for part in parts)


def test_a_judges_verdicts_are_read_where_there_are_any(tmp_path: Path) -> None:
    """What the judge handed on takes the place of what the filter wrote."""
    write(tmp_path, ONE, tables.rules())
    candidates = schemas.read(layout.table("filter", "docs", "candidates"), schemas.CANDIDATES)
    made = schemas.metadata(candidates) | {"judge": "somebody"}
    data = tables.passed_on(candidates).replace_schema_metadata(schemas.stored(made))
    schemas.write(layout.table("judge", "docs", "candidates"), schemas.JUDGED_CANDIDATES, data)
    assert Stored("docs", tables.entry()).made_by["judge"] == "somebody"


def test_label_tasks_have_nothing_to_ask() -> None:
    """Labels have no window and no margins: the message says so."""
    with pytest.raises(EmbedderError, match="'docs' is a clustering task"):
        Stored("docs", tables.entry("clustering"))


def test_tables_of_another_run_are_refused(tmp_path: Path) -> None:
    """Positives left out under other rules don't go with the candidates."""
    write(tmp_path, ONE, tables.rules())
    path = layout.table("filter", "docs", "left_out")
    data = schemas.read(path, schemas.LEFT_OUT).replace_schema_metadata(schemas.stored(MADE_BY | {"rules": "{}"}))
    schemas.write(path, schemas.LEFT_OUT, data)
    with pytest.raises(TableError, match=r"left_out\.parquet: made with rules"):
        Stored("docs", tables.entry())


def test_missing_and_older_tables_are_named(tmp_path: Path) -> None:
    """Nothing filtered yet, and candidates that don't say by which rules: both messages say what to run."""
    with pytest.raises(TableError, match=r"candidates\.parquet: no such table"):
        Stored("docs", tables.entry())
    write(tmp_path, ONE, tables.rules())
    path = layout.table("filter", "docs", "candidates")
    data = schemas.read(path, schemas.CANDIDATES).replace_schema_metadata(schemas.stored(MADE_BY))
    schemas.write(path, schemas.CANDIDATES, data)
    with pytest.raises(TableError, match="run dvc repro filter@docs"):
        Stored("docs", tables.entry())
