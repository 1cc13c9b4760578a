"""Tests of embedder.training_rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.decontamination import Contaminated
from embedder.errors import TableError
from embedder.filters import BIT, VERDICTS
from embedder.params.models import Dataset, Filter, Materialize
from embedder.training_rows import Chosen, check_losses, choose, unchosen
from tests import tables

CLEAN = Contaminated(frozenset(), frozenset())
# (passage, verdict, relevance) in ranks 1, 2, 3 ...; a candidate of rank n has score 1 / n, a positive 1 by default
Ranked = Sequence[tuple[str, str, float | None]]
Rows = dict[tuple[str, str], tuple[list[str], list[str]]]


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
    rules: Filter | None = None,
    scores: Mapping[str, float | None] | None = None,
    relabelled: Sequence[tuple[str, str]] = (),
) -> tuple[Chosen, Rows]:
    """Return what was chosen, and (query, positive) -> (negatives, masked); `scores` are those of positives."""
    candidates, known = _candidates(run), scores or {}
    pairs = [(q, p) for q, passages in positives.items() for p in passages]
    judged = tables.judged((q, p, 1.0, known.get(p, 1.0), None) for q, p in [*pairs, *relabelled])
    judgements = tables.judgements(judged, relabelled)
    wanted = rules or tables.rules()
    chosen = choose(candidates, judgements, entry or tables.entry(), wanted, settings, contaminated, own or {})
    ids, positive_ids = candidates["passage_id"].to_pylist(), judgements["passage_id"].to_pylist()
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


OWN = tables.rules(reference="own", absolute_margin=0.1)


def test_each_row_has_negatives_for_its_own_positive() -> None:
    """With margins to the own positive, a row's negatives lie below that positive; what others may have is counted."""
    run = {"q": _keep(*"abcdef")}
    scores = {"p": 1.0, "r": 0.4, "s": None}
    chosen, rows = _choose(run, {"q": ["p", "r", "s"]}, tables.settings(), rules=OWN, scores=scores)
    # Scores are 1, 0.5, 0.33, 0.25 ...; without a score of the positive no margin refuses.
    assert {positive: negatives for (_, positive), (negatives, _) in rows.items()} == {
        "p": list("bcde"),
        "r": list("def"),
        "s": list("abcd"),
    }
    report = chosen.report()
    assert report["candidates_passed_over"] == {"margin_too_small_for_row": 1 + 3, "over_max_reuse": 0}


def test_margins_to_the_lowest_positive_are_the_filters() -> None:
    """Where margins are about the query's lowest positive the filter has asked, and rows share one draw."""
    rules = tables.rules(reference="lowest", absolute_margin=0.1)
    _, rows = _choose({"q": _keep(*"abcdef")}, {"q": ["p"]}, tables.settings(), rules=rules, scores={"p": 0.4})
    assert rows["q", "p"][0] == list("abcd")


def test_judged_negatives_need_no_margin() -> None:
    """A passage that was judged not relevant is a negative of a row whatever its score."""
    run = {"q": [("z", "keep", 0.0), *_keep(*"bc")]}
    _, rows = _choose(run, {"q": ["p"]}, tables.settings(), rules=OWN, scores={"p": 0.5})
    assert rows["q", "p"][0] == ["z", "c"]


def test_percentiles_are_of_the_judged_positives() -> None:
    """A percentile margin reads scores as shares of the dataset's positives; what was relabelled is not among them."""
    rules = tables.rules(reference="own", percentile_margin=0.5)
    run = {"q": _keep(*"abcdef")}
    scores = {"p": 1.0, "r": 0.3, "s": 0.22, "t": 0.18, "x": 0.35}
    positives = {"q": ["p"], "r": ["r"], "s": ["s"], "t": ["t"]}
    _, rows = _choose(run, positives, tables.settings(), rules=rules, scores=scores)
    # Percentiles are 100, 75, 50, 25 for p, r, s, t; half of p's is reached at 0.25 and 0.2, and missed above 0.3.
    assert rows["q", "p"][0] == list("def")
    _, rows = _choose(
        run, positives, tables.settings(), rules=rules, scores=scores, relabelled=[("r", "x"), ("s", "x")]
    )
    assert rows["q", "p"][0] == list("def")


