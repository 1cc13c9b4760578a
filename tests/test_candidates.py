"""Tests of embedder.candidates: from tables to verdicts, against rules written out for one row at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import candidates, schemas
from embedder.candidates import Filtering, judge_candidates
from embedder.filter_report import verdict_counts
from embedder.filters import BIT, VERDICTS
from embedder.params.models import Dataset, Filter
from embedder.texts import normalise
from tests import tables


@dataclass(frozen=True)
class Case:
    """Scores of every (query, passage), grades of some, which passages dev queries have as positives."""

    query_texts: dict[str, str]
    passage_texts: dict[str, str]
    scores: dict[tuple[str, str], float]
    grades: dict[tuple[str, str], float]
    held_out: list[str] = field(default_factory=list)

    def ranking(self, query: str) -> list[str]:
        """All passages, best first."""
        return sorted(self.passage_texts, key=lambda p: (-self.scores[query, p], p))

    def tables(self) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
        """The tables run, judged, queries and corpus."""
        ranks = {(q, p): rank for q in self.query_texts for rank, p in enumerate(self.ranking(q), 1)}
        judged = [pair for pair in self.grades if pair[0] in self.query_texts]
        return (
            tables.run((q, rank, p, self.scores[q, p]) for (q, p), rank in ranks.items()),
            tables.judged((*pair, self.grades[pair], self.scores[pair], ranks[pair]) for pair in judged),
            tables.queries(self.query_texts),
            tables.corpus(self.passage_texts),
        )

    def lowest_positive(self, query: str, positive_at: float) -> float:
        """The lowest score of the query's positives."""
        return min(
            self.scores[pair] for pair, grade in self.grades.items() if pair[0] == query and grade >= positive_at
        )


def filtered(case: Case, rules: Filter, entry: Dataset | None = None, rows: int = 5) -> pa.Table:
    """Return the candidates of a run that holds the whole corpus for every query, in blocks of about `rows` rows."""
    nobody = pa.array(case.held_out, pa.string())
    return judge_candidates(*case.tables(), nobody, entry or tables.entry(), rules, rows)


def _shingles(text: str, size: int) -> set[tuple[str, ...]]:
    words = normalise(text).split()
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


def _near(left: str, right: str, rules: Filter) -> bool:
    sets = _shingles(left, rules.near_copy_size), _shingles(right, rules.near_copy_size)
    return (
        rules.near_copy_jaccard is not None
        and len(sets[0] & sets[1]) / len(sets[0] | sets[1]) >= rules.near_copy_jaccard
    )


def _refused(case: Case, query: str, passage: str, rules: Filter, entry: Dataset) -> set[str]:
    """Return every rule that refuses one row, written out as the design states them."""
    grade, score = case.grades.get((query, passage)), case.scores[query, passage]
    positives = [p for p in case.passage_texts if case.grades.get((query, p), -9.0) >= entry.positive_at]
    lowest, text = case.lowest_positive(query, entry.positive_at), case.passage_texts[passage]
    ranking = case.ranking(query)
    rank = ranking.index(passage) + 1
    if rules.counted == "without_positives":
        rank -= sum(p in positives for p in ranking[: rank - 1])
    scale = sorted(
        case.scores[pair] for pair, g in case.grades.items() if g >= entry.positive_at and pair[0] in case.query_texts
    )
    most = _stricter(min, rules.max_score, rules.max_score_percentile, scale)
    least = _stricter(max, rules.min_score, rules.min_score_percentile, scale)
    reference = max(case.scores[query, p] for p in positives) if rules.reference == "own" else lowest
    refused = {
        "is_positive": passage in positives,
        "same_text_as_query": normalise(text) == normalise(case.query_texts[query]),
        "held_out": passage in case.held_out,
        "duplicates_positive": passage not in positives
        and any(_near(text, case.passage_texts[p], rules) for p in positives),
    }
    if grade is None or entry.negative_at is None or grade > entry.negative_at:
        refused |= {
            "before_rank_window": rules.min_rank is not None and rank < rules.min_rank,
            "after_rank_window": rules.max_rank is not None and rank > rules.max_rank,
            "score_too_high": most is not None and score > most,
            "score_too_low": least is not None and score < least,
            "margin_too_small": (rules.absolute_margin is not None and score > reference - rules.absolute_margin)
            or (rules.relative_margin is not None and score > reference - abs(reference) * rules.relative_margin)
            or (
                rules.percentile_margin is not None
                and _share(score, scale) > _share(reference, scale) * (1 - rules.percentile_margin)
            ),
        }
    return {name for name, refuses in refused.items() if refuses}


def _stricter(
    choose: Callable[[list[float]], float], bound: float | None, percentile: float | None, scale: list[float]
) -> float | None:
    bounds = [] if bound is None else [bound]
    if percentile is not None:
        bounds.append(float(np.percentile(scale, percentile)))
    return choose(bounds) if bounds else None


