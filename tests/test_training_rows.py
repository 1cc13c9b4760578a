"""Tests of embedder.training_rows."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.decontamination import Contaminated
from embedder.errors import TableError
from embedder.filters import BIT, VERDICTS
from embedder.params.models import Dataset, Materialize
from embedder.training_rows import Chosen, check_losses, choose
from tests import tables

CLEAN = Contaminated(frozenset(), frozenset())
# (passage, verdict, relevance) in ranks 1, 2, 3 ...
Ranked = Sequence[tuple[str, str, float | None]]


def _candidates(run: Mapping[str, Ranked]) -> pa.Table:
    rows = [(q, rank, *row) for q, ranked in run.items() for rank, row in enumerate(ranked, 1)]
    return tables.passed_on(
        schemas.build(
            schemas.CANDIDATES,
            {
                "query_id": [row[0] for row in rows],
                "rank": [row[1] for row in rows],
                "passage_id": [row[2] for row in rows],
                "score": [1.0 / row[1] for row in rows],
                "relevance": [row[4] for row in rows],
                "positive_score": [1.0] * len(rows),
                "margin": [1.0 - 1.0 / row[1] for row in rows],
                "verdict": [row[3] for row in rows],
                "refused_by": [BIT.get(row[3], 0) for row in rows],
            },
            tables.MADE_BY,
        )
    )


def _choose(
    run: Mapping[str, Ranked],
    positives: Mapping[str, list[str]],
    settings: Materialize,
    contaminated: Contaminated = CLEAN,
    entry: Dataset | None = None,
    own: Mapping[str, str] | None = None,
) -> tuple[Chosen, dict[tuple[str, str], tuple[list[str], list[str]]]]:
    """Return what was chosen, and (query, positive) -> (negatives, masked)."""
    candidates = _candidates(run)
    judged = tables.judged((q, p, 1.0, 1.0, None) for q, passages in positives.items() for p in passages)
    chosen = choose(candidates, judged, entry or tables.entry(), settings, contaminated, own or {})
    ids, positive_ids = candidates["passage_id"].to_pylist(), judged["passage_id"].to_pylist()
    rows = {
        (row.query_id, positive_ids[row.positive]): ([ids[i] for i in row.negatives], [ids[i] for i in row.masked])
        for row in chosen.rows
    }
    assert len(rows) == len(chosen.rows)
    return chosen, rows


def _keep(*passages: str) -> Ranked:
    return [(passage, "keep", None) for passage in passages]


def test_each_positive_has_a_row_with_the_querys_negatives() -> None:
    """A query with two positives is two rows that share the drawn negatives, and know all positives."""
    chosen, rows = _choose({"q": _keep(*"abcdef")}, {"q": ["p", "r"]}, tables.settings())
    assert rows == {("q", "p"): (list("abcd"), []), ("q", "r"): (list("abcd"), [])}
    assert [row.positives.tolist() for row in chosen.rows] == [[0, 1], [0, 1]]


def test_judged_negatives_are_drawn_first() -> None:
    """A judged negative is drawn before better ranks that nobody judged."""
    run = {"q": [*_keep(*"abcde"), ("z", "keep", 0.0)]}
    assert _choose(run, {"q": ["p"]}, tables.settings())[1] == {("q", "p"): (["a", "b", "c", "z"], [])}


def test_a_grade_between_is_neither_positive_nor_negative() -> None:
    """A candidate graded between negative_at and positive_at is never a negative: it is listed, and masked."""
    run = {"q": [("z", "keep", 0.5), *_keep(*"abcde")]}
    for graded in (tables.entry(positive_at=1, negative_at=0), tables.entry(positive_at=1, negative_at=None)):
        chosen, rows = _choose(run, {"q": ["p"]}, tables.settings(), entry=graded)
        assert rows == {("q", "p"): (list("abcd"), ["z"])}
        assert chosen.dropped == [("q", "z", "neither_relevant_nor_not")]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_what_was_refused_as_too_close_is_masked(verdict: str) -> None:
    """masked_ids hold what is no negative in the batch either; positives stand in positive_ids, far ones are harmless."""
    run = {"q": [("x", verdict, None), *_keep("a")]}
    _, rows = _choose(run, {"q": ["p"]}, tables.settings())
    masked = verdict not in ("is_positive", "after_rank_window", "score_too_low", "keep")
    assert rows["q", "p"] == ((["x", "a"] if verdict == "keep" else ["a"]), ["x"] * masked)


def test_near_copies_of_dev_texts_are_dropped_and_listed() -> None:
    """A contaminated query is lost whole; a contaminated positive or negative alone, and another takes its place."""
    near = Contaminated(frozenset({"lost"}), frozenset({"a", "p", "r"}))
    positives = {"lost": ["p"], "none": ["p", "r"], "q": ["p", "s"]}
    chosen, rows = _choose(dict.fromkeys(positives, _keep(*"abcdef")), positives, tables.settings(), near)
    assert rows == {("q", "s"): (list("bcde"), [])}
    assert chosen.dropped == [
        ("lost", "", "query_near_dev"),
        ("none", "p", "positive_near_dev"),
        ("none", "r", "positive_near_dev"),
        ("none", "", "no_positive_left"),
        ("q", "p", "positive_near_dev"),
        ("q", "a", "negative_near_dev"),
    ]
    # A contaminated positive remains a positive: it may not become an in-batch negative.
    assert chosen.rows[0].positives.tolist() == [3, 4]


@pytest.mark.parametrize(("on_shortage", "stored"), [("drop", ["long"]), ("keep", ["empty", "long", "short"])])
def test_a_short_query_is_dropped_or_kept(on_shortage: str, stored: list[str]) -> None:
    """A query with fewer than min_negatives is dropped or kept by choice, counted either way, and never padded."""
    run: dict[str, Ranked] = {"empty": [], "long": _keep(*"abc"), "short": _keep(*"ab")}
    wanted = tables.settings(min_negatives=3, on_shortage=on_shortage)
    chosen, rows = _choose(run, {query: ["p"] for query in run}, wanted)
    assert sorted(query for query, _ in rows) == stored
    assert [len(negatives) for negatives, _ in rows.values()] == [len(run[query]) for query, _ in rows]
    assert chosen.short == 2
    lost = sorted(set(run) - set(stored))
    assert chosen.dropped == [(query, "", "too_few_negatives") for query in lost]


def test_positives_are_capped_by_a_seeded_draw() -> None:
    """A query with many positives keeps positives_per_query of them, the same ones whatever the other queries."""
    positives = {q: [f"p{i}" for i in range(9)] for q in ("a", "b", "c")}
    run = dict.fromkeys(positives, _keep("n"))
    wanted = tables.settings(positives_per_query=2)
    chosen, rows = _choose(run, positives, wanted)
    assert Counter(query for query, _ in rows) == dict.fromkeys(positives, 2)
    assert Counter(reason for *_, reason in chosen.dropped) == {"over_positives_per_query": 21}
    assert {passage for _, passage in rows} | {p for _, p, _ in chosen.dropped} == {f"p{i}" for i in range(9)}
    alone = _choose({"b": _keep("n")}, {"b": positives["b"]}, wanted)[1]
    assert sorted(alone) == sorted(pair for pair in rows if pair[0] == "b")
    assert all(len(row.positives) == 9 for row in chosen.rows)


@pytest.mark.parametrize("mode", ["label", "example"])
def test_label_tasks_take_what_there_is(mode: str) -> None:
    """With fewer labels than negatives wanted a label task takes all others, and no query of it is short."""
    wanted = tables.settings(min_negatives=4)
    entry = tables.entry("clustering", label_mode=mode)
    chosen, rows = _choose({"q": _keep("l", "m")}, {"q": ["own"]}, wanted, entry=entry)
    assert rows == {("q", "own"): (["l", "m"], [])}
    assert (chosen.short, chosen.dropped) == (0, [])


_VERDICT = st.sampled_from(["keep", "keep", "keep", "is_positive", "duplicates_positive", "after_rank_window"])
_RUN = st.lists(st.tuples(st.sampled_from("abcdefgh"), _VERDICT, st.none()), unique_by=lambda row: row[0], max_size=8)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q3", "q4"]), st.tuples(_RUN, st.sets(st.sampled_from("stuv"), min_size=1))
    ),
    st.sets(st.sampled_from(["q1", "q2"])),
    st.sets(st.sampled_from("abst")),
    st.sampled_from(["top", "random"]),
    st.sampled_from(["drop", "keep"]),
)
def test_counts_add_up(
    made: dict[str, tuple[Ranked, set[str]]], queries: set[str], passages: set[str], sampling: str, on_shortage: str
) -> None:
    """Queries mined = stored + dropped; negatives are kept, clean, distinct, and as many as there are up to the limit."""
    wanted = tables.settings(sampling=sampling, on_shortage=on_shortage, min_negatives=2, positives_per_query=2)
    near = Contaminated(frozenset(queries), frozenset(passages))
    run = {query: ranked for query, (ranked, _) in made.items()}
    positives = {query: sorted(chosen) for query, (_, chosen) in made.items()}
    chosen, rows = _choose(run, positives, wanted, near)
    stored = {query for query, _ in rows}
    whole = [query for query, passage, _ in chosen.dropped if not passage]
    assert sorted([*stored, *whole]) == sorted(made)
    assert len(chosen.dropped) == len(set(chosen.dropped))
    for (query, positive), (negatives, _) in rows.items():
        usable = [passage for passage, verdict, _ in run[query] if verdict == "keep" and passage not in passages]
        assert len(set(negatives)) == len(negatives) == min(len(usable), 4)
        assert [passage for passage in usable if passage in negatives] == negatives
        assert positive in positives[query]
        assert positive not in passages
    report = chosen.report()
    assert report["queries"] == {
        "mined": len(made),
        "stored": len(stored),
        "short": chosen.short,
        "dropped": dict(sorted(Counter(reason for _, passage, reason in chosen.dropped if not passage).items())),
    }
    assert report["rows"] == len(rows)
    assert report["negatives"] == {
        "stored": sum(len(negatives) for negatives, _ in rows.values()),
        "per_row": dict(sorted(Counter(str(len(negatives)) for negatives, _ in rows.values()).items())),
    }


def _lost(stored: int, **reasons: int) -> Chosen:
    chosen, _ = _choose(
        {f"q{i}": _keep("n") for i in range(stored)}, {f"q{i}": ["p"] for i in range(stored)}, tables.settings()
    )
    chosen.dropped = [(f"{reason}{i}", "", reason) for reason, count in reasons.items() for i in range(count)]
    chosen.mined = stored + sum(reasons.values())
    return chosen


def test_a_dataset_may_lose_its_share() -> None:
    """A loss of exactly the allowed share is accepted; dropped passages are no lost queries."""
    chosen = _lost(8, too_few_negatives=2)
    chosen.dropped += [("q0", "x", "negative_near_dev")] * 5
    check_losses("d", chosen, 0.2)


def test_a_dataset_that_loses_too_much_fails() -> None:
    """The message has the dataset, the counts, the dominant reason, the limit, and what helps against that reason."""
    with pytest.raises(
        TableError, match=r"dataset d: 3 of 10 queries are lost, 2 of them for too_few_neg.*0\.2 allows; widen"
    ):
        check_losses("d", _lost(7, query_near_dev=1, too_few_negatives=2), 0.2)
    with pytest.raises(TableError, match=r"2 of them for query_near_dev.*decontaminate_jaccard"):
        check_losses("d", _lost(7, query_near_dev=2, too_few_negatives=1), 0.2)


def test_a_dataset_that_loses_everything_fails() -> None:
    """A dataset without a row fails even where every loss is allowed, and isn't told that a share was exceeded."""
    with pytest.raises(TableError, match="2 of 2 queries are lost, 2 of them for no_positive_left") as raised:
        check_losses("d", _lost(0, no_positive_left=2), 1.0)
    assert "max_dropped_share" not in str(raised.value)


def test_a_dataset_that_cannot_be_mined_fails() -> None:
    """A dataset to train on without a mined query fails, and the message says how to only evaluate it."""
    with pytest.raises(TableError, match=r"dataset d: no query of its train split.*datasets\.d\.weight: 0"):
        check_losses("d", Chosen(), 1.0)


def test_a_positive_that_is_the_query_is_dropped() -> None:
    """A positive with the query's own text teaches nothing: it is dropped and named, the others stay."""
    chosen, rows = _choose({"q": _keep(*"abcdef")}, {"q": ["p", "r"]}, tables.settings(), own={"q": "p"})
    assert {positive for _, positive in rows} == {"r"}
    assert chosen.dropped == [("q", "p", "positive_is_query")]
    chosen, rows = _choose({"q": _keep(*"abcdef")}, {"q": ["p"]}, tables.settings(), own={"q": "p"})
    assert not rows
    assert chosen.dropped == [("q", "p", "positive_is_query"), ("q", "", "no_positive_left")]