@pytest.mark.parametrize(("on_shortage", "stored"), [("drop", ["p"]), ("keep", ["p", "r"])])
def test_a_row_may_be_short_alone(on_shortage: str, stored: list[str]) -> None:
    """A row that its own margin leaves short is dropped or kept; the query is lost only with its last row."""
    wanted = tables.settings(min_negatives=3, on_shortage=on_shortage)
    run, scores = {"q": _keep(*"abcd"), "r": _keep(*"abcd")}, {"p": 1.0, "r": 0.4}
    chosen, rows = _choose(run, {"q": ["p", "r"], "r": ["r"]}, wanted, rules=OWN, scores=scores)
    lost = [("q", "r", "too_few_negatives_for_row"), ("r", "", "too_few_negatives")]
    assert [positive for query, positive in rows if query == "q"] == stored
    assert (chosen.short, chosen.dropped) == (1, lost if on_shortage == "drop" else [])


def test_rows_of_a_query_draw_apart_where_their_margins_do() -> None:
    """With margins to the own positive each row is drawn for itself; else the rows of a query share one draw."""
    names = [f"n{i:02}" for i in range(40)]
    wanted, positives = tables.settings(sampling="random"), {"q": ["p", "r"]}
    for rules, draws in ((OWN, 2), (tables.rules(), 1)):
        _, rows = _choose({"q": _keep(*names)}, positives, wanted, rules=rules, scores={"p": 9.0, "r": 9.0})
        assert len({tuple(negatives) for negatives, _ in rows.values()}) == draws


def test_a_passage_is_used_only_so_often() -> None:
    """With max_reuse a passage is a negative of so many queries, rows of one query counting once, and no more."""
    run = {f"q{i}": _keep(*"abcdefgh") for i in range(6)}
    positives = {query: ["p", "r"] for query in run}
    wanted = tables.settings(max_reuse=2, min_negatives=2, sampling="random")
    chosen, rows = _choose(run, positives, wanted)
    uses = Counter(passage for (_, positive), (found, _) in rows.items() if positive == "p" for passage in found)
    assert max(uses.values()) == 2
    # 16 uses are enough for four queries with four negatives each; the others are short.
    assert (len(rows), chosen.short) == (8, 2)
    assert [reason for *_, reason in chosen.dropped] == ["too_few_negatives"] * 2


def test_no_turn_goes_by_row_order() -> None:
    """Which queries get a passage that is running out follows from seed and names: renamed queries take other turns."""
    run = {f"q{i}": _keep("a") for i in range(40)}
    wanted = tables.settings(max_reuse=1)
    served = {
        seed: list(_choose(run, {query: ["p"] for query in run}, wanted.model_copy(update={"seed": seed}))[1])
        for seed in range(4)
    }
    assert all(len(rows) == 1 for rows in served.values())
    assert len({rows[0] for rows in served.values()}) > 1


def test_labels_may_be_used_any_number_of_times() -> None:
    """The few passages of a label task are negatives of most queries, whatever max_reuse says."""
    run = {f"q{i}": _keep("l", "m") for i in range(5)}
    entry, wanted = tables.entry("classification"), tables.settings(max_reuse=1)
    _, rows = _choose(run, {query: ["own"] for query in run}, wanted, entry=entry)
    assert [negatives for negatives, _ in rows.values()] == [["l", "m"]] * 5


@pytest.mark.parametrize("verdict", ["judge_says_relevant", "keep"])
def test_what_the_judge_relabelled_is_a_positive(verdict: str) -> None:
    """A relabelled passage has a row, is among all positives of its query, is no negative, and need not be masked."""
    run = {"q": [("x", verdict, None), *_keep("a", "b")], "other": _keep("x", "a")}
    positives = {"q": ["p"], "other": ["p"]}
    chosen, rows = _choose(run, positives, tables.settings(), relabelled=[("q", "x")])
    assert rows == {("q", "p"): (["a", "b"], []), ("q", "x"): (["a", "b"], []), ("other", "p"): (["x", "a"], [])}
    assert {tuple(row.positives.tolist()) for row in chosen.rows if row.query_id == "q"} == {(1, 2)}
    assert chosen.report()["rows_with_relabelled_positive"] == 1


