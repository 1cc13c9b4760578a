"""The resolved view of params.yaml."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from embedder.cli.main import app
from embedder.cli.resolved import resolved
from embedder.params.load import load
from embedder.params.models import Filter
from tests import project


@pytest.fixture(name="params")
def _params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return project.tiny_params()


def view(params: dict[str, Any]) -> str:
    """Write params.yaml and return its resolved view."""
    project.write_params(Path(), params)
    return resolved(load())


def lines(text: str, section: str) -> list[list[str]]:
    """Return the words of the lines of a dataset's rules."""
    after = text.split("\nfilter:\n")[1].split(f"  {section}:\n")[1]
    rules = after.splitlines()[: len(Filter.model_fields)]
    return [line.split(maxsplit=2) for line in rules]


def test_it_is_yaml_of_what_applies(params: dict[str, Any]) -> None:
    """The view is YAML: the chosen teacher, student and judge with their entries, and each dataset's rules."""
    params["teacher"] = "unused"
    read = YAML(typ="safe").load(view(params))
    assert read == {
        "teacher": {"unused": params["teachers"]["unused"]},
        "student": {"tiny": params["students"]["tiny"]},
        "judge": {"none": {"kind": "none"}},
        "filter": {"docs": params["filter"], "code": params["filter"]},
    }


def test_overrides_are_marked(params: dict[str, Any]) -> None:
    """A rule that a dataset overrides has its value, and a comment with the common one; the others have none."""
    params["datasets"]["docs"]["filter"] = {"max_rank": 8, "min_score": 0.5}
    text = view(params)
    marked = {line[0]: line[1:] for line in lines(text, "docs") if len(line) > 2}
    assert marked == {"max_rank:": ["8", "# overrides 10"], "min_score:": ["0.5", "# overrides null"]}
    assert not any("#" in line for line in lines(text, "code"))


def test_rules_a_task_turns_off_are_marked(params: dict[str, Any]) -> None:
    """A label task's window, scores, margins and near copies are off, whatever the section says."""
    params["datasets"]["docs"] |= {"task": "clustering", "label_mode": "label", "filter": {"min_rank": 3}}
    marked = {line[0]: line[1:] for line in lines(view(params), "docs") if len(line) > 2}
    assert all(words == ["null", "# off for clustering"] for words in marked.values())
    assert {"min_rank:", "max_rank:", "relative_margin:", "near_copy_jaccard:"} <= set(marked)
    assert "near_copy_size:" not in marked


def test_the_command_prints_it(params: dict[str, Any]) -> None:
    """`embedder check --params` prints the view; with --quiet it checks and prints nothing."""
    text = view(params)
    assert CliRunner().invoke(app, ["check", "--params"]).stdout == text
    done = CliRunner().invoke(app, ["check", "--params", "--quiet"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_wrong_params_are_one_line(params: dict[str, Any]) -> None:
    """`embedder check --params --quiet` ends with code 2 and names what is wrong in params.yaml."""
    params["teacher"] = "bm52"
    project.write_params(Path(), params)
    done = CliRunner().invoke(app, ["check", "--params", "--quiet"])
    assert done.exit_code == 2
    assert done.stderr == "error: params.yaml: teacher: unknown teacher 'bm52'; did you mean 'bm25'?\n"
