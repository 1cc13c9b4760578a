"""What holds of the filter whatever the run, the judgements and the settings: each kept row against rules in plain Python."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.filters import BIT, VERDICTS
from embedder.params.models import Filter
from tests import runs
from tests.filtering import filter_tables
from tests.runs import Mined, Query, filtered

Verdicts = dict[tuple[str, str], tuple[str, frozenset[str]]]
OFF: dict[str, object] = dict.fromkeys(
    (
        *("min_rank", "max_rank", "max_score", "min_score", "max_score_percentile", "min_score_percentile"),
        *("absolute_margin", "relative_margin", "percentile_margin", "near_copy_jaccard", "near_copy_cosine"),
    )
)
PERCENTILES: dict[str, object] = dict.fromkeys(("max_score_percentile", "min_score_percentile", "percentile_margin"))

some = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where cosines are written."""
    with TemporaryDirectory() as name:
        yield Path(name)


def _names(refused_by: int) -> frozenset[str]:
    return frozenset(name for name, bit in BIT.items() if refused_by & bit)


def _verdicts(rows: list[dict[str, Any]]) -> Verdicts:
    found = {(row["query_id"], row["passage_id"]): (row["verdict"], _names(row["refused_by"])) for row in rows}
    assert len(found) == len(rows)
    return found


@some
@given(mined=runs.datasets(), rules=runs.rule_sets())
def test_every_row_is_refused_by_the_rules_it_breaks_and_no_others(mined: Mined, rules: Filter, folder: Path) -> None:
    """The rules written out one row at a time name the same refusals; what is kept obeys them all."""
    found = _verdicts(filtered(mined, rules, folder))
    for query_id, query in mined.queries.items():
        for row in query.run:
            expected = runs.refusing(mined, query_id, row, rules)
            verdict, refused = found.pop((query_id, row[1]))
            assert refused == expected
            assert verdict == next((name for name in runs.ORDER if name in expected), "keep")
    assert not found


@some
@given(mined=runs.datasets(), rules=runs.rule_sets(near_copy_jaccard=1.0))
def test_nothing_kept_has_a_positives_or_the_querys_text(mined: Mined, rules: Filter, folder: Path) -> None:
    """Whatever its id, letter case, white space or width of characters."""
    for row in filtered(mined, rules, folder):
        if row["verdict"] == "keep":
            query = mined.queries[row["query_id"]]
            others = {runs.plain(query.text), *(runs.plain(mined.texts[p]) for p in query.positives)}
            assert runs.plain(mined.texts[row["passage_id"]]) not in others


@some
@given(mined=runs.datasets(), other=runs.datasets(), rules=runs.rule_sets(**PERCENTILES))
def test_verdicts_do_not_depend_on_other_queries(mined: Mined, other: Mined, rules: Filter, folder: Path) -> None:
    """Alone, or among the queries of another dataset, a query's rows have the same verdicts."""
    together = _verdicts(filtered(mined, rules, folder))
    for query_id, query in mined.queries.items():
        of_it = {pair: said for pair, said in together.items() if pair[0] == query_id}
        alone = replace(mined, queries={query_id: query})
        assert _verdicts(filtered(alone, rules, folder)) == of_it
        strangers = {f"x{name}": one for name, one in other.queries.items()}
        among = replace(mined, queries={**strangers, query_id: query})
        found = _verdicts(filtered(among, rules, folder))
        assert {pair: said for pair, said in found.items() if pair[0] == query_id} == of_it


@some
@given(mined=runs.datasets(), rules=runs.rule_sets())
def test_percentiles_look_at_other_queries_positives_alone(mined: Mined, rules: Filter, folder: Path) -> None:
    """With the dataset's positives as they are, the runs, texts and other judgements of other queries change nothing."""
    together = _verdicts(filtered(mined, rules, folder))
    for query_id, query in mined.queries.items():
        others = {
            name: Query("another text", [], {p: one.judged[p] for p in one.positives})
            for name, one in mined.queries.items()
        }
        alone = replace(mined, queries={**others, query_id: query})
        of_it = {pair: said for pair, said in together.items() if pair[0] == query_id}
        assert _verdicts(filtered(alone, rules, folder)) == of_it


