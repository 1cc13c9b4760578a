"""Reading a query's candidates back: the right rows, the same draws, and a reason for every absence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder import layout, schemas
from embedder.errors import EmbedderError, TableError
from embedder.inspection import Mined, Positive, Tables, nearest, require_verdict
from tests import mined, tables


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mined.write(tmp_path)
    monkeypatch.chdir(tmp_path)


def first() -> Mined:
    """Return what is read of q1."""
    return next(Tables("docs").inspect(["q1"], positive_at=1.0))


def test_a_query_has_its_candidates_by_rank() -> None:
    """All candidates of the query, and none of another, come in the order of their ranks with text and verdict."""
    found = first().candidates
    assert [(c.rank, c.passage_id, c.text, c.verdict) for c in found] == [
        (rank, passage, mined.TEXTS[passage], refusing[0] if refusing else "keep")
        for query, rank, passage, _, _, refusing in mined.ROWS
        if query == "q1"
    ]


def test_other_refusing_rules_leave_out_the_verdict() -> None:
    """`also` names every rule in refused_by but the verdict, in the order of the rules."""
    assert first().candidates[1].also == ("before_rank_window", "margin_too_small")
    assert first().candidates[2].also == ()


def test_positives_come_best_first_with_those_beyond_depth() -> None:
    """Positives are the judged passages with relevance >= positive_at; beyond depth they have no rank."""
    assert [(p.passage_id, p.rank, p.score) for p in first().positives] == [("p1", 1, 9.0), ("p2", None, 0.5)]


def test_a_positive_without_a_score_comes_last(tmp_path: Path) -> None:
    """What no run gave a score to stands below what has one, however bad."""
    rows = [("q1", "p1", 1.0, None, None), ("q1", "p2", 1.0, -7.0, 3)]
    schemas.write(tmp_path / layout.table("mine", "docs", "judged"), schemas.JUDGED, tables.judged(rows))
    assert [(p.passage_id, p.score) for p in first().positives] == [("p2", -7.0), ("p1", None)]


def test_queries_come_sorted() -> None:
    """Several queries are read at once and come in the order of their ids."""
    assert [q.query_id for q in Tables("docs").inspect(["q2", "q1"], 1.0)] == ["q1", "q2"]


def test_no_queries_are_none() -> None:
    """Asked for no query, nothing is read and nothing fails."""
    assert list(Tables("docs").inspect([], 1.0)) == []


def test_titles_join_their_texts(tmp_path: Path) -> None:
    """A passage is shown as models read it: title, newline, text."""
    columns = {"passage_id": list(mined.TEXTS), "title": ["T"] * len(mined.TEXTS), "text": list(mined.TEXTS.values())}
    corpus = schemas.build(schemas.CORPUS, columns)
    schemas.write(tmp_path / layout.table("ingest", "docs", "corpus"), schemas.CORPUS, corpus)
    assert first().candidates[0].text == "T\nThe first positive text"


def test_the_judges_table_goes_first() -> None:
    """Where the judge has run its table is read, with its score; else the filter's."""
    assert Tables("docs").candidates == layout.table("filter", "docs", "candidates")
    filtered = schemas.read(layout.table("filter", "docs", "candidates"), schemas.CANDIDATES)
    judged = tables.passed_on(filtered).set_column(
        9, "judge_score", pa.chunked_array([pa.array([0.25] * filtered.num_rows, pa.float32())])
    )
    path = layout.table("judge", "docs", "candidates")
    schemas.write(path, schemas.JUDGED_CANDIDATES, judged)
    assert Tables("docs").candidates == path
    assert first().candidates[0].judge_score == 0.25


def test_facts_of_the_candidates() -> None:
    """What made the candidates is what their file says."""
    assert Tables("docs").made_by() == mined.MADE_BY


@pytest.mark.parametrize(
    ("query_id", "said"),
    [
        ("q3", "'q3' is a dev query, and dev queries are never mined"),
        ("q4", "'q4' has no positive, so nothing was mined for it"),
        ("q0", "'q0' was merged into 'q1', which has the same text"),
        ("q11", "dataset 'docs' has no query 'q11'; did you mean 'q1'?"),
        ("zzz", "dataset 'docs' has no query 'zzz'; embedder show docs --random 1 shows one"),
        ("q1\x1b[2J\u202e", r"dataset 'docs' has no query 'q1\x1b[2J\u202e'; "),
        ("\udcff", r"dataset 'docs' has no query '\udcff'; "),
    ],
)
def test_a_query_without_candidates_says_why(query_id: str, said: str) -> None:
    """A query that cannot be shown is of dev, without positives, merged, or mistyped, and the message says which."""
    with pytest.raises(EmbedderError) as caught:
        Tables("docs").require(query_id)
    assert str(caught.value).startswith(said)