def test_what_the_judge_refused_is_masked() -> None:
    """A passage that the judge calls relevant and that is no positive counts in no batch of its query."""
    _, rows = _choose({"q": [("x", "judge_says_relevant", None), *_keep("a")]}, {"q": ["p"]}, tables.settings())
    assert rows["q", "p"] == (["a"], ["x"])


_VERDICT = st.sampled_from(["keep", "keep", "keep", "is_positive", "duplicates_positive", "after_rank_window"])
_RUN = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), _VERDICT, st.sampled_from([None, None, None, 0.0, 0.5])),
    unique_by=lambda row: row[0],
    max_size=8,
)
_MADE = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4"]), st.tuples(_RUN, st.sets(st.sampled_from("stuv"), min_size=1))
)
_SETTINGS = st.builds(
    tables.settings,
    sampling=st.sampled_from(["top", "random", "score-weighted"]),
    on_shortage=st.sampled_from(["drop", "keep"]),
    max_reuse=st.sampled_from([None, None, 1, 2]),
    min_negatives=st.just(2),
    num_negatives=st.sampled_from([2, 4]),
    positives_per_query=st.just(2),
)
_RULES = st.sampled_from([tables.rules(), OWN, tables.rules(reference="own", relative_margin=0.3)])
_SCORES = st.dictionaries(st.sampled_from("stuv"), st.sampled_from([None, 1.0, 0.6, 0.4, 0.1]))


@settings(max_examples=150, deadline=None)
@given(_MADE, st.sets(st.sampled_from(["q1", "q2"])), st.sets(st.sampled_from("abst")), _SETTINGS, _RULES, _SCORES)
def test_rows_obey_and_counts_add_up(
    made: dict[str, tuple[Ranked, set[str]]],
    queries: set[str],
    passages: set[str],
    wanted: Materialize,
    rules: Filter,
    scores: dict[str, float | None],
) -> None:
    """Mined = stored + dropped; every negative is kept, clean, ungraded or judged so, far enough, and not overused."""
    near = Contaminated(frozenset(queries), frozenset(passages))
    run = {query: ranked for query, (ranked, _) in made.items()}
    positives = {query: sorted(chosen) for query, (_, chosen) in made.items()}
    chosen, rows = _choose(run, positives, wanted, near, rules=rules, scores=scores)
    stored = {query for query, _ in rows}
    whole = Counter(reason for _, passage, reason in chosen.dropped if not passage)
    assert sorted([*stored, *(query for query, passage, _ in chosen.dropped if not passage)]) == sorted(made)
    assert len(chosen.dropped) == len(set(chosen.dropped))
    for (query, positive), (negatives, _) in rows.items():
        usable = _allowed(run[query], passages, rules, scores.get(positive, 1.0))
        assert [passage for passage in usable if passage in negatives] == negatives
        assert not set(negatives) & {*positives[query]}
        assert wanted.max_reuse or len(negatives) == min(len(usable), wanted.num_negatives)
        assert len(negatives) >= (wanted.min_negatives if wanted.on_shortage == "drop" else 0)
        assert positive in set(positives[query]) - passages
    uses = Counter(passage for _, passage in {(q, n) for (q, _), (found, _) in rows.items() for n in found})
    assert not wanted.max_reuse or max(uses.values(), default=0) <= wanted.max_reuse
    report = chosen.report()
    counted = {"mined": len(made), "stored": len(stored), "short": chosen.short, "dropped": dict(sorted(whole.items()))}
    assert report["queries"] == counted
    assert report["rows"] == len(rows)
    lengths = [len(negatives) for negatives, _ in rows.values()]
    assert report["negatives"] == {"stored": sum(lengths), "per_row": dict(sorted(Counter(map(str, lengths)).items()))}
    of_lost = sum(len(positives[query]) for query, passage, _ in chosen.dropped if not passage)
    apart = sum(bool(p) and r in _OF_ROWS and q in stored for q, p, r in chosen.dropped)
    assert sum(map(len, positives.values())) == len(rows) + of_lost + apart