@some
@given(mined=runs.datasets(), rules=runs.rule_sets(), rows=st.integers(1, 40), order=st.integers(0, 99))
def test_verdicts_do_not_depend_on_blocks_or_order(
    mined: Mined, rules: Filter, rows: int, order: int, folder: Path
) -> None:
    """Blocks of any size and tables of queries, passages and cosines in any order give the same rows in the same order."""
    whole = [row for part in runs.blocks(mined, rules, folder, rows=1000) for row in part]
    parts = runs.blocks(mined, rules, folder, rows=rows, order=order)
    assert [row for part in parts for row in part] == whole
    assert [(row["query_id"], row["rank"]) for row in whole] == sorted((row["query_id"], row["rank"]) for row in whole)
    queries = [{row["query_id"] for row in part} for part in parts]
    assert sum(map(len, queries)) == len(set().union(*queries))


@some
@given(mined=runs.datasets(), rules=runs.rule_sets())
def test_counts_add_up(mined: Mined, rules: Filter, folder: Path) -> None:
    """Every row of the run has one verdict, the first of its refusals, and the report counts these rows and no others."""
    rows = filtered(mined, rules, folder)
    assert len(rows) == sum(len(query.run) for query in mined.queries.values())
    for row in rows:
        first = next((name for name, bit in BIT.items() if row["refused_by"] & bit), "keep")
        assert row["verdict"] == first
        assert row["refused_by"] < 1 << len(BIT)
    table, report = filter_tables(*runs.tables_of(mined), runs.entry(), rules)
    assert sum(report["verdicts"].values()) == report["candidates"] == len(rows)
    assert list(report["verdicts"]) == list(VERDICTS)
    again = table.to_pylist()
    for name, bit in BIT.items():
        assert report["refused_by"][name] == sum(bool(row["refused_by"] & bit) for row in again)
        assert report["verdicts"][name] == sum(row["verdict"] == name for row in again)
        assert report["verdicts"][name] <= report["refused_by"][name]


@some
@given(mined=runs.datasets(), rules=runs.rule_sets())
def test_each_rule_refuses_what_it_refuses_alone(mined: Mined, rules: Filter, folder: Path) -> None:
    """Rules intersect: the refusals of all together are those of each, so what-if needs no second run."""
    together = _verdicts(filtered(mined, rules, folder))
    written = rules.model_dump()
    parts = [
        _verdicts(filtered(mined, rules.model_copy(update={**OFF, name: written[name]}), folder))
        for name in OFF
        if written[name] is not None
    ] or [_verdicts(filtered(mined, rules.model_copy(update=OFF), folder))]
    for pair, (_, refused) in together.items():
        assert refused == frozenset().union(*(part[pair][1] for part in parts))


@some
@given(mined=runs.datasets(), rules=runs.rule_sets(reference="lowest"))
def test_the_own_positive_refuses_no_more_than_the_lowest(mined: Mined, rules: Filter, folder: Path) -> None:
    """What no row could have, the lowest positive refuses too; of a query with one positive both refuse the same."""
    lowest = _verdicts(filtered(mined, rules, folder))
    own = _verdicts(filtered(mined, rules.model_copy(update={"reference": "own"}), folder))
    for (query_id, passage), (_, refused) in lowest.items():
        assert own[query_id, passage][1] <= refused
        assert refused - own[query_id, passage][1] <= {"margin_too_small"}
        if len(mined.queries[query_id].positives) == 1:
            assert own[query_id, passage][1] == refused


@some
@given(mined=runs.datasets(), rules=runs.rule_sets(reference="own"))
def test_a_row_kept_for_its_own_margin_could_be_had_by_some_row(mined: Mined, rules: Filter, folder: Path) -> None:
    """With `own`, a candidate is refused for its margin where every positive's row would refuse it, and only there."""
    found = _verdicts(filtered(mined, rules, folder))
    for query_id, query in mined.queries.items():
        scores = list(query.positives.values())
        for _, passage, score in query.run:
            if query.judged.get(passage, (1.0, None))[0] <= runs.NEGATIVE_AT or None in scores:
                assert "margin_too_small" not in found[query_id, passage][1]
            else:
                every = all(runs.too_close(score, one, mined.scale, rules) for one in scores)
                assert ("margin_too_small" in found[query_id, passage][1]) == every


@some
@given(mined=runs.datasets(), rules=runs.rule_sets())
def test_judged_negatives_need_no_guess(mined: Mined, rules: Filter, folder: Path) -> None:
    """No window, score or margin refuses a passage that is judged not relevant."""
    for (query_id, passage), (_, refused) in _verdicts(filtered(mined, rules, folder)).items():
        if mined.queries[query_id].judged.get(passage, (1.0, None))[0] <= runs.NEGATIVE_AT:
            assert refused <= {"same_text_as_query", "held_out", "duplicates_positive"}
