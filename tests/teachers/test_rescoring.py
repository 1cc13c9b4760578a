"""Tests of embedder.teachers.rescoring and embedder.pairs.stored with a scorer that is written down."""

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from embedder import layout
from embedder.checks import vectors
from embedder.errors import EmbedderError
from embedder.locking import locked
from embedder.pairs.stored import StoredScores
from embedder.teachers import cross_encoder, rescoring
from embedder.teachers.rescoring import Rescored, RescorerOptions
from embedder.vectors.upkeep import is_wanted
from tests.teachers import fakes

pytestmark = pytest.mark.usefixtures("table_kind")

_TEXTS = [f"passage {i}" for i in range(6)]
_QUERIES = ["a", "b", "c"]


class Options(RescorerOptions):
    """Of the scorer below."""

    kind: Literal["written"] = "written"


class Written:
    """Scores pairs by a checksum of few values, so that there are ties; and keeps account of what it was asked."""

    def __init__(self, unit: int = 4, fails_after: int | None = None) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._unit, self._fails_after = unit, fails_after

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Yield scores, unit by unit."""
        for number, start in enumerate(range(0, len(queries), self._unit)):
            if number == self._fails_after:
                raise KeyboardInterrupt
            unit = list(zip(queries, passages, strict=True))[start : start + self._unit]
            self.pairs += unit
            yield np.array([_score(*pair) for pair in unit], np.float32)


def _score(query: str, passage: str) -> float:
    return float(zlib.crc32(f"{query} {passage}".encode()) % 4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, so that the cache lies there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _rescored(
    scores: Sequence[Sequence[float | None]],
    top: int,
    model: Written | None = None,
    reading: str = "",
    **changes: object,
) -> Rescored:
    options = Options.model_validate({"first": fakes.table(scores, **changes), "top": top})
    stored = StoredScores({"reading": reading}, {"device": "cpu"}, lambda: model or Written(), 10.0)
    return Rescored(options, fakes.corpus(_TEXTS), fakes.RUNTIME, stored)


def _plain(
    scores: Sequence[float | None], query: str, top: int, judged: Sequence[int], *, deep: bool
) -> dict[int, tuple[float, int]]:
    """Score one query's passages again in the words of the definition."""
    first = [p for p, _ in fakes.ordered(scores)]
    best = sorted(first[:top], key=lambda p: (-_score(query, _TEXTS[p]), p))
    ranks = {p: rank for rank, p in enumerate(best, 1)}
    for passage in set(judged) - set(best):
        ranks[passage] = first.index(passage) + 1 if deep and passage in first else 0
    return {p: (_score(query, _TEXTS[p]), rank) for p, rank in ranks.items()}


