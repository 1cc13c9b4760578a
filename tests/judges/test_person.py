"""Tests of embedder.judges.person and embedder.judges.none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from embedder import judges, labels, layout
from embedder.judges import none, person
from embedder.labels import Verdict, texts_hash
from tests.judges import entries

_ENTRY: dict[str, Any] = {
    "kind": "person",
    "threshold": 1,
    "threshold_percentile": None,
    "action": "relabel",
    "top": 0,
}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _judge() -> judges.Judge:
    return judges.build(person.Options.model_validate(_ENTRY), entries.SUBJECT, entries.RUNTIME)


def _write(**verdicts: str) -> None:
    pairs = entries.pairs(5)
    rows = {}
    for name, verdict in verdicts.items():
        place = int(name.removeprefix("p"))
        read = texts_hash(pairs.queries[place], pairs.passages[place])
        rows[pairs.query_ids[place], name] = Verdict(verdict, read)
    labels.write(layout.labels("docs"), rows)


def test_a_yes_is_relevant() -> None:
    """Yes is 1, no is 0, unsure a failure; of a pair without a verdict nobody is asked."""
    _write(p0="yes", p1="no", p2="unsure")
    found = _judge().ask(entries.pairs(5))
    np.testing.assert_array_equal(found.scores, np.array([1, 0, np.nan, np.nan, np.nan], np.float32))
    assert {reason: places.tolist() for reason, places in found.failures.items()} == {"unsure": [2]}
    assert found.facts == {"stale": 0, "verdicts_unused": 0}
    assert _judge().cost(entries.pairs(5)) == judges.Cost(5, 3, 0)


def test_a_verdict_on_other_texts_counts_as_none() -> None:
    """Where query or passage changed since, the verdict is stale, which is counted."""
    _write(p0="yes", p1="yes", p2="yes")
    pairs = entries.pairs(3)
    changed = judges.Pairs(
        pairs.query_ids, pairs.passage_ids, ["other", *pairs.queries[1:]], [*pairs.passages[:2], "other"]
    )
    found = _judge().ask(changed)
    np.testing.assert_array_equal(found.scores, np.array([np.nan, 1, np.nan], np.float32))
    assert found.facts == {"stale": 2, "verdicts_unused": 0}
    assert _judge().cost(changed).stored == 1


def test_verdicts_add_up() -> None:
    """All verdicts are known; each is an answer, unsure, stale, or on a pair that was not asked about."""
    _write(p0="yes", p1="no", p2="unsure", p3="yes", p4="no")
    assert sorted(_judge().known()) == [("q0", "p0"), ("q0", "p3"), ("q1", "p1"), ("q1", "p4"), ("q2", "p2")]
    found = _judge().ask(entries.pairs(3))
    answered = int(np.count_nonzero(~np.isnan(found.scores)))
    assert (answered, len(found.failures["unsure"]), found.facts) == (2, 1, {"stale": 0, "verdicts_unused": 2})


def test_without_a_file_there_are_no_verdicts() -> None:
    """A dataset that nobody labelled has no answers; its judge's identity changes with the first verdict."""
    before = _judge().identity()
    assert np.isnan(_judge().ask(entries.pairs(3)).scores).all()
    _write(p0="yes")
    assert _judge().identity() != before


@pytest.mark.parametrize("changes", [{"threshold": 0}, {"threshold_percentile": 5.0}, {"top": None, "action": "keep"}])
def test_wrong_entries_are_refused(changes: dict[str, object]) -> None:
    """A yes has no threshold to choose."""
    with pytest.raises(ValidationError):
        person.Options.model_validate(_ENTRY | changes)


def test_nobody_has_no_answer() -> None:
    """The judge `none` scores nothing and costs nothing."""
    judge = judges.build(none.Options(kind="none"), entries.SUBJECT, entries.RUNTIME)
    assert np.isnan(judge.ask(entries.pairs(2)).scores).all()
    assert (judge.cost(entries.pairs(2)), judge.identity(), list(judge.known())) == (judges.Cost(2, 0, 0), {}, [])


@pytest.mark.parametrize("kind", ["cross-encoder", "llm", "person"])
def test_options_of_another_judge_are_a_bug(kind: str) -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    from embedder.params.base import module

    chosen: Any = module(judges.JUDGES, "kind", kind)
    with pytest.raises(TypeError, match=f"not options of {kind}"):
        chosen.build(none.Options(kind="none"), entries.SUBJECT, entries.RUNTIME)