def _share(score: float, scale: list[float]) -> float:
    return sum(one <= score for one in scale) / len(scale)


_TEXTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(" ".join)
# Powers of two, so that no rounding decides.
_SCORES = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0])
_GRADES = st.sampled_from([0.0, 0.5, 1.0])


def _ascending(changes: dict[str, Any]) -> dict[str, Any]:
    """Swap bounds on scores of which the least lies above the most."""
    for least, most in (("min_score", "max_score"), ("min_score_percentile", "max_score_percentile")):
        low, high = changes[least], changes[most]
        if low is not None and high is not None and low > high:
            changes = changes | {least: high, most: low}
    return changes


_RULES = st.fixed_dictionaries(
    {
        "min_rank": st.none() | st.integers(1, 3),
        "max_rank": st.none() | st.integers(3, 6),
        "counted": st.sampled_from(["raw", "without_positives"]),
        "max_score": st.none() | _SCORES,
        "min_score": st.none() | _SCORES,
        "max_score_percentile": st.none() | st.sampled_from([0.0, 50.0, 100.0]),
        "min_score_percentile": st.none() | st.sampled_from([0.0, 50.0]),
        "percentile_margin": st.none() | st.sampled_from([0.0, 0.25, 0.5]),
        "reference": st.sampled_from(["lowest", "own"]),
        "absolute_margin": st.none() | st.sampled_from([-0.5, 0.0, 0.5]),
        "relative_margin": st.none() | st.sampled_from([0.0, 0.25, 0.5]),
        "near_copy_jaccard": st.none() | st.sampled_from([0.5, 0.8, 1.0]),
    }
).map(lambda changes: tables.rules(**_ascending(changes)))


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    query_texts = {f"q{i}": draw(_TEXTS) for i in range(draw(st.integers(1, 3)))}
    passage_texts = {f"p{i}": draw(_TEXTS) for i in range(draw(st.integers(1, 7)))}
    pairs = [(q, p) for q in query_texts for p in passage_texts]
    grades = draw(st.dictionaries(st.sampled_from(pairs), _GRADES))
    # Every mined query has a positive.
    grades |= {(q, draw(st.sampled_from(sorted(passage_texts)))): 1.0 for q in query_texts}
    held_out = draw(st.lists(st.sampled_from(sorted(passage_texts)), unique=True, max_size=2))
    return Case(query_texts, passage_texts, {pair: draw(_SCORES) for pair in pairs}, grades, held_out)


@settings(max_examples=150, deadline=None)
@given(_cases(), _RULES, st.sampled_from([None, 0.0, 0.5]))
def test_every_row_names_all_rules_that_refuse_it(case: Case, rules: Filter, negative_at: float | None) -> None:
    """refused_by holds exactly the rules that refuse, the verdict is the first of them, and what is kept obeys all."""
    entry = tables.entry(negative_at=negative_at)
    found = filtered(case, rules, entry)
    assert found.num_rows == len(case.scores)
    for row in found.to_pylist():
        pair = row["query_id"], row["passage_id"]
        refused = _refused(case, *pair, rules, entry)
        assert {name for name, bit in BIT.items() if row["refused_by"] & bit} == refused
        assert row["verdict"] == next((name for name in VERDICTS if name in refused), "keep")
        lowest = case.lowest_positive(pair[0], entry.positive_at)
        assert (row["relevance"], row["positive_score"]) == (case.grades.get(pair), lowest)
        assert row["margin"] == lowest - row["score"]


@settings(max_examples=60, deadline=None)
@given(_cases(), _RULES)
def test_verdicts_do_not_depend_on_other_queries(case: Case, rules: Filter) -> None:
    """A query alone has the verdicts that it has among others, but for percentiles, which are of all positives."""
    rules = rules.model_copy(update=dict.fromkeys(name for name in Filter.model_fields if "percentile" in name))
    together = filtered(case, rules)
    for query, text in case.query_texts.items():
        alone = Case({query: text}, case.passage_texts, case.scores, case.grades, case.held_out)
        rows = [row for row in together.to_pylist() if row["query_id"] == query]
        assert filtered(alone, rules).to_pylist() == rows


# One query, one passage for each verdict that the filter gives.
EXAMPLE = Case(
    {"q": "what is it"},
    {
        "a positive": "one two three four",
        "b query": "What is  IT",
        "c held": "seven eight",
        "d copy": "one two three four",
        "e first": "nine ten",
        "f high": "eleven twelve",
        "g margin": "thirteen fourteen",
        "h keep": "fifteen sixteen",
        "i low": "seventeen eighteen",
        "j last": "nineteen twenty",
    },
    {("q", p): 10.0 - i for i, p in enumerate(["d copy", "e first", "b query", "c held", "f high", "a positive"])}
    | {("q", p): 4.75 - i / 4 for i, p in enumerate(["g margin", "h keep", "i low", "j last"])},
    {("q", "a positive"): 1.0},
    ["c held"],
)
STRICT = tables.rules(
    min_rank=3, max_rank=8, max_score=5.0, min_score=4.375, absolute_margin=0.5, near_copy_jaccard=0.9
)


