"""Whether dvc.yaml tracks params.yaml: every key that counts, no key that is not there, never how it runs."""

from pathlib import Path
from typing import Any

import pytest

from embedder.checks.tracking import problems, read_stages, tracked
from embedder.errors import ParamsError
from tests import project

PARAMS: dict[str, Any] = {
    "teacher": "a",
    "teachers": {"a": {"k": 1}, "b": {"k": 2}},
    "datasets": {"x": {"task": "sts", "filter": {}}, "y": {"task": "sts", "filter": {"min_rank": 3}}},
    "runtime": {"device": "cpu"},
}
STAGES: dict[str, Any] = {
    "mine": {
        "foreach": "${datasets}",
        "do": {"params": ["teacher", "teachers.${teacher}", "datasets.${key}.task"]},
    },
    "filter": {"foreach": "${datasets}", "do": {"params": ["datasets.${key}.filter"]}},
}


def with_keys(stage: dict[str, Any]) -> list[str]:
    """Return what is said of the stages and one more."""
    return list(problems(PARAMS, {**STAGES, "more": stage}))


def test_all_is_tracked() -> None:
    """Templates cover what they could name, an empty mapping too, and runtime need not be tracked."""
    assert list(problems(PARAMS, STAGES)) == []


def test_a_forgotten_key_is_named() -> None:
    """A key no stage tracks is named, because changing it would run nothing."""
    params = PARAMS | {"mine": {"depth": 3}, "seed": 1}
    assert list(problems(params, STAGES)) == ["no stage tracks mine.depth, seed: changing that runs nothing"]


def test_many_forgotten_keys_are_counted() -> None:
    """Five keys are named and the others counted."""
    params = PARAMS | {f"key-{number}": 1 for number in range(8)}
    said = "no stage tracks key-0, key-1, key-2, key-3, key-4, and 3 more: changing that runs nothing"
    assert list(problems(params, STAGES)) == [said]


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        ({"params": ["mine"]}, "mine"),
        ({"params": ["teachers.${teecher}"]}, "teachers.None"),
        ({"params": ["teacher.name"]}, "teacher.name"),
        ({"foreach": "${datasets}", "do": {"params": ["datasets.${key}.depth"]}}, "datasets.x.depth, datasets.y.depth"),
        ({"foreach": ["a", "c"], "do": {"params": ["teachers.${item}"]}}, "teachers.c"),
        ({"foreach": {"p": {"of": "q"}}, "do": {"params": ["${key}.${item.of}"]}}, "p.q"),
    ],
)
def test_a_key_that_is_not_there_is_named(stage: dict[str, Any], missing: str) -> None:
    """A stage that tracks what params.yaml lacks is named with the key, templates filled in."""
    assert with_keys(stage) == [f"stage more tracks {missing}, which params.yaml does not have"]


@pytest.mark.parametrize("key", ["runtime", "runtime.device"])
def test_runtime_is_tracked_by_none(key: str) -> None:
    """How it runs must not decide whether it runs."""
    assert with_keys({"params": [key]}) == ["stage more tracks runtime, which says how to run and must not say whether"]


def test_the_version_is_tracked_where_there_is_one() -> None:
    """A project's version stands for the code, so a stage must track it; null needs no tracking."""
    said = ["no stage tracks version: changing that runs nothing"]
    assert list(problems({**PARAMS, "version": "0.1.0"}, STAGES)) == said
    assert list(problems({**PARAMS, "version": None}, STAGES)) == []


def test_a_longer_key_is_not_covered_by_a_shorter_name() -> None:
    """`seed` does not cover `seeds`: a key covers itself and what lies below it."""
    assert next(problems({"seeds": 1}, {"s": {"params": ["seed"]}})).startswith("no stage tracks seeds")


def test_other_files_are_not_asked() -> None:
    """Keys of another file than params.yaml are that file's matter."""
    assert with_keys({"params": [{"other.yaml": ["nothing"]}]}) == []
    assert with_keys({"cmd": "true"}) == []


def test_this_repository_tracks_everything() -> None:
    """dvc.yaml and params.yaml of this repository agree."""
    from embedder.params.load import load

    content = load(project.ROOT / "params.yaml").model_dump(mode="json")
    assert tracked(content, project.ROOT / "dvc.yaml").level == "ok"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file; run this in the folder that holds it"),
        ("a: [", "not readable YAML"),
        ("- 1", "has no stages"),
        ("x: 1", "has no stages"),
        ("stages: 3", "has no stages"),
    ],
)
def test_an_unreadable_dvc_yaml_is_named(text: str | None, said: str, tmp_path: Path) -> None:
    """A dvc.yaml that is missing or wrong is named with what is wrong, and the check is an error."""
    path = tmp_path / "dvc.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParamsError, match=said):
        read_stages(path)
    assert tracked({}, path).level == "error"
