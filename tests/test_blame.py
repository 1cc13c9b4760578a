"""Tests of embedder.blame."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder import schemas
from embedder.blame import COLUMNS, Change, Golds, Push, Source, changes, pushes, reasons
from embedder.params.models import Filter
from tests import tables

GOLD = "one two three four five six seven eight nine ten eleven twelve"
NEAR = f"{GOLD} thirteen"
FAR = "entirely different words stand in this other sentence here"
DECONTAMINATE = "materialize.decontaminate_jaccard"
SCHEMA = pa.schema([schemas.SHARD.schema.field(name) for name in COLUMNS])


def _scores(*rows: tuple[str, str, str, float, int | None]) -> pa.Table:
    """Return the evaluation's table of (dataset, model, query, value, gold_rank)."""
    columns = {name: [row[i] for row in rows] for i, name in enumerate(schemas.SCORES.schema.names[:5])}
    return schemas.build(schemas.SCORES, columns | {"query_words": [1] * len(rows), "gold_words": [1] * len(rows)})


def _source(rules: Filter | None = None, dataset: str = "train", **made_by: str) -> Source:
    return Source(dataset, "word", {"window": "30-100 without_positives"} | made_by, rules)


def _rows(*negatives: dict[str, str], judged: list[float | None] | None = None) -> pa.Table:
    """Return one row for each dictionary of negatives, id -> text; ranks count from 41, scores fall from 0.5."""
    rows: list[dict[str, Any]] = [
        {
            "query_id": f"q{i}",
            "query": f"query {i}",
            "positive_id": f"p{i}",
            "positive": "a positive of its own",
            "positive_score": 1.0,
            "negative_ids": list(texts),
            "negatives": list(texts.values()),
            "negative_ranks": [41 + place for place in range(len(texts))],
            "negative_scores": [0.5 - place / 8 for place in range(len(texts))],
            "negative_judge_scores": judged and judged[: len(texts)],
        }
        for i, texts in enumerate(negatives)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _found(push: Push) -> tuple[str, str, int, float, str, float]:
    return push.row["query_id"], push.negative_id, push.rank, push.score, push.gold_id, round(push.jaccard, 3)


def test_losses_come_first_the_largest_before_others() -> None:
    """Queries come by what tuning did to them, the largest loss first, ties by id; other datasets and BM25 don't count."""
    found = changes(
        _scores(
            *(("d", "base", name, 0.5, 3) for name in "abcd"),
            ("d", "tuned", "a", 0.6, 1),
            ("d", "tuned", "b", 0.25, 4),
            ("d", "tuned", "c", 0.0, None),
            ("d", "tuned", "d", 0.25, 4),
            ("d", "bm25", "a", 0.0, 9),
            ("e", "base", "z", 1.0, 1),
            ("e", "tuned", "z", 0.0, 1),
        ),
        "d",
    )
    assert found[0] == Change("c", 0.5, 0.0, 3, None)
    assert [change.query_id for change in found] == ["c", "b", "d", "a"]
    assert [change.is_loss for change in found] == [True, True, True, False]


def test_a_row_that_has_the_passage_as_a_negative_is_found() -> None:
    """Rows are found whose negatives have the passage's text or a near copy, with rank, score and similarity."""
    rows = _rows({"x": FAR, "copy": GOLD.upper()}, {"y": FAR}, {"near": NEAR, "copy": GOLD.upper()}, {})
    found = pushes([(_source(), rows)], Golds({"gold": GOLD, "other": "nothing like it"}, "word", 0.5))
    assert [_found(push) for push in found] == [
        ("q0", "copy", 42, 0.375, "gold", 1.0),
        ("q2", "copy", 42, 0.375, "gold", 1.0),
        ("q2", "near", 41, 0.5, "gold", round(8 / 9, 3)),
    ]
    assert found[2].row["query"] == "query 2"
    assert [push.stored for push in found] == [2, 2, 2]
    assert found[2].text == NEAR


def test_less_similar_passages_are_no_copies() -> None:
    """Below the threshold nothing is blamed, and nothing is where there are no rows."""
    rows = _rows({"near": NEAR})
    assert pushes([(_source(), rows)], Golds({"gold": GOLD}, "word", 0.95)) == []
    assert pushes([(_source(), rows.slice(0, 0)), (_source(), _rows({}))], Golds({"gold": GOLD}, "word", 0.5)) == []
    assert pushes([(_source(), rows)], Golds({}, "word", 0.5)) == []


def test_texts_of_another_unit_are_copies_if_they_are_equal() -> None:
    """Shingles of words and of characters cannot be compared; the same text is the same text."""
    golds = Golds({"gold": GOLD}, "character", 0.5)
    found = pushes([(_source(), _rows({"near": NEAR, "same": f" {GOLD}"}))], golds)
    assert [(push.negative_id, push.jaccard) for push in found] == [("same", 1.0)]


def test_ids_of_two_datasets_do_not_mix() -> None:
    """The same id is another passage in another dataset."""
    shards = [(_source(dataset="a"), _rows({"x": GOLD})), (_source(dataset="b"), _rows({"x": FAR}))]
    assert [push.source.dataset for push in pushes(shards, Golds({"gold": GOLD}, "word", 0.5))] == ["a"]


@given(
    st.lists(st.lists(st.sampled_from(["gold", "near", "far", "else"]), unique=True, max_size=4), max_size=12),
    st.integers(1, 5),
)
def test_batches_change_nothing(made: list[list[str]], size: int) -> None:
    """However shards are cut into batches, every row with a copy among its negatives is found once for each copy."""
    texts = {"gold": GOLD, "near": NEAR, "far": FAR, "else": "something else"}
    rows, golds = _rows(*({name: texts[name] for name in names} for names in made)), Golds({"g": GOLD}, "word", 0.5)
    whole = pushes([(_source(), rows)], golds)
    parts = [(_source(), rows.slice(start, size)) for start in range(0, len(made), size)]
    assert [_found(push) for push in pushes(parts, golds)] == [_found(push) for push in whole]
    expected = {(f"q{i}", name) for i, names in enumerate(made) for name in names if name in ("gold", "near")}
    assert {(push.row["query_id"], push.negative_id) for push in whole} == expected
    assert len(whole) == len(expected)


def _push(
    rules: Filter | None, *, rank: int = 45, positive: float | None = 4.0, jaccard: float = 0.62, **made_by: str
) -> Push:
    row = {"query_id": "q", "query": "?", "positive_id": "p", "positive": f"{FAR} too", "positive_score": positive}
    score = None if made_by.get("judge", "none") == "none" else 0.25
    return Push(_source(rules, **made_by), row, 15, "n", FAR, rank, 0.8, score, "gold", jaccard)


def test_the_rules_that_kept_it_are_named() -> None:
    """Rank and window, margin and its rule, similarity to the row's positive and to the gold passage, each with its bound."""
    rules = tables.rules(min_rank=30, max_rank=100, near_copy_jaccard=0.9, near_copy_size=5)
    assert reasons(_push(rules), tables.settings(decontaminate_jaccard=0.8)) == [
        "rank 45, window 30-100",
        "margin 3.2 (no margin rule)",
        "Jaccard 0.83 to the row's positive, below filter.near_copy_jaccard 0.9",
        "Jaccard 0.62 to the gold passage, below materialize.decontaminate_jaccard 0.8",
    ]


def test_rules_that_are_off_are_named_as_such() -> None:
    """Without window, near-copy rules or a score of the positive the reasons say so."""
    assert reasons(_push(tables.rules(), positive=None), tables.settings()) == [
        "rank 45 (no window)",
        "margin unknown (no margin rule)",
        "no rule against near copies of the row's positive (filter.near_copy_jaccard)",
        f"Jaccard 0.62 to the gold passage, and no rule against near copies of dev texts ({DECONTAMINATE})",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"relative_margin": 0.05}, "margin 3.2 (relative_margin 0.05 to the query's lowest positive)"),
        (
            {"absolute_margin": 1, "percentile_margin": 0.1, "reference": "own"},
            "margin 3.2 (absolute_margin 1, percentile_margin 0.1 to the row's own positive)",
        ),
        ({"max_score": 7, "min_score_percentile": 1}, "score 0.8 within max_score 7, min_score_percentile 1"),
        ({"min_rank": 50}, "rank 45, before window 50-, which judged negatives skip"),
        ({"max_rank": 40, "counted": "raw"}, "rank 45, after window 1-40: it was judged not relevant"),
        ({"max_rank": 40}, "rank 45, after window 1-40: it was judged not relevant or has positives above it"),
    ],
)
def test_settings_are_told_as_they_were(changes: dict[str, object], said: str) -> None:
    """Margins and bounds are told with their values; a rank outside the window is explained."""
    assert said in reasons(_push(tables.rules(**changes)), tables.settings())


