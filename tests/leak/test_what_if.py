"""Tests of embedder.leak.what_if."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import EmbedderError
from embedder.filters import BIT, RULES, VERDICTS, refusals, verdicts
from embedder.leak.kept import READS
from embedder.leak.what_if import SEVERAL, WhatIf, require_rules, what_if
from embedder.params.models import Filter
from tests.leak.made_up import QUERIES, Query, ids_of, leak, parts_of
from tests.leak.test_pass_through import FILTERS, measure

RULES_OFF = st.lists(st.sampled_from([name for name in RULES if name != "is_positive"]), min_size=1, unique=True)
KINDS = {"same_text_as_query": "same_text", "held_out": "held_out", "duplicates_positive": "near_copy"}


def asked(queries: list[Query], rules: Filter, names: list[str]) -> WhatIf:
    """Turn rules off."""
    return what_if(parts_of(queries, rules), ids_of(queries), rules, leak(), 3, require_rules(names))


def never(queries: list[Query], names: list[str]) -> list[Query]:
    """Return the queries without what the named rules are about."""
    gone = {KINDS[name] for name in names if name in KINDS}
    bits = sum(BIT[name] for name in names)
    return [
        replace(
            query,
            kinds=tuple("plain" if kind in gone else kind for kind in query.kinds),
            refused=tuple(one & ~bits for one in query.refused),
        )
        for query in queries
    ]


@settings(max_examples=60, deadline=None)
@given(QUERIES, FILTERS, RULES_OFF)
def test_without_rules_is_as_if_they_had_never_been(queries: list[Query], rules: Filter, names: list[str]) -> None:
    """Verdicts, candidates kept and pass-through are those of a filter that never had the rules."""
    off = {field for name in names if name in READS for field in READS[name]} - {"counted", "reference"}
    without, changed = never(queries, names), rules.model_copy(update=dict.fromkeys(off))
    found = asked(queries, rules, names)
    refused = [refusals(part.candidates, changed) for part in parts_of(without, changed)]
    counts = np.bincount(verdicts(np.concatenate(refused)), minlength=len(VERDICTS))
    assert list(found.after.values()) == counts.tolist()
    assert found.kept[1].tolist() == [int((one == 0).sum()) for one in refused]
    rows = [
        row for one in (measure(queries, [rules]), measure(without, [changed])) for row in one if row.stratum == "all"
    ]
    for one, other in zip(found.leak, rows, strict=True):
        assert (one.pass_through, one.weighted, one.drawn_random, one.drawn_top) == (
            *(other.pass_through, other.weighted, other.drawn_random, other.drawn_top),
        )
        assert (one.kept_per_query, one.hardness, one.not_identifiable) == (
            *(other.kept_per_query, other.hardness, other.not_identifiable),
        )


@settings(max_examples=60, deadline=None)
@given(QUERIES, FILTERS, RULES_OFF)
def test_counts_add_up(queries: list[Query], rules: Filter, names: list[str]) -> None:
    """Every candidate has a verdict before and after, and what becomes kept was held by one rule or by several."""
    found = asked(queries, rules, names)
    total = sum(len(query.kinds) for query in queries)
    assert (sum(found.before.values()), sum(found.after.values())) == (total, total)
    assert sum(found.held.values()) == found.after["keep"] - found.before["keep"]
    assert found.kept.sum(axis=1).tolist() == [found.before["keep"], found.after["keep"]]
    assert set(found.held) == {*names, SEVERAL}
    assert len(names) > 1 or found.held[SEVERAL] == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("before_window", "unknown rule 'before_window'; did you mean 'before_rank_window'?"),
        ("is_positive", "is_positive cannot be turned off"),
    ],
)
def test_what_is_no_rule_is_refused(name: str, message: str) -> None:
    """The message suggests the close one; a positive stays a positive."""
    with pytest.raises(EmbedderError) as raised:
        require_rules([name])
    assert str(raised.value).startswith(message)


def test_rules_are_turned_off_once() -> None:
    """Named twice and in any order, they come in the order of verdicts."""
    assert require_rules(["margin_too_small", "held_out", "margin_too_small"]) == ["held_out", "margin_too_small"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [("min_rank", "before_rank_window"), ("relative_margin", "margin_too_small"), ("max_score", "score_too_high")],
)
def test_a_parameter_is_no_rule_but_names_one(name: str, rule: str) -> None:
    """Who names the parameter that sets a rule is told the rule's name."""
    with pytest.raises(EmbedderError, match=f"'{name}' is a parameter; the rule it sets is '{rule}'"):
        require_rules([name])
