"""Tests of embedder.ingestion.settling."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.errors import SourceError
from embedder.ingestion.settling import summary
from embedder.loaders import Source
from embedder.params.models import Ingest
from embedder.records import Given, Passage, Qrel, Query, Record, Reject, Repair
from tests import tables
from tests.sources import Written, ingested, records


def _kinds(found: Written, count: str) -> dict[str, int]:
    return {kind: n for kind, n in found.report[count].items() if n}


def test_merges_are_recorded_and_counted() -> None:
    """Merged ids stand in aliases with what they became, and read = kept + merged + rejected."""
    rows = records(
        {"b": "Q", "a": "q", "c": "alone"},
        {"p": "P", "r": "p"},
        [("b", "r", 1), ("a", "p", 0), ("c", "?", 1)],
        dev=["a"],
    )
    found = ingested(Source([*rows, Reject("query", "e", "no_text", "f.jsonl", 7)], {"version": "1"}))
    assert found.rows("aliases") == [
        {"kind": "passage", "id": "r", "merged_into": "p"},
        {"kind": "query", "id": "b", "merged_into": "a"},
    ]
    assert found.rows("qrels") == [{"query_id": "a", "passage_id": "p", "relevance": 1.0}]
    assert found.column("queries", "split") == ["dev"]
    assert found.report["source"] == {"version": "1"}
    assert _kinds(found, "read") == {"query": 4, "passage": 2, "qrel": 3}
    assert _kinds(found, "kept") == {"query": 1, "passage": 1, "qrel": 1}
    assert _kinds(found, "merged") == {"query": 1, "passage": 1, "qrel": 1}
    assert _kinds(found, "rejected") == {"query": 2, "qrel": 1}
    assert found.report["reject_reasons"] == {"query": {"no_text": 1, "not_judged": 1}, "qrel": {"unknown_passage": 1}}
    assert found.rows("rejects")[-1] == {
        "kind": "query", "id": "e", "reason": "no_text", "file": "f.jsonl", "row": 7, "action": "refused",
    }  # fmt: skip


def test_a_query_without_positives_is_refused_with_its_judgements() -> None:
    """A query whose passages are all below positive_at can't be mined nor measured: it's listed, and so are its qrels."""
    rows = records({"a": "x", "b": "y"}, {"p": "z"}, [("a", "p", 2), ("b", "p", 1)])
    found = ingested(rows, tables.entry(positive_at=2.0))
    assert found.column("queries", "query_id") == ["a"]
    assert found.rows("rejects") == [
        {"kind": "qrel", "id": "b\tp", "reason": "query_refused", "file": "qrels", "row": 2, "action": "refused"},
        {"kind": "query", "id": "b", "reason": "no_positive", "file": "queries", "row": 2, "action": "refused"},
    ]


def test_a_grade_at_the_bound_is_a_positive() -> None:
    """A grade that is stored as float32 reaches the bound written in params."""
    rows = records({"a": "x"}, {"p": "z"}, [("a", "p", 0.7)])
    assert ingested(rows, tables.entry(positive_at=0.7)).column("queries", "query_id") == ["a"]


def test_sts_keeps_pairs_of_every_grade() -> None:
    """For STS a low grade is a fact too; only a query that nobody judged is refused."""
    found = ingested(records({"a": "x", "b": "y"}, {"p": "z"}, [("a", "p", 0)]), tables.entry("sts", positive_at=4.0))
    assert found.column("queries", "query_id") == ["a"]
    assert found.notes() == [("query", "b", "not_judged")]


def test_what_was_mined_for_a_refused_query_goes_with_it() -> None:
    """Mined negatives of a query that is refused are listed too, and the table has none of them."""
    rows = records({"a": "x", "b": "y"}, {"p": "z"}, [("a", "p", 1)])
    found = ingested([*rows, Given("b", "p", 1, 1.0, "run", 1), Given("a", "p", 1, 2.0, "run", 2)])
    assert found.notes()[0] == ("given", "b\tp", "query_refused")
    assert found.rows("given") == [{"query_id": "a", "rank": 1, "passage_id": "p", "score": 2.0}]


@pytest.mark.parametrize(("score", "said"), [(1.0, "given"), (None, "place")])
def test_the_run_that_came_with_a_source_says_whether_it_has_scores(score: float | None, said: str) -> None:
    """The table of mined negatives says whether its scores are the source's or only its order is known."""
    rows = records({"a": "x"}, {"p": "z"}, [("a", "p", 1)])
    found = ingested([*rows, Given("a", "p", 1, score)])
    assert schemas.metadata(found.tables["given"]) == {"scores": said}
    assert "given.parquet" not in ingested(rows).files


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (records({}, {"p": "x"}), "no query is left of 0 read; nothing was refused"),
        (records({"a": "x"}, {}, [("a", "p", 1)]), r"no query is left of 1 read; most for unknown_passage \(1, first at qrels:1\)"),
        ([], "no query is left of 0 read; nothing was refused; check the columns that the entry's source names"),
    ],
    ids=["no queries", "no passages", "nothing"],
)  # fmt: skip
def test_an_empty_dataset_is_refused(rows: list[Record], said: str) -> None:
    """A source of which nothing is left is refused with the reason that took most."""
    with pytest.raises(SourceError, match=said):
        ingested(rows)