def test_a_close_name_is_found_among_many(tmp_path: Path) -> None:
    """A typo is answered with its neighbour in a dataset of many queries too."""
    ids = [f"module.function_{number:05d}" for number in range(5000)]
    mined.write_candidates(tmp_path, [(query, 1, "p5", 1.0, None, ()) for query in ids])
    with pytest.raises(EmbedderError, match=r"did you mean 'module\.function_02500'\?"):
        Tables("docs").require("module.functon_02500")


def test_samples_depend_on_the_seed_alone() -> None:
    """The same seed draws the same queries and candidates, another seed others in the long run."""
    draws = [Tables("docs").sample_candidates("keep", 1, seed) for seed in range(20)]
    assert draws == [Tables("docs").sample_candidates("keep", 1, seed) for seed in range(20)]
    assert {frozenset(rows) for rows, _ in draws} == {
        frozenset({("q1", 4)}),
        frozenset({("q1", 5)}),
        frozenset({("q2", 2)}),
    }
    assert {tuple(Tables("docs").sample_queries(1, seed)) for seed in range(20)} == {("q1",), ("q2",)}


def test_a_sample_has_no_more_than_there_is() -> None:
    """A verdict with fewer candidates than asked for gives them all, and says how many there are."""
    assert Tables("docs").sample_candidates("keep", 20, 0) == ({("q1", 4), ("q1", 5), ("q2", 2)}, 3)
    assert Tables("docs").sample_candidates("held_out", 20, 0) == (set(), 0)
    assert Tables("docs").sample_queries(20, 0) == ["q1", "q2"]


def test_an_unknown_verdict_suggests_the_close_one() -> None:
    """A mistyped verdict is answered with the one that was meant."""
    assert require_verdict("keep") == "keep"
    with pytest.raises(EmbedderError, match="unknown verdict 'kept'; did you mean 'keep'"):
        require_verdict("kept")


def test_nothing_mined_yet(tmp_path: Path) -> None:
    """Without candidates the message names the command that makes them."""
    (tmp_path / layout.table("filter", "docs", "candidates")).unlink()
    with pytest.raises(TableError, match="no candidates yet; run dvc repro filter@docs"):
        Tables("docs")


@pytest.mark.parametrize("content", [b"", b"PAR1 no", None])
def test_a_damaged_table_is_named(content: bytes | None, tmp_path: Path) -> None:
    """A file that is no Parquet, or lacks a column, is named in one line."""
    path = tmp_path / layout.table("filter", "docs", "candidates")
    if content is None:
        pq.write_table(pq.read_table(path).drop_columns(["verdict"]), path)
    else:
        path.write_bytes(content)
    with pytest.raises(TableError, match=r"filter/docs/candidates\.parquet: not a readable table"):
        first()


def test_candidates_of_an_older_ingest_are_refused(tmp_path: Path) -> None:
    """Candidates that name passages or queries which ingest no longer has are said to be out of date."""
    path = tmp_path / layout.table("ingest", "docs", "corpus")
    schemas.write(path, schemas.CORPUS, tables.corpus({"p1": "alone"}))
    with pytest.raises(TableError, match="older than data/ingest/docs; run dvc repro"):
        first()
    mined.write(tmp_path)
    path = tmp_path / layout.table("ingest", "docs", "queries")
    schemas.write(path, schemas.QUERIES, tables.queries({"q2": "And then?"}))
    with pytest.raises(TableError, match="older than data/ingest/docs; run dvc repro"):
        first()


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=20))
def test_nearest_is_one_of_the_positives(texts: list[str], text: str) -> None:
    """The nearest positive is one with the same text if there is one; without positives there is none."""
    positives = [Positive(str(i), content, 1.0, 0.0, None) for i, content in enumerate([*texts, text])]
    found = nearest(text, positives)
    assert found is not None
    assert not text.split() or set(found.text.casefold().split()) == set(text.casefold().split())
    assert nearest(text, []) is None