# Reasons for which a positive of a query that is stored has no row.
_OF_ROWS = {"positive_is_query", "positive_near_dev", "too_few_negatives_for_row", "over_positives_per_query"}


def _allowed(ranked: Ranked, near: set[str], rules: Filter, positive: float | None) -> list[str]:
    """Say by the words of the settings what a row may have, nothing being used up."""
    out = []
    for rank, (passage, verdict, relevance) in enumerate(ranked, 1):
        gap = np.inf if positive is None else float(np.float32(positive)) - float(np.float32(1 / rank))
        enough = (rules.absolute_margin or -np.inf) <= gap and (
            rules.relative_margin is None
            or positive is None
            or gap >= rules.relative_margin * abs(np.float32(positive))
        )
        if verdict == "keep" and relevance != 0.5 and passage not in near and (enough or relevance == 0.0):
            out.append(passage)
    return out


@settings(max_examples=60, deadline=None)
@given(_MADE, _SETTINGS, _RULES, st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_row_order(
    made: dict[str, tuple[Ranked, set[str]]], wanted: Materialize, rules: Filter, random: Random
) -> None:
    """Queries and positives in any order give the same rows."""
    run = {query: ranked for query, (ranked, _) in made.items()}
    positives = {query: sorted(chosen) for query, (_, chosen) in made.items()}
    shuffled = random.sample(sorted(made), len(made))
    again = {query: random.sample(positives[query], len(positives[query])) for query in shuffled}
    first, second = (
        _choose(run, positives, wanted, rules=rules),
        _choose({q: run[q] for q in shuffled}, again, wanted, rules=rules),
    )
    assert first[1] == second[1]
    assert first[0].report() == second[0].report()


def test_without_a_cap_queries_do_not_touch_each_other() -> None:
    """A query's rows are the same alone as among others, unless passages may be used up."""
    run = {f"q{i}": _keep(*"abcdefghij") for i in range(5)}
    wanted = tables.settings(sampling="score-weighted")
    _, together = _choose(run, {query: ["p"] for query in run}, wanted)
    for query, ranked in run.items():
        _, alone = _choose({query: ranked}, {query: ["p"]}, wanted)
        assert alone == {(query, "p"): together[query, "p"]}


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


def test_a_dataset_without_weight_has_no_row() -> None:
    """All queries of a dataset that is evaluated only are dropped for it, and counted."""
    judged = tables.judgements(
        tables.judged([("q1", "a", 1.0, 2.0, 1), ("q1", "b", 0.0, 1.0, 2), ("q2", "a", 1.0, 2.0, 1)])
    )
    chosen = unchosen(judged)
    assert (chosen.rows, chosen.dropped) == ([], [("q1", "", "no_weight"), ("q2", "", "no_weight")])
    assert chosen.report()["queries"] == {"mined": 2, "stored": 0, "short": 0, "dropped": {"no_weight": 2}}


def test_a_positive_that_is_the_query_is_dropped() -> None:
    """A positive with the query's own text teaches nothing: it is dropped and named, the others stay."""
    chosen, rows = _choose({"q": _keep(*"abcdef")}, {"q": ["p", "r"]}, tables.settings(), own={"q": "p"})
    assert {positive for _, positive in rows} == {"r"}
    assert chosen.dropped == [("q", "p", "positive_is_query")]
    chosen, rows = _choose({"q": _keep(*"abcdef")}, {"q": ["p"]}, tables.settings(), own={"q": "p"})
    assert not rows
    assert chosen.dropped == [("q", "p", "positive_is_query"), ("q", "", "no_positive_left")]