@pytest.mark.parametrize(("most", "fails"), [(0.5, False), (0.49, True)])
def test_a_source_that_loses_too_much_is_refused(most: float, *, fails: bool) -> None:
    """Above max_reject_share ingest stops and says which reason dominates, where it is first found, and what to do."""
    rows = records({"a": "x", "b": "y"}, {"p": "z"}, [("a", "p", 1), ("b", "p", 0)])
    settings_ = Ingest(max_characters=100, max_reject_share=most)
    if not fails:
        assert ingested(rows, settings=settings_).report["rejected"]["query"] == 1
        return
    said = r"1 of 2 queries \(50.0%\) are refused, more than max_reject_share 0.49 allows; most for no_positive \(1, first at queries:2\)"
    with pytest.raises(SourceError, match=said):
        ingested(rows, settings=settings_)


def test_unreadable_rows_count_as_a_share_of_rows() -> None:
    """Rows that no record could be made of are a kind of their own, measured against all rows of the files."""
    rows = records({"a": "x"}, {"p": "z"}, [("a", "p", 1)])
    refused = [Reject("row", "", "not_json", "f.jsonl", n) for n in range(6)]
    source = Source([*rows, *refused], {"f.jsonl": {"rows": 10}})
    found = ingested(source)
    assert (found.report["read"]["row"], found.report["kept"]["row"], found.report["rejected"]["row"]) == (10, 4, 6)
    with pytest.raises(SourceError, match=r"6 of 10 rows \(60.0%\).* not_json"):
        ingested(source, settings=Ingest(max_characters=9, max_reject_share=0.5))


def test_repairs_are_listed_and_kept() -> None:
    """What was mended stays, is counted under its reason, and stands in the rejects as repaired."""
    rows = records({"a": "x\x00y"}, {"p": "z" * 50}, [("a", "p", 1)])
    found = ingested(
        [*rows, Repair("row", "a", "string_for_list", "f", 3)], settings=Ingest(max_characters=9, max_reject_share=0.0)
    )
    assert found.column("queries", "text") == ["x y"]
    assert found.column("corpus", "text") == ["z" * 9]
    assert found.report["repairs"] == {
        "passage": {"over_long_text": 1}, "query": {"control_characters": 1}, "row": {"string_for_list": 1},
    }  # fmt: skip
    assert len(found.notes("repaired")) == 3
    assert not found.notes()


_IDS = st.sampled_from("abcdef")
_TEXT = st.sampled_from(["x", "X", "y", "z", "", " ", "\udcff", "z\x00", "long" * 9])
_QUERY = st.tuples(_IDS, _TEXT, st.sampled_from(["train", "dev", None]))
_PASSAGE = st.tuples(st.sampled_from(["p", "q", "r", "s", "", "t\n"]), _TEXT)
_QRELS = st.lists(
    st.tuples(_IDS, st.sampled_from("pqrs?"), st.sampled_from([0.0, 0.5, 1.0, 2.0, float("nan")])), max_size=12
)
_GIVEN = st.lists(
    st.tuples(_IDS, st.sampled_from("pqrs?"), st.sampled_from([0.0, 0.5, None, float("inf")])), max_size=8
)


