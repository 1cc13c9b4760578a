"""Tests of embedder.measures: what the filter leaves beside its candidates."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from embedder import schemas
from embedder.candidates import Filtering, made_by
from embedder.filters import BIT
from embedder.leak.rows import read_csv
from embedder.leak.settings import settings
from embedder.measures import Measures
from embedder.params.models import Dataset, Leak
from tests import tables

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]
LEAK = Leak(draws=2, sample=6, controls=3, bootstrap_samples=100, confidence=0.95, seed=1)
STORED = 4
RULES = tables.rules(min_rank=2, max_rank=8, near_copy_jaccard=0.8)


def _texts() -> dict[str, str]:
    texts = {f"p{i}": f"{' '.join(WORDS[i:] + WORDS[:i])} {i}" for i in range(10)}
    # All that the positive p0 says, and more.
    return texts | {"p5": f"{texts['p0']} nu xi omicron pi rho sigma tau upsilon"}


Judgement = tuple[str, str, float, float, int]


def _measured(
    folder: Path, entry: Dataset, rows: int = 5, more: Sequence[Judgement] = (), cosines: Path | None = None
) -> Measures:
    """Measure two queries with ten candidates each, in small blocks; q1 has a second positive, at rank 4.

    `more` are other judged pairs of q2.
    """
    texts = _texts()
    ranked = [(q, rank, p, 10.0 - rank) for q in ("q1", "q2") for rank, p in enumerate(sorted(texts), 1)]
    known = [("q1", "p0", 1.0, 9.0, 1), ("q1", "p3", 1.0, 6.0, 4), ("q2", "p0", 1.0, 9.0, 1), *more]
    queries, run, judged = (
        tables.queries({"q1": "one thing", "q2": "another"}),
        tables.run(ranked),
        tables.judged(known),
    )
    qrels = tables.qrels((q, p, grade) for q, p, grade, *_ in known)
    filtering = Filtering(queries, tables.corpus(texts), judged, pa.array([], pa.string()), entry, RULES)
    made = made_by(run.schema, filtering.rules)
    grid = settings(filtering.rules, 10, scored=True)
    measures = Measures(filtering, queries, qrels, judged, entry, LEAK, made, grid, STORED, cosines)
    for block in filtering.blocks(run.to_batches(), rows):
        measures.add(block)
    measures.write(folder)
    return measures


def test_every_positive_is_left_out_once(tmp_path: Path) -> None:
    """Table left_out has a row a positive, with the scores and places of the others alone."""
    _measured(tmp_path, tables.entry())
    rows = schemas.read(tmp_path / "left_out.parquet", schemas.LEFT_OUT).to_pylist()
    assert [(row["query_id"], row["passage_id"], row["rank"], row["others_above"]) for row in rows] == [
        ("q1", "p0", 1, 0),
        ("q1", "p3", 4, 1),
        ("q2", "p0", 1, 0),
    ]
    assert [row["lowest_other"] for row in rows] == [6.0, 9.0, None]
    assert {row["refused_by"] & BIT["is_positive"] for row in rows} == {0}


def test_the_current_setting_is_measured_first(tmp_path: Path) -> None:
    """Of three positives the one at rank 4 stands at rank 3 without the other, inside the window of 2 to 8."""
    _measured(tmp_path, tables.entry())
    first = read_csv(tmp_path / "leak.csv")[0]
    assert (first.setting, first.current, first.stratum, first.positives) == ("current", True, "all", 3)
    assert first.pass_through == pytest.approx(1 / 3, abs=1e-6)


def test_margins_of_single_positives_are_not_identifiable(tmp_path: Path) -> None:
    """A margin is about another positive, and one of the three positives has none."""
    _measured(tmp_path, tables.entry())
    margins = [row for row in read_csv(tmp_path / "leak.csv") if row.relative_margin is not None]
    assert margins
    assert {row.not_identifiable for row in margins if row.stratum == "all"} == {1}


def test_what_holds_a_positive_is_evidence(tmp_path: Path) -> None:
    """A kept passage that says all that the positive says, and more, counts in the lower bound."""
    _measured(tmp_path, tables.entry())
    bound = json.loads((tmp_path / "report.json").read_text())["contamination"]
    assert bound["evidence"]["contains_positive"] == 2
    assert bound["lower"] == bound["any"] / bound["kept"]


def test_what_was_judged_is_no_part_of_contamination(tmp_path: Path) -> None:
    """A judged negative and a grade between are kept and counted, and are neither in the bound nor in the sample."""
    entry = tables.entry(negative_at=0.0)
    more = [("q2", "p4", 0.5, 5.0, 5), ("q2", "p5", 0.0, 4.0, 6)]
    measures = _measured(tmp_path, entry, more=more)
    bound = json.loads((tmp_path / "report.json").read_text())["contamination"]
    assert bound["judged"] == 2
    assert bound["kept"] + bound["judged"] == measures.tally.verdicts["keep"]
    assert bound["evidence"]["contains_positive"] == 1
    rows = schemas.read(tmp_path / "sample.parquet", schemas.SAMPLE).to_pylist()
    kept = [row for row in rows if row["kind"] == "kept"]
    assert sum(row["weight"] for row in kept) == pytest.approx(bound["kept"])
    assert not {("q2", "p4"), ("q2", "p5")} & {(row["query_id"], row["passage_id"]) for row in rows}


def test_twins_of_the_teacher_are_read_from_its_cosines(tmp_path: Path) -> None:
    """With a table of cosines the report has a hint; of two queries no threshold can be told, and it says so."""
    columns = {"query_id": ["q1"], "passage_id": ["p4"], "member": [""], "positive_id": ["p0"], "cosine": [0.99]}
    path = tmp_path / "cosines.parquet"
    schemas.write(path, schemas.COSINES, schemas.build(schemas.COSINES, columns))
    _measured(tmp_path, tables.entry(), cosines=path)
    hint = json.loads((tmp_path / "report.json").read_text())["contamination"]["teacher_twin"]
    assert (hint["candidates"], hint["thresholds"]) == (None, {"": None})


def test_the_sample_is_of_what_is_kept_and_of_controls(tmp_path: Path) -> None:
    """Sampled candidates stand for all that is kept; controls are positives, and passages nobody judged."""
    measures = _measured(tmp_path, tables.entry())
    rows = schemas.read(tmp_path / "sample.parquet", schemas.SAMPLE).to_pylist()
    kept = [row for row in rows if row["kind"] == "kept"]
    assert len(kept) == LEAK.sample
    assert sum(row["weight"] for row in kept) == pytest.approx(measures.tally.verdicts["keep"])
    positives = {(row["query_id"], row["passage_id"]) for row in rows if row["kind"] == "positive"}
    assert positives == {("q1", "p0"), ("q1", "p3"), ("q2", "p0")}
    assert sum(row["kind"] == "random" for row in rows) == LEAK.controls


def test_blocks_change_no_byte(tmp_path: Path) -> None:
    """Blocks of a query and of all of them give the same files."""
    for rows in (1, 1000):
        (tmp_path / str(rows)).mkdir()
        _measured(tmp_path / str(rows), tables.entry(), rows)
    for name in ("left_out.parquet", "sample.parquet", "leak.csv", "report.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "1000" / name).read_bytes()


def test_labels_have_nothing_to_measure(tmp_path: Path) -> None:
    """Of a label task rows are counted; there is no window to let anything through."""
    _measured(tmp_path, tables.entry("classification"))
    assert read_csv(tmp_path / "leak.csv") == []
    assert json.loads((tmp_path / "report.json").read_text())["contamination"] is None
    for name, table in (("left_out", schemas.LEFT_OUT), ("sample", schemas.SAMPLE)):
        assert schemas.read(tmp_path / f"{name}.parquet", table).num_rows == 0
