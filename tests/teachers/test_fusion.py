"""Tests of embedder.teachers.fusion against a fusion written down plainly."""

import gc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from embedder import teachers
from embedder.params.base import options as validated
from embedder.teachers import TEACHERS, fusion
from tests.teachers import fakes

pytestmark = pytest.mark.usefixtures("table_kind")
Scores = list[list[float | None]]


def _entry(method: str, members: list[Scores], quotas: list[int] | None = None, **changes: object) -> dict[str, Any]:
    quotas = quotas or [1] * len(members)
    return {
        "kind": "fusion",
        "method": method,
        "k": 60 if method == "rrf" else None,
        "members": [
            {
                "name": f"m{i}",
                "quota": quota if method == "union" else None,
                "teacher": fakes.table(scores, name=f"t{i}", **changes),
            }
            for i, (scores, quota) in enumerate(zip(members, quotas, strict=True))
        ],
    }


def _built(entry: dict[str, Any]) -> fusion.Fusion:
    texts = [f"text {i}" for i in range(9)]
    options = fusion.Options.model_validate(entry)
    return fusion.build(options, fakes.corpus(texts), fakes.RUNTIME)


def _plain(entry: dict[str, Any], query: int, most: int, judged: list[int], *, deep: bool) -> fakes.Row:
    """Fuse one query in the words of the definition, with exact fractions."""
    lists = [[p for p, _ in fakes.ordered(member["teacher"]["scores"][query])] for member in entry["members"]]
    near = [{p: r for r, p in enumerate(one[:most], 1)} for one in lists]
    far = [{p: r for r, p in enumerate(one, 1)} for one in lists]
    retrieved = {p for one in near for p in one}
    ordered = _ordered(entry, retrieved, near)
    if deep:
        ordered += _ordered(entry, {p for one in far for p in one} & set(judged) - retrieved, far)
    if entry["method"] == "union":
        return {p: (-float(rank), rank) for rank, (p, _) in enumerate(ordered, 1)}
    return {p: (score, rank) for rank, (p, score) in enumerate(ordered, 1)}


def _ordered(entry: dict[str, Any], passages: set[int], ranks: list[dict[int, int]]) -> list[tuple[int, float]]:
    if entry["method"] == "rrf":
        k = entry["k"]
        sums = {
            p: float(np.float32(float(sum(Fraction(1, k + one[p]) for one in ranks if p in one)))) for p in passages
        }
        return sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    quotas = [member["quota"] for member in entry["members"]]
    places = {p: min((Fraction(one[p], quotas[i]), i) for i, one in enumerate(ranks) if p in one) for p in passages}
    return [(p, 0.0) for p in sorted(passages, key=lambda p: (places[p], p))]


_SCORE = st.one_of(st.none(), st.integers(0, 3).map(float))
_SCORES = st.lists(st.lists(_SCORE, min_size=6, max_size=6), min_size=3, max_size=3)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.lists(_SCORES, min_size=2, max_size=3),
    quotas=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    method=st.sampled_from(["union", "rrf"]),
    most=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    judged=st.lists(st.sets(st.integers(0, 5), max_size=3), min_size=3, max_size=3),
    deep=st.booleans(),
    ranked=st.booleans(),
    block=st.integers(1, 3),
)
def test_fusion_is_the_plain_one(
    members: list[Scores],
    quotas: list[int],
    method: str,
    most: list[int],
    judged: list[set[int]],
    deep: bool,  # noqa: FBT001 - given by name
    ranked: bool,  # noqa: FBT001 - given by name
    block: int,
) -> None:
    """Ranks and scores are those of the definition, with ties, whatever the members' blocks and what they yield."""
    entry = _entry(method, members, quotas[: len(members)], ranked=ranked, block=block)
    asked = fakes.queries(["a", "b", "c"], most, [sorted(one) for one in judged], deep=deep)
    found = fakes.rows(_built(entry), asked)
    expected = [_plain(entry, i, most[i], sorted(judged[i]), deep=deep) for i in range(3)]
    assert [{p: r for p, (_, r) in row.items()} for row in found] == [
        {p: r for p, (_, r) in row.items()} for row in expected
    ]
    for row, plain in zip(found, expected, strict=True):
        assert {p: s for p, (s, _) in row.items()} == pytest.approx({p: s for p, (s, _) in plain.items()}, rel=1e-6)


def test_rrf_is_the_papers_sum() -> None:
    """A passage at ranks 1 and 2 has the score 1/61 + 1/62, one that a single member has at rank 2 has 1/62."""
    teacher = _built(_entry("rrf", [[[9.0, 8.0, 7.0]], [[1.0, None, 3.0]]]))
    (row,) = fakes.rows(teacher, fakes.queries(["a"], 3))
    expected = {0: 1 / 61 + 1 / 62, 2: 1 / 63 + 1 / 61, 1: 1 / 62}
    assert {p: score for p, (score, _) in row.items()} == pytest.approx(expected)
    assert [row[p][1] for p in expected] == [1, 2, 3]