def _dirty(
    queries: Sequence[Any], passages: Sequence[Any], qrels: Sequence[Any], given_: Sequence[Any]
) -> list[Record]:
    return [
        *(Query(name, text, split, None, None, "queries", i) for i, (name, text, split) in enumerate(queries, 1)),
        *(Passage(name, "", text, "corpus", i) for i, (name, text) in enumerate(passages, 1)),
        *(Qrel(q, p, grade, "qrels", i, "train") for i, (q, p, grade) in enumerate(qrels, 1)),
        *(Given(query, passage, i, score, "run", i) for i, (query, passage, score) in enumerate(given_, 1)),
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(_QUERY, unique_by=lambda q: q[0], max_size=6),
    st.lists(_PASSAGE, unique_by=lambda p: p[0], max_size=5),
    _QRELS,
    _GIVEN,
    st.sampled_from(["retrieval", "sts", "reranking"]),
    st.randoms(use_true_random=False),
)
def test_counts_add_up_and_order_is_no_matter(
    queries: list[Any],
    passages: list[Any],
    qrels: list[Any],
    given_: list[Any],
    task: str,
    random: Any,  # noqa: ANN401 - hypothesis gives a random.Random
) -> None:
    """For any mixture of dirty rows read = kept + merged + rejected per kind, and no table depends on their order."""
    rows = _dirty(queries, passages, qrels, given_)
    short = Ingest(max_characters=20, max_reject_share=1.0)
    found = ingested(rows, tables.entry(task), short, check=False)
    read = {"query": len(queries), "passage": len(passages), "qrel": len(qrels), "given": len(given_)}
    assert found.report["read"] == read
    kept, merged, rejected = (found.report[key] for key in ("kept", "merged", "rejected"))
    assert {kind: kept[kind] + merged[kind] + rejected[kind] for kind in read} == read
    assert min(merged.values()) >= 0
    assert kept == {
        "query": found.tables["queries"].num_rows,
        "passage": found.tables["corpus"].num_rows,
        "qrel": found.tables["qrels"].num_rows,
        "given": found.tables["given"].num_rows if given_ else 0,
    }
    assert merged["query"] + merged["passage"] == found.tables["aliases"].num_rows
    assert sum(rejected.values()) == len(found.notes())
    known = set(found.column("queries", "query_id")), set(found.column("corpus", "passage_id"))
    assert {row["query_id"] for row in found.rows("qrels")} <= known[0]
    assert {row["passage_id"] for row in found.rows("qrels")} <= known[1]
    shuffled = [*queries], [*passages], [*qrels]
    for part in shuffled:
        random.shuffle(part)
    again = ingested(_dirty(*shuffled, given_), tables.entry(task), short, check=False)
    for table in ("queries", "corpus", "qrels", "aliases"):
        assert again.files[f"{table}.parquet"] == found.files[f"{table}.parquet"]


def test_tables_are_what_the_schemas_declare() -> None:
    """What is written sorted from the database is what `schemas.build` makes of the same rows."""
    rows = records({f"q{i}": f"text {i}" for i in range(9)}, {"p": "z"}, [(f"q{i}", "p", 1) for i in range(9)])
    found = ingested(rows)
    for table in (schemas.QUERIES, schemas.CORPUS, schemas.QRELS, schemas.ALIASES, schemas.REJECTS):
        assert schemas.build(table, found.tables[table.name].replace_schema_metadata(None)).equals(
            found.tables[table.name]
        )


def test_contradicting_judgements_are_listed() -> None:
    """Of two grades of one pair the higher counts, and the lower is listed with its row; equal ones are just merged."""
    rows = records({"a": "x"}, {"p": "z"}, [("a", "p", 2), ("a", "p", 0), ("a", "p", 2)])
    found = ingested(rows)
    assert found.rows("qrels") == [{"query_id": "a", "passage_id": "p", "relevance": 2.0}]
    assert [(row["reason"], row["row"]) for row in found.rows("rejects")] == [("lower_relevance", 2)]
    assert found.report["merged"]["qrel"] == 2
    assert found.report["merge_reasons"] == {"qrel": {"lower_relevance": 1}}


def test_queries_of_other_splits_are_no_fault() -> None:
    """Queries that nobody judged in the splits that are read are listed, and don't make the source the wrong one."""
    rows = records({"a": "x", "b": "y", "c": "w"}, {"p": "z"}, [("a", "p", 1)])
    found = ingested(rows, settings=Ingest(max_characters=9, max_reject_share=0.0))
    assert found.report["reject_reasons"] == {"query": {"not_judged": 2}}


def test_rows_of_other_splits_are_left_aside() -> None:
    """Rows that belong to no split that is read are counted apart: neither kept nor refused."""
    source = Source(records({"a": "x"}, {"p": "z"}, [("a", "p", 1)]), {"f.csv": {"rows": 5, "of_other_splits": 4}})
    found = ingested(source)
    assert (found.report["read"]["row"], found.report["kept"]["row"], found.report["rows_of_other_splits"]) == (1, 1, 4)
    assert summary(found.report).endswith("; left aside 4 rows of other splits")
