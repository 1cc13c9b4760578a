"""Tests of embedder.contamination.twins: from which cosine on a dense teacher cannot tell a passage from a positive."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from embedder import schemas
from embedder.contamination.evidence import Pairs
from embedder.contamination.twins import FEWEST, LEAST, Twins, read, thresholds
from embedder.errors import TableError

QUERIES = [f"q{i:02}" for i in range(30)]
# Of each query two positives, and two candidates that are none.
POSITIVES = [(i, 4 * i + place) for i in range(30) for place in range(2)]
PASSAGES = [f"p{i:03}" for i in range(120)]

Row = tuple[int, int, float]


def _twins(cosine: float, queries: int = 30) -> list[Row]:
    """Return the rows of the positives of some queries, each with its cosine to the other."""
    return [(query, passage, cosine) for query, passage in POSITIVES if query < queries]


def _read(folder: Path, **members: list[Row]) -> Twins:
    rows = sorted((query, passage, name, cosine) for name, of in members.items() for query, passage, cosine in of)
    columns = {
        "query_id": [QUERIES[row[0]] for row in rows],
        "passage_id": [PASSAGES[row[1]] for row in rows],
        "member": [row[2] for row in rows],
        "positive_id": [PASSAGES[4 * row[0]] for row in rows],
        "cosine": pa.array([row[3] for row in rows], pa.float32()),
    }
    schemas.write(folder / "cosines.parquet", schemas.COSINES, schemas.build(schemas.COSINES, columns))
    known = Pairs(*(np.array(side, dtype=np.int64) for side in zip(*POSITIVES, strict=True)))
    return read(folder / "cosines.parquet", pa.array(QUERIES), pa.array(PASSAGES), known)


def _found(twins: Twins) -> list[tuple[int, int]]:
    return sorted(zip(twins.pairs.query.tolist(), twins.pairs.passage.tolist(), strict=True))


def test_a_candidate_counts_from_the_median_of_known_twins_on(tmp_path: Path) -> None:
    """Where known twins have 0.98, a candidate of 0.97 is merely similar; positives themselves are no candidates."""
    found = _read(tmp_path, dense=[*_twins(0.98), (0, 2, 0.97), (1, 6, 0.98), (2, 10, 0.99)])
    assert found.thresholds == {"dense": pytest.approx(0.98)}
    assert _found(found) == [(1, 6), (2, 10)]


def test_no_threshold_lies_below_the_least(tmp_path: Path) -> None:
    """A teacher whose known twins are far apart does not make twins of what is far apart."""
    found = _read(tmp_path, dense=[*_twins(0.6), (0, 2, 0.9), (1, 6, 0.96)])
    assert found.thresholds == {"dense": LEAST}
    assert _found(found) == [(1, 6)]


def test_a_teacher_with_few_known_twins_says_nothing(tmp_path: Path) -> None:
    """Below so many queries with known twins a member has no threshold and finds nothing; the other one does."""
    few, enough = _twins(0.96, FEWEST - 1), _twins(0.96, FEWEST)
    found = _read(tmp_path, a=[*few, (0, 2, 1.0)], b=[*enough, (1, 6, 0.97)])
    assert found.thresholds == {"a": None, "b": pytest.approx(0.96)}
    assert _found(found) == [(1, 6)]


def test_a_table_without_positives_says_nothing(tmp_path: Path) -> None:
    """A run of an older version has cosines of candidates alone; an empty one has no member."""
    found = _read(tmp_path, dense=[(0, 2, 1.0)])
    assert (found.thresholds, _found(found)) == ({"dense": None}, [])
    assert _read(tmp_path).thresholds == {}


def test_each_member_has_a_threshold_of_its_own(tmp_path: Path) -> None:
    """A member whose cosines are all high asks for more than one that spreads them."""
    found = _read(tmp_path, high=[*_twins(0.99), (0, 2, 0.97)], wide=[*_twins(0.7), (1, 6, 0.97)])
    assert found.thresholds == {"high": pytest.approx(0.99), "wide": LEAST}
    assert _found(found) == [(1, 6)]


def test_a_query_counts_once_with_its_closest_pair() -> None:
    """Fifty positives of one query do not outvote the other queries, and of its pairs the closest is taken."""
    rows = [("q0", 0.999)] * 50 + [("q1", 0.5), ("q1", 0.97)] + [(f"r{i}", 0.97) for i in range(FEWEST - 2)]
    columns = {"member": [""] * len(rows), "query_id": [query for query, _ in rows]}
    table = pa.table(columns | {"cosine": pa.array([cosine for _, cosine in rows], pa.float32())})
    assert thresholds(table, [""]) == {"": pytest.approx(0.97)}
    assert thresholds(table.slice(0, 50), [""]) == {"": None}


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    """A table that is not there is an error in one line."""
    nothing = np.empty(0, np.int64)
    with pytest.raises(TableError, match="run the stage that writes it"):
        read(tmp_path / "cosines.parquet", pa.array(QUERIES), pa.array(PASSAGES), Pairs(nothing, nothing))