def test_a_quota_is_a_share_of_the_places() -> None:
    """With quotas 2 and 1 two places of three are the first member's."""
    first: Scores = [[9.0, 8.0, 7.0, 6.0, None, None, None]]
    second: Scores = [[None, None, None, None, 3.0, 2.0, 1.0]]
    (row,) = fakes.rows(_built(_entry("union", [first, second], [2, 1])), fakes.queries(["a"], 4))
    assert sorted(row, key=lambda p: row[p][1]) == [0, 1, 4, 2, 3, 5, 6]
    assert [row[p][0] for p in (0, 6)] == [-1.0, -7.0]


def test_equal_sums_of_three_members_tie_by_index() -> None:
    """Ranks 1, 2, 3 in any order of members are the same score to the last bit, so the index decides."""
    members: list[Scores] = [[[1.0, 2.0, 3.0]], [[2.0, 3.0, 1.0]], [[3.0, 1.0, 2.0]]]
    (row,) = fakes.rows(_built(_entry("rrf", members)), fakes.queries(["a"], 3))
    assert len({score for score, _ in row.values()}) == 1
    assert [row[p][1] for p in range(3)] == [1, 2, 3]


def test_members_say_where_they_have_a_passage() -> None:
    """Each member's ranks and scores stand beside the passages, 0 where it proposed nothing, judged or not."""
    teacher = _built(_entry("rrf", [[[9.0, 8.0, 7.0]], [[1.0, None, 3.0]]]))
    (block,) = teacher.score(fakes.queries(["a"], 1, [[1]], deep=True))
    assert block.passages.tolist() == [0, 2, 1]
    assert block.members["m0"].ranks.tolist() == [1, 0, 2]
    assert block.members["m1"].ranks.tolist() == [0, 1, 0]
    assert block.members["m0"].scores.tolist() == [9.0, 0.0, 8.0]
    assert block.members["m1"].scores.tolist() == [0.0, 3.0, 0.0]
    assert block.floor.tolist() == [0.0]


def test_one_member_is_alive_at_a_time() -> None:
    """A member is built when it is asked and gone before the next one is, so two models never share the memory."""
    gc.collect()
    fakes.MOST_ALIVE.clear()
    teacher = _built(_entry("union", [[[1.0]], [[2.0]], [[3.0]]]))
    list(teacher.score(fakes.queries(["a"], 1)))
    assert fakes.MOST_ALIVE == [1, 1, 1]
    assert teacher.report() == {"members": {f"m{i}": {"name": f"t{i}"} for i in range(3)}}


def test_the_revision_follows_from_members_and_options() -> None:
    """It is 40 hex digits, the same before and after scoring, and changes with method, k, quota and a member."""
    members: list[Scores] = [[[1.0]], [[2.0]]]
    union = _built(_entry("union", members))
    before = union.revision
    list(union.score(fakes.queries(["a"], 1)))
    other = _entry("union", members)
    other["members"][0]["teacher"]["name"] = "another"
    different = [_entry("union", members, [1, 2]), _entry("rrf", members), _entry("rrf", members) | {"k": 1}, other]
    revisions = {before, *(_built(one).revision for one in different)}
    assert union.revision == before
    assert len(revisions) == 5
    assert all(len(one) == 40 and int(one, 16) >= 0 for one in revisions)


_GOOD = _entry("union", [[[1.0]], [[2.0]]])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": 60}, "the union has none, write null"),
        ({"method": "rrf"}, "rrf needs its constant"),
        ({"method": "rrf", "k": 60}, "quota of m0, m1"),
        ({"method": "rrf", "k": 0}, "k: "),
        ({"members": _GOOD["members"][:1]}, "members: "),
        ({"members": [_GOOD["members"][0]] * 2}, "each needs a name of its own"),
        ({"members": [_GOOD["members"][0] | {"name": "No"}, _GOOD["members"][1]]}, "No"),
        ({"members": [_GOOD["members"][0] | {"teacher": _GOOD}, _GOOD["members"][1]]}, "m0' is a fusion itself"),
        ({"members": [_GOOD["members"][0] | {"teacher": {"kind": "tabel"}}, _GOOD["members"][1]]}, "'table'"),
    ],
)
def test_entries_that_mean_nothing_are_refused(changes: dict[str, Any], said: str) -> None:
    """Each mistake in an entry is named."""
    with pytest.raises((ValidationError, ValueError), match=said):
        validated(TEACHERS, "kind", _GOOD | changes)


def test_an_entry_survives_being_written() -> None:
    """What params show of an entry, members' entries included, is read as the same entry."""
    options = fusion.Options.model_validate(_GOOD)
    assert fusion.Options.model_validate(options.model_dump()) == options


def test_bm25_can_be_a_member() -> None:
    """Two BM25 teachers with other constants fuse into the ranks of their shared order."""
    plain = {"kind": "bm25", "method": "lucene", "k1": 1.5, "b": 0.75, "delta": 0.5, "stem": False, "stop_words": False}
    members = [{"name": name, "quota": None, "teacher": plain | {"k1": k1}} for name, k1 in (("a", 1.0), ("b", 2.0))]
    entry = {"kind": "fusion", "method": "rrf", "k": 60, "members": members}
    texts = ["ax bo", "ax", "cy", "ax bo cy du"]
    teacher = teachers.build(validated(TEACHERS, "kind", entry), fakes.corpus(texts), fakes.RUNTIME)
    (row,) = fakes.rows(teacher, fakes.queries(["ax bo"], 4))
    assert {p: r for p, (_, r) in row.items()} == {0: 1, 3: 2, 1: 3}
