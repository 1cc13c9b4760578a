"""Tests of embedder.negatives."""

import numpy as np
import pyarrow as pa
import pytest

from embedder import schemas
from embedder.decontamination import Contaminated
from embedder.errors import TableError
from embedder.filters import BIT, rules_of
from embedder.negatives import OwnMargin, Pool, Reuse, pool
from tests import tables
from tests.tables import ints

# passage, verdict, relevance, of one query; scores 1, 1/2, 1/3 ...
ROWS: list[tuple[str, str, float | None]] = [
    ("p", "is_positive", 1.0),
    ("near", "duplicates_positive", None),
    ("judge", "judge_says_relevant", None),
    ("made", "judge_says_relevant", None),
    ("far", "after_rank_window", None),
    ("between", "keep", 0.5),
    ("negative", "keep", 0.0),
    ("dev", "keep", None),
    ("plain", "keep", None),
]


def _pool(*, negative_at: float | None = 0.0) -> Pool:
    candidates = schemas.build(
        schemas.CANDIDATES,
        {
            "query_id": ["q"] * len(ROWS),
            "rank": list(range(1, len(ROWS) + 1)),
            "passage_id": [passage for passage, *_ in ROWS],
            "score": [1 / rank for rank in range(1, len(ROWS) + 1)],
            "relevance": [relevance for *_, relevance in ROWS],
            "positive_score": [1.0] * len(ROWS),
            "margin": [0.0] * len(ROWS),
            "verdict": [verdict for _, verdict, _ in ROWS],
            "refused_by": [BIT.get(verdict, 0) for _, verdict, _ in ROWS],
        },
    )
    judged = tables.judged([("q", "p", 1.0, 1.0, 1), ("q", "made", 1.0, 0.25, 4), ("other", "plain", 1.0, 1.0, 1)])
    judgements = tables.judgements(judged, [("q", "made"), ("other", "plain")])
    entry = tables.entry(negative_at=negative_at)
    return pool(tables.passed_on(candidates), judgements, entry, Contaminated(frozenset(), frozenset({"dev"})))


def _names(found: Pool, flags: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> list[str]:
    return found.ids(np.flatnonzero(flags))


def test_each_candidate_is_known_for_what_it_is() -> None:
    """Kept are those that no rule refuses; masked are those too close or in between, which are no positives."""
    found = _pool()
    assert _names(found, found.kept) == ["between", "negative", "dev", "plain"]
    assert _names(found, found.judged) == ["negative"]
    assert _names(found, found.neither) == ["between"]
    assert _names(found, found.masked) == ["near", "judge", "between"]
    assert _names(found, found.near_dev) == ["dev"]


def test_without_a_bound_nothing_is_a_judged_negative() -> None:
    """Where no grade says that a passage is not relevant, whatever lies below a positive is neither."""
    found = _pool(negative_at=None)
    assert _names(found, found.judged) == []
    assert _names(found, found.neither) == ["between", "negative"]


def test_the_rules_are_read_back() -> None:
    """What the filter wrote into its table is the rules it was made by."""
    rules = tables.rules(min_rank=3, reference="own", percentile_margin=0.1)
    assert rules_of({"rules": rules.model_dump_json()}, "here") == rules


@pytest.mark.parametrize("made_by", [{}, {"rules": "{}"}, {"rules": "no JSON"}, {"rules": '{"min_rank": 1}'}])
def test_tables_without_rules_say_what_to_run(made_by: dict[str, str]) -> None:
    """A table of an older version is refused with the stages to run again."""
    with pytest.raises(TableError, match=r"^here: does not say by which rules.*run filter and judge again"):
        rules_of(made_by, "here")


@pytest.mark.parametrize(
    ("task", "changes", "applies"),
    [
        ("retrieval", {"reference": "own", "absolute_margin": 0.1}, True),
        ("retrieval", {"reference": "own", "relative_margin": 0.0}, True),
        ("retrieval", {"reference": "own", "percentile_margin": 0.1}, True),
        ("retrieval", {"reference": "own"}, False),
        ("retrieval", {"reference": "lowest", "absolute_margin": 0.1}, False),
        ("clustering", {"reference": "own", "absolute_margin": 0.1}, False),
    ],
)
def test_margins_of_a_row_are_asked_where_there_are_some(task: str, changes: dict[str, object], applies: bool) -> None:  # noqa: FBT001 - a case
    """Rows differ where a margin is about the own positive; label tasks have no margins."""
    judged = tables.judgements(tables.judged([("q", "p", 1.0, 0.0, 1)]))
    margin = OwnMargin(tables.rules(**changes), judged, tables.entry(task))
    assert margin.applies == applies
    assert margin.refuses(_pool(), ints(0, 8), 0).tolist() == [applies, applies]


def test_a_passage_is_used_up_after_so_many_queries() -> None:
    """A query counts once for a passage, however many of its rows have it; without a bound nothing is used up."""
    passages = np.array([0, 1, 1], dtype=np.int32)
    reuse, free = Reuse(2, 3), Reuse(None, 3)
    for one in (reuse, free):
        one.use(passages)
        assert one.used_up(np.arange(3, dtype=np.int32)).tolist() == [False, False, False]
        one.use(passages[1:])
    assert reuse.used_up(np.array([2, 1, 0, 1], dtype=np.int32)).tolist() == [False, True, False, True]
    assert not free.used_up(passages).any()


def test_ids_of_nothing_are_nothing() -> None:
    """A dataset without candidates has an empty pool."""
    empty = tables.passed_on(schemas.CANDIDATES.schema.empty_table())
    judged = tables.judgements(tables.judged([("q", "p", 1.0, 1.0, 1)]))
    found = pool(empty, judged, tables.entry(), Contaminated(frozenset(), frozenset({"x"})))
    assert found.ids(ints()) == []
    assert (len(found.kept), found.passage_ids) == (0, pa.array([], pa.string()))
