"""What manifest and card say of false negatives."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from embedder import layout
from embedder.false_negatives import in_words, measured
from embedder.leak.rows import Row, write_csv

_UNKNOWN = dict.fromkeys(("lower", "estimate", "upper", "after_judge"))
NOTHING = {"pass_through": None, "contamination": _UNKNOWN | {"removed": 0}}


def _leak(**changes: object) -> Row:
    """Return a row of leak.csv: the current setting, over all positives."""
    values: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Row))
    values |= {"setting": "current", "current": True, "stratum": "all", "counted": "raw", "reference": "lowest"}
    values |= {"positives": 40, "queries": 20, "not_identifiable": 0, "pass_through": 0.081, "low": 0.07, "high": 0.092}
    return Row(**(values | changes))


def _reports(filtered: object, judged: object, **counts: int) -> None:
    judge = {"contamination": judged, "counts": {"not_asked": 0, "failed": 0, "judged_negatives": 7} | counts}
    for stage, content in (("filter", {"contamination": filtered}), ("judge", judge)):
        layout.report(stage, "docs").parent.mkdir(parents=True, exist_ok=True)
        layout.report(stage, "docs").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(*rows: Row) -> None:
    layout.folder("filter", "docs").mkdir(parents=True, exist_ok=True)
    write_csv(layout.folder("filter", "docs") / "leak.csv", rows)


def test_nothing_measured_is_null() -> None:
    """A dataset that neither filter nor judge measured has nulls, and the card says so."""
    assert measured("docs") == NOTHING
    assert in_words(measured("docs")) == ("not measured", "not measured")


def test_pass_through_is_of_the_setting_in_force() -> None:
    """Of all settings and kinds of positives, the current one over all positives is told, and whom it stands in for."""
    _write(_leak(stratum="rank 1", pass_through=0.5), _leak(), _leak(setting="1-30", current=False, pass_through=0.9))
    found = measured("docs")
    assert found["pass_through"] == {
        "about": "known positives: an optimistic stand-in",
        "estimate": 0.081,
        "low": 0.07,
        "high": 0.092,
        "positives": 40,
        "not_identifiable": 0,
    }
    assert in_words(found)[0] == "8.1% (7.0% to 9.2%)"


def test_what_labels_cannot_tell_is_said() -> None:
    """Where no positive has a twin, a margin's pass-through is not identifiable from labels."""
    _write(_leak(pass_through=None, low=None, high=None, not_identifiable=40))
    assert measured("docs")["pass_through"]["estimate"] is None
    assert in_words(measured("docs"))[0] == "not identifiable from labels"


JUDGED: dict[str, Any] = {
    "contamination": {"estimate": 0.031, "low": 0.0123, "high": 0.0512},
    "upper": 0.0481,
    "upper_only": False,
    "after_judge": None,
}


AFTER = {"dropped": 0.1, "estimate": 0.02, "low": 0.01, "high": 0.03, "upper": 0.028}


@pytest.mark.parametrize(
    ("lower", "judged", "said"),
    [
        (0.00123, None, "at least 0.12%"),
        (0.0000123, None, "at least 0.0012%"),
        (0.0, None, "no evidence of any"),
        (0.00123, JUDGED, "3.1% (1.2% to 5.1%) by the judge"),
        (0.00123, JUDGED | {"upper_only": True}, "below 4.8% by the judge"),
        (None, JUDGED | {"contamination": None, "upper": None}, "not measured"),
        (0.5, JUDGED | {"contamination": None, "upper": None}, "at least 50.0%"),
        (0.5, JUDGED | {"after_judge": AFTER}, "2.0% (1.0% to 3.0%) after the judge"),
        (0.5, JUDGED | {"after_judge": AFTER, "upper_only": True}, "below 2.8% after the judge"),
    ],
)
def test_the_most_that_is_known_of_contamination(lower: float | None, judged: object, said: str) -> None:
    """A judge's estimate goes before its upper bound, and either before the lower bound that needs no judge."""
    _reports({"lower": lower}, judged)
    found = measured("docs")
    assert found["contamination"]["lower"] == lower
    assert in_words(found)[1] == said


@pytest.mark.parametrize("unsaid", ["not_asked", "failed"])
def test_what_the_judge_said_nothing_of_stays_as_it_was(unsaid: str) -> None:
    """Where the judge told of some of the kept candidates alone, what is left is not what dropping all would leave."""
    _reports({"lower": 0.5}, JUDGED | {"after_judge": AFTER}, **{unsaid: 3})
    assert in_words(measured("docs"))[1] == "3.1% (1.2% to 5.1%) by the judge"


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (JUDGED, "3.1% (1.2% to 5.1%)"),
        (JUDGED | {"upper_only": True}, "below 4.8%"),
        (JUDGED | {"contamination": None, "upper": None}, "at least 50.0%"),
    ],
)
def test_a_figure_of_what_the_filter_kept_is_called_so(judged: object, said: str) -> None:
    """Where the judge took something away and what it left is not known, the words say that this was before."""
    _reports({"lower": 0.5}, judged, not_asked=3, relevant=2, near_copies_of_relevant=1)
    assert measured("docs")["contamination"]["removed"] == 3
    assert in_words(measured("docs"))[1] == f"{said} before the judge's removals"
    _reports({"lower": 0.0}, None, not_asked=3, near_copies_of_relevant=1)
    assert in_words(measured("docs"))[1] == "no evidence of any before the judge's removals"
