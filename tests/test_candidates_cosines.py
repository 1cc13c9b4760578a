"""Tests of embedder.candidates: near copies by the cosines of a dense teacher, candidates and positives left out."""

from pathlib import Path

import pyarrow as pa
import pytest

from embedder import schemas
from embedder.candidates import Filtering
from embedder.filters import BIT
from embedder.params.models import Filter
from tests import tables
from tests.test_candidates import Case

# Two positives that one vector says are the same, a third that is apart, and an unjudged passage close to the first.
TWINS = Case(
    {"q": "what"},
    {"a": "one", "b": "two", "c": "three", "d": "four", "e": "five"},
    {("q", p): 5.0 - i for i, p in enumerate("abcde")},
    dict.fromkeys([("q", "a"), ("q", "b"), ("q", "c")], 1.0),
)
COSINES = [("a", "b", 0.97), ("b", "a", 0.97), ("c", "a", 0.4), ("d", "a", 0.96), ("e", "c", 0.5)]


def _filtering(folder: Path, case: Case, rules: Filter) -> tuple[Filtering, pa.Table]:
    path = folder / "cosines.parquet"
    rows = [("q", passage, "", positive, cosine) for passage, positive, cosine in COSINES]
    schemas.write(path, schemas.COSINES, schemas.from_rows(schemas.COSINES, rows))
    run, judged, queries, corpus = case.tables()
    return Filtering(queries, corpus, judged, pa.array([], pa.string()), tables.entry(), rules, path), run


def test_a_near_twin_left_out_is_refused_as_a_near_copy(tmp_path: Path) -> None:
    """By cosines as by shingles: a positive close to another is one, itself as a candidate stays a positive."""
    filtering, run = _filtering(tmp_path, TWINS, tables.rules(near_copy_cosine=0.95))
    (block,) = filtering.blocks(run.to_batches())
    near = BIT["duplicates_positive"]
    assert block.positives.refused_by.tolist() == [near, near, 0]
    assert block.refused_by.tolist() == [BIT["is_positive"]] * 3 + [near, 0]


@pytest.mark.parametrize("least", [0.3, 0.5, 0.96, 0.98])
def test_cosines_never_raise_pass_through(tmp_path: Path, least: float) -> None:
    """Whatever the bound, no positive that is refused without the rule is kept with it."""
    before, after = (
        next(iter(filtering.blocks(run.to_batches()))).positives.refused_by
        for filtering, run in (
            _filtering(tmp_path, TWINS, tables.rules(near_copy_cosine=bound)) for bound in (None, least)
        )
    )
    assert ((after == 0) <= (before == 0)).all()
    assert (after == 0).sum() < (before == 0).sum() or least > 0.97