_SCORE = st.one_of(st.none(), st.integers(0, 3).map(float))
_SCORES = st.lists(st.lists(_SCORE, min_size=6, max_size=6), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=_SCORES,
    top=st.integers(1, 7),
    judged=st.lists(st.sets(st.integers(0, 5), max_size=3), min_size=3, max_size=3),
    deep=st.booleans(),
    ranked=st.booleans(),
    pairs=st.integers(1, 12),
)
def test_rescoring_is_the_plain_one(
    scores: list[list[float | None]],
    top: int,
    judged: list[set[int]],
    deep: bool,  # noqa: FBT001 - given by name
    ranked: bool,  # noqa: FBT001 - given by name
    pairs: int,
) -> None:
    """Ranks and scores are those of the definition, with ties, whatever the blocks of the first teacher or of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rescoring, "_PAIRS", pairs)
        asked = fakes.queries(_QUERIES, 2, [sorted(one) for one in judged], deep=deep)
        found = fakes.rows(_rescored(scores, top, ranked=ranked), asked)
    assert found == [_plain(scores[i], _QUERIES[i], top, sorted(judged[i]), deep=deep) for i in range(3)]


_FULL: list[list[float | None]] = [[float(6 - (p + q) % 6) for p in range(6)] for q in range(3)]


def test_a_second_run_computes_nothing() -> None:
    """Scores come from the cache, bit for bit, and the model is not even loaded."""
    asked = fakes.queries(_QUERIES, 2)
    first = fakes.rows(_rescored(_FULL, 4), asked)

    def refuse() -> Written:
        raise AssertionError("loaded")

    options = Options.model_validate({"first": fakes.table(_FULL), "top": 4})
    stored = StoredScores({"reading": ""}, {"device": "cpu"}, refuse, 10.0)
    assert fakes.rows(Rescored(options, fakes.corpus(_TEXTS), fakes.RUNTIME, stored), asked) == first


def test_a_deeper_top_computes_what_is_new() -> None:
    """With top 5 after top 4 one pair a query is computed."""
    list(_rescored(_FULL, 4).score(fakes.queries(_QUERIES, 2)))
    model = Written()
    list(_rescored(_FULL, 5, model).score(fakes.queries(_QUERIES, 2)))
    assert len(model.pairs) == 3


def test_another_reading_shares_nothing() -> None:
    """A changed prompt, length or model computes every pair again."""
    list(_rescored(_FULL, 4).score(fakes.queries(_QUERIES, 2)))
    model = Written()
    list(_rescored(_FULL, 4, model, reading="another").score(fakes.queries(_QUERIES, 2)))
    assert len(model.pairs) == 12


def test_a_kill_loses_at_most_one_unit() -> None:
    """After two units of four pairs and a kill, the next run computes the remaining four of twelve pairs alone."""
    asked = fakes.queries(_QUERIES, 2)
    with pytest.raises(KeyboardInterrupt):
        list(_rescored(_FULL, 4, Written(fails_after=2)).score(asked))
    model = Written()
    resumed = fakes.rows(_rescored(_FULL, 4, model), asked)
    assert len(model.pairs) == 4
    assert resumed == fakes.rows(_rescored(_FULL, 4, reading="clean"), asked)


def test_pairs_come_passage_by_passage() -> None:
    """The pairs of one passage follow each other, so that a model need not encode it twice."""
    model = Written()
    list(_rescored(_FULL, 6, model).score(fakes.queries(_QUERIES, 2)))
    assert [passage for _, passage in model.pairs] == [text for text in _TEXTS for _ in _QUERIES]


def test_two_runs_at_a_time_are_refused() -> None:
    """While somebody else holds the cache, nothing is computed."""
    with locked(layout.VECTORS), pytest.raises(EmbedderError, match="held by process"):
        list(_rescored(_FULL, 2).score(fakes.queries(_QUERIES, 2)))


def test_a_query_that_ends_like_the_passage_begins_is_another_pair() -> None:
    """Where the query ends counts, whatever characters the two have."""
    stored = StoredScores({}, {}, Written, 10.0)
    queries, passages = ["a", "a\0b", "ab", "a"], ["b\0c", "c", "c", "bc"]
    (found,) = stored.score(queries, passages)
    assert found.tolist() == [_score(*pair) for pair in zip(queries, passages, strict=True)]


def test_queries_that_retrieve_nothing_keep_their_place() -> None:
    """A query without passages has an empty row, a judged passage a score without a rank."""
    scores: list[list[float | None]] = [[None] * 6, [1.0, *[None] * 5], [None] * 6]
    found = fakes.rows(_rescored(scores, 3), fakes.queries(_QUERIES, 2, [[], [], [4]]))
    assert found == [{}, {0: (_score("b", _TEXTS[0]), 1)}, {4: (_score("c", _TEXTS[4]), 0)}]


def test_nothing_to_score_is_no_mistake() -> None:
    """Without queries there are no blocks; where nothing is retrieved, a block without passages."""
    assert fakes.rows(_rescored([], 3), fakes.queries([], 2)) == []
    assert fakes.rows(_rescored([[None] * 6], 3), fakes.queries(["a"], 2)) == [{}]


def test_the_revision_follows_from_both_teachers_and_top() -> None:
    """It is 40 hex digits and changes with the first teacher, the scorer and top."""
    made = [_rescored(_FULL, 3), _rescored(_FULL, 4), _rescored(_FULL, 3, reading="x"), _rescored(_FULL, 3, name="y")]
    revisions = [one.revision for one in made]
    assert len(set(revisions)) == 4
    assert all(len(one) == 40 and int(one, 16) >= 0 for one in revisions)
    before = made[0].revision
    list(made[0].score(fakes.queries(_QUERIES, 2)))
    assert made[0].revision == before
    assert made[0].report() == {"first": {"name": "table"}, "pairs": 9}


def test_a_rescorer_over_a_rescorer_is_refused() -> None:
    """The first teacher must retrieve, and retrieving is what rescorers don't."""
    entry: dict[str, Any] = {
        "kind": "cross-encoder",
        "name": "a/b",
        "revision": "0" * 40,
        "licence": "CC0-1.0",
        "dtype": "float32",
        "query_prompt": "",
        "max_length": 64,
        "top": 3,
        "first": fakes.table(_FULL),
    }
    assert cross_encoder.Options.model_validate(entry).top == 3
    with pytest.raises(ValidationError, match="first is of kind cross-encoder"):
        cross_encoder.Options.model_validate(entry | {"first": entry})


def test_the_cache_keeps_what_a_fusions_members_need() -> None:
    """The model of a rescorer in a fusion counts as named by params, so its scores are not cleared away."""
    list(_rescored(_FULL, 2, reading="the revision").score(fakes.queries(_QUERIES, 2)))
    (folder,) = (one for one in layout.VECTORS.iterdir() if one.is_dir())
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))["facts"]
    members = [{"name": "a", "teacher": {"first": {"revision": "the revision"}}}]
    (found,) = vectors._values({"kind": "fusion", "members": members}, "revision")
    assert is_wanted(facts, {str(found)})
    assert not is_wanted(facts, {"another"})