def test_every_verdict_is_given() -> None:
    """Each rule's verdict appears once in a made example, on the row made for it."""
    found = dict(zip(*filtered(EXAMPLE, STRICT).select(["passage_id", "verdict"]).to_pydict().values(), strict=True))
    assert found == {
        "a positive": "is_positive",
        "b query": "same_text_as_query",
        "c held": "held_out",
        "d copy": "duplicates_positive",
        "e first": "before_rank_window",
        "f high": "score_too_high",
        "g margin": "margin_too_small",
        "h keep": "keep",
        "i low": "score_too_low",
        "j last": "after_rank_window",
    }


def test_tables_say_how_they_were_made() -> None:
    """Candidates carry the run's metadata and the window."""
    made_by = schemas.metadata(filtered(EXAMPLE, STRICT))
    assert made_by == tables.MADE_BY | {"window": "3-8 without_positives", "rules": STRICT.model_dump_json()}


@pytest.mark.parametrize("mode", ["label", "example"])
def test_label_tasks_have_no_window(mode: str) -> None:
    """For label tasks only positives and the query's own text are refused, whatever the rules say."""
    entry = tables.entry("classification", label_mode=mode)
    counts = verdict_counts(filtered(replace(EXAMPLE, held_out=[]), STRICT, entry))
    assert {name: count for name, count in counts.items() if count} == {
        "is_positive": 1,
        "same_text_as_query": 1,
        "keep": 8,
    }


def test_characters_find_near_copies_without_blanks() -> None:
    """Where the dataset's language has no blanks, shingles of characters refuse a near copy of a positive."""
    texts = {"a": "検索モデルの微調整の手順", "b": "検索モデルの微調整の手順書", "c": "天気は晴れです"}
    case = Case({"q": "手順"}, texts, {("q", p): 1.0 for p in texts}, {("q", "a"): 1.0})
    rules = tables.rules(near_copy_jaccard=0.8, near_copy_size=3)
    for language, verdict in ((None, "keep"), ("ja", "duplicates_positive")):
        found = filtered(case, rules, tables.entry(language=language))
        assert found["verdict"].to_pylist() == ["is_positive", verdict, "keep"]


def test_a_title_is_part_of_the_same_text() -> None:
    """A passage whose title and text together are the query is refused."""
    found = judge_candidates(
        tables.run([("q", 1, "p", 1.0)]),
        tables.judged([("q", "r", 1.0, 0.5, None)]),
        tables.queries({"q": "the title the text"}),
        schemas.build(
            schemas.CORPUS, {"passage_id": ["p", "r"], "title": ["The title", ""], "text": ["the text", "other"]}
        ),
        pa.array([], pa.string()),
        tables.entry(),
        tables.rules(),
    )
    assert found["verdict"].to_pylist() == ["same_text_as_query"]


def test_a_grade_at_the_bound_is_on_its_side() -> None:
    """Grades of 0.7 and 0.3 are positive and negative at bounds of 0.7 and 0.3 although stored as float32."""
    texts = {"a": "x", "b": "y", "c": "z"}
    case = Case({"q": "t"}, texts, {("q", p): 1.0 for p in texts}, {("q", "a"): 0.7, ("q", "b"): 0.3})
    found = filtered(case, tables.rules(min_rank=9), tables.entry(positive_at=0.7, negative_at=0.3))
    assert found["verdict"].to_pylist() == ["is_positive", "keep", "before_rank_window"]


def test_queries_without_candidates_come_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they come first, between others or last, no block has more queries than it may, and each is in one."""
    monkeypatch.setattr(candidates, "_QUERIES", 3)
    names = [f"q{i:02}" for i in range(20)]
    found = ["q07", "q08", "q13"]
    filtering = Filtering(
        tables.queries(dict.fromkeys(names, "text")),
        tables.corpus({"p": "one", "r": "two"}),
        tables.judged([(name, "p", 1.0, 1.0, None) for name in names]),
        pa.array([], pa.string()),
        tables.entry(),
        tables.rules(),
    )
    run = tables.run([(name, 1, "r", 1.0) for name in found])
    blocks = list(filtering.blocks(run.to_batches()))
    assert [query for block in blocks for query in block.positives.query.tolist()] == list(range(20))
    assert max(len(block.positives.query) for block in blocks) == 3
    assert [row for block in blocks for row in block.table["query_id"].to_pylist()] == found