def test_what_the_judge_said_is_told() -> None:
    """A judge's score is a reason too; so is that it was not asked."""
    assert "judge panel scored it 0.25: not relevant" in reasons(
        _push(tables.rules(), judge="panel"), tables.settings()
    )
    unasked = Push(**{**vars(_push(tables.rules(), judge="panel")), "judge_score": None})
    assert "judge panel was not asked, or gave no answer" in reasons(unasked, tables.settings())


def test_shards_without_rules_say_what_they_can() -> None:
    """Shards of an older version know rank, window and margin; a similarity now forbidden means they are out of date."""
    said = reasons(_push(None, jaccard=0.9), tables.settings(decontaminate_jaccard=0.8))
    assert said == [
        "rank 45, window 30-100 without_positives",
        "margin 3.2 (rules unknown: made by an older version)",
        f"Jaccard 0.90 to the gold passage, which {DECONTAMINATE} 0.8 forbids: the shards are older; run materialize",
    ]


def test_judge_scores_come_from_the_row() -> None:
    """The judge's score of the very negative is read, and there is none where the shard has none."""
    golds = Golds({"gold": GOLD}, "word", 0.5)
    negatives = {"x": FAR, "copy": GOLD}
    (with_scores,) = pushes([(_source(), _rows(negatives, judged=[None, 0.125]))], golds)
    (without,) = pushes([(_source(), _rows(negatives))], golds)
    old = _rows(negatives).drop_columns(["negative_judge_scores"])
    (older,) = pushes([(_source(), old)], golds)
    assert (with_scores.judge_score, without.judge_score, older.judge_score) == (0.125, None, None)
    assert not math.isnan(older.jaccard)
