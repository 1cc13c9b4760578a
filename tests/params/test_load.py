"""Tests of embedder.params: the whole file is checked, and each mistake is one line that names file and key."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from embedder.errors import ParamsError
from embedder.params.load import dataset_of, load, student_of
from tests import tables

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
FIRST = "pydoc-search"
DATASET = f"datasets.{FIRST}"


def _written(folder: Path, changes: Mapping[str, object]) -> Path:
    """Write the repository's params with `changes`, of dotted keys; a value of ... deletes the key."""
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        section = content
        for parent in parents:
            section = section[parent]
        if value is ...:
            del section[last]
        else:
            section[last] = value
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda *_: True
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    return folder / "params.yaml"


def _refusal(path: Path) -> str:
    """Return why the file is refused: one line that starts with its path."""
    with pytest.raises(ParamsError) as raised:
        load(path)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("task", "mode", "columns", "said"),
    [
        (
            "retrieval",
            None,
            {"query": "text", "label": "label"},
            "task retrieval has no labels, and source.columns names some",
        ),
        (
            "clustering",
            "label",
            {"query": "q", "positive": "p"},
            "task clustering needs labels, and source.columns names none",
        ),
    ],
)
def test_labels_are_for_label_tasks(
    tmp_path: Path, task: str, mode: str | None, columns: dict[str, str], said: str
) -> None:
    """An entry whose columns name labels for a task without them, or none for one that needs them, is refused."""
    changes = {
        f"{DATASET}.task": task, f"{DATASET}.label_mode": mode,
        f"{DATASET}.source": {"loader": "table", "columns": columns},
    }  # fmt: skip
    with pytest.raises(ParamsError, match=said):
        load(_written(tmp_path, changes))


def test_the_shipped_params_load() -> None:
    """The repository's params.yaml is valid and holds SFR's window."""
    params = load(ROOT / "params.yaml")
    assert (params.filter.min_rank, params.filter.max_rank, params.filter.counted) == (30, 100, "without_positives")
    assert student_of(params) is params.students[params.student]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min": {}}, "unknown key 'min'; did you mean 'mine'?"),
        ({"mine.dept": 3}, "mine: unknown key 'dept'; did you mean 'depth'?"),
        ({f"{DATASET}.lisence": "x"}, f"{DATASET}: unknown key 'lisence'; did you mean 'licence'?"),
        ({f"{DATASET}.source.dev_shar": 1}, f"{DATASET}.source: unknown key 'dev_shar'; did you mean 'dev_share'?"),
        ({f"{DATASET}.source.loader": "python_env"}, f"{DATASET}.source: unknown loader 'python_env'; did you mean"),
        ({f"{DATASET}.source.loader": ...}, f"{DATASET}.source: lacks the key 'loader', one of: "),
        ({f"{DATASET}.source": "here"}, f"{DATASET}.source: lacks the key 'loader'"),
        ({f"{DATASET}.filter": {"min_rnak": 3}}, f"{DATASET}.filter: unknown key 'min_rnak'; did you mean 'min_rank'?"),
        ({"teacher": "bm52"}, "teacher: unknown teacher 'bm52'; did you mean 'bm25'?"),
        ({"student": "ofline"}, "student: unknown student 'ofline'; did you mean 'offline'?"),
        ({"teachers.bm25.kind": "bm52"}, "teachers.bm25: unknown kind 'bm52'; did you mean 'bm25'?"),
        ({"teachers.bm25.kind": ...}, "teachers.bm25: lacks the key 'kind'"),
        ({"teachers.bm25.k1": 0}, "teachers.bm25: k1: Input should be greater than 0"),
        ({"teachers.bm25-reference.method": "bm25l"}, "teachers.bm25-reference: method: rank-bm25's BM25L is another"),
        ({"students.offline.model.kind": "oflin"}, "students.offline.model: unknown kind 'oflin'; did you mean"),
        ({"students.offline.recipe.lora.rank": 3}, "students.offline.recipe.lora: unknown key 'rank'"),
    ],
)
def test_an_unknown_name_suggests_the_close_one(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    """A key, teacher, student, loader or kind that doesn't exist is named with its place and the close one."""
    assert said in _refusal(_written(tmp_path, changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mine.depth": "128"}, "mine.depth: Input should be a valid integer"),
        ({"mine.depth": True}, "mine.depth: Input should be a valid integer"),
        ({"mine.depth": 0}, "mine.depth: Input should be greater than or equal to 1"),
        ({"mine.depth": ...}, "mine.depth: is missing; write it"),
        ({f"{DATASET}.positive_at": float("nan")}, f"{DATASET}.positive_at: Input should be a finite number"),
        ({f"{DATASET}.weight": -1}, f"{DATASET}.weight: "),
        ({f"{DATASET}.filter": None}, f"{DATASET}.filter: None is no mapping; write {{}} for an empty one"),
        ({f"{DATASET}.instruction": ""}, f"{DATASET}.instruction: "),
        ({"datasets": {}}, "datasets: Dictionary should have at least 1 item"),
        ({"teachers": None}, "teachers: None is no mapping"),
        ({"filter.min_rank": 101}, "filter: min_rank 101 lies beyond max_rank 100"),
        ({"judge": "nobody"}, "judge: unknown judge 'nobody'"),
        ({"filter.near_copy_cosine": 0.9}, "filter.near_copy_cosine needs cosines; set mine.cosines to true"),
        ({"filter.max_score_percentile": 101.0}, "filter.max_score_percentile: Input should be less than or equal to"),
        ({"filter.counted": "rawest"}, "filter.counted: 'rawest' is none of 'without_positives' or 'raw'"),
        ({"materialize.min_negatives": 16}, "materialize: min_negatives 16 is more than num_negatives 15"),
        ({"students.offline.recipe.warmup_steps": 120}, "students.offline.recipe: warmup_steps 120 leave nothing"),
        ({"students.offline.recipe.num_negatives": 16}, "students.offline.recipe.num_negatives: draws 16 of 15 stored"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    """A value of another type or out of its range is refused and never changed into one that fits."""
    assert said in _refusal(_written(tmp_path, changes))


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    """The first three mistakes are told, the others counted."""
    content = {f"evaluate.{key}": "x" for key in ("bootstrap_samples", "confidence", "seed")}
    message = _refusal(_written(tmp_path, content | {"mine.depth": "x"}))
    assert message.count("; ") == 2
    assert message.endswith(" (and 1 more)")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mine.depth": 99}, f"{DATASET}: filter.max_rank 100 lies beyond mine.depth 99; raise mine.depth"),
        ({f"{DATASET}.filter": {"max_rank": 200}}, f"{DATASET}: filter.max_rank 200 lies beyond mine.depth 128"),
        ({"filter.min_rank": 95}, "the window 95-100 holds fewer ranks than materialize.min_negatives 7; widen it"),
        ({"filter.max_rank": None, "filter.min_rank": 123}, "the window 123-128 holds fewer ranks"),
        ({f"{DATASET}.filter": {"min_rank": 101}}, f"{DATASET}.filter: min_rank 101 lies beyond max_rank 100"),
    ],
)
def test_a_window_must_fit_depth_and_negatives(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    """A window beyond the mined depth, or too narrow for the fewest negatives, is refused before anything runs."""
    assert said in _refusal(_written(tmp_path, changes))


def test_a_window_may_be_as_wide_as_it_must(tmp_path: Path) -> None:
    """A window that ends at the depth and holds exactly the fewest negatives is accepted."""
    assert load(_written(tmp_path, {"mine.depth": 100, "filter.min_rank": 94})).filter.min_rank == 94


@pytest.mark.parametrize("negative_at", [1, 2])
def test_negatives_lie_below_positives(negative_at: int, tmp_path: Path) -> None:
    """No grade can be both a positive's and a judged negative's."""
    path = _written(tmp_path, {f"{DATASET}.negative_at": negative_at})
    assert f"{DATASET}: negative_at {negative_at}.0 must lie below positive_at 1.0" in _refusal(path)


@pytest.mark.parametrize(
    ("task", "mode", "wanted"),
    [
        ("retrieval", "label", "null"),
        ("sts", "example", "null"),
        ("classification", None, "label or example"),
        ("clustering", None, "label or example"),
    ],
)
def test_label_mode_is_for_label_tasks(task: str, mode: str | None, wanted: str, tmp_path: Path) -> None:
    """label_mode is set for classification and clustering, and null for every other task."""
    path = _written(tmp_path, {f"{DATASET}.task": task, f"{DATASET}.label_mode": mode})
    assert f"{DATASET}: label_mode must be {wanted} for task {task}" in _refusal(path)


def test_a_label_task_needs_no_window(tmp_path: Path) -> None:
    """The window of a label task isn't checked against depth, because it has none."""
    labelled = {f"{DATASET}.task": "clustering", f"{DATASET}.label_mode": "label"}
    load(_written(tmp_path, labelled | {f"{DATASET}.filter": {"min_rank": 1, "max_rank": 999}}))


@pytest.mark.parametrize("name", ["Docs", "my_docs", "a/b", "-a", "a-", "a--b", "ü", "x" * 65, "..", ""])
def test_names_are_lower_case_words_joined_by_hyphens(name: str, tmp_path: Path) -> None:
    """A dataset's name is a file name and a word of DVC's stage names, so it has no other characters."""
    content = YAML(typ="safe", pure=True).load(TEXT)["datasets"]
    path = _written(tmp_path, {"datasets": {name: content[FIRST]}})
    assert ": datasets" in _refusal(path)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("mine:\n", "mine: &anchor\n", "mine:\n"),
        ("teacher: bm25\n", "teacher: &t bm25\n", "teacher: bm25\n"),
        ("student: offline\n", "student: *s\n", "student: offline\n"),
    ],
)
def test_anchors_and_aliases_are_refused_with_their_line(old: str, new: str, line: str, tmp_path: Path) -> None:
    """DVC's -S silently changes nothing in a file with anchors, so there may be none."""
    (tmp_path / "params.yaml").write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    number = TEXT[: TEXT.index(line)].count("\n") + 1
    assert _refusal(tmp_path / "params.yaml").startswith(f":{number}: anchors and aliases are not allowed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT + "mine:\n  depth: 3\n", f":{TEXT.count(chr(10)) + 1}: not YAML 1.2: found duplicate key"),
        ("teacher: [\n", ":2: not YAML 1.2: "),
        ("teacher:\n\tx: 1\n", ":2: not YAML 1.2: "),
        ("", ": holds no sections"),
        ("- 1\n", ": holds no sections"),
    ],
)
def test_a_file_that_is_not_yaml_is_refused_with_the_line(text: str, said: str, tmp_path: Path) -> None:
    """Duplicate keys, broken syntax and a file without sections are refused in one line."""
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert _refusal(tmp_path / "params.yaml").startswith(said)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    """Without params.yaml the message says in which folder to run."""
    assert "run this in the folder that holds it" in _refusal(tmp_path / "params.yaml")


def test_no_is_a_string_and_1e_4_a_number(tmp_path: Path) -> None:
    """The file is YAML 1.2, as DVC reads it: `no` is a word, 1e-4 a float."""
    text = re.sub("learning_rate: .*", "learning_rate: 1e-4", TEXT).replace("licence: BSD-3-Clause", "licence: no", 1)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    params = load(tmp_path / "params.yaml")
    assert student_of(params).recipe.learning_rate == 1e-4
    assert next(iter(params.datasets.values())).licence == "no"


def test_no_is_no_boolean(tmp_path: Path) -> None:
    """`instruct_passages: no` is refused, because it's a string to DVC."""
    text = re.sub("instruct_passages: false", "instruct_passages: no", TEXT, count=1)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert "instruct_passages: Input should be a valid boolean" in _refusal(tmp_path / "params.yaml")


def test_params_are_frozen() -> None:
    """Nothing read from params.yaml can be changed afterwards."""
    params = load(ROOT / "params.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        params.filter.min_rank = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        params.teachers["bm25"].k1 = 1  # type: ignore[attr-defined]


def test_a_dataset_overrides_filter_keys(tmp_path: Path) -> None:
    """What a dataset's filter names replaces the section's value, null included; the rest stays."""
    override = {"min_rank": 10, "near_copy_jaccard": None}
    params = load(_written(tmp_path, {f"{DATASET}.filter": override}))
    assert params.filter_of(FIRST) == params.filter.model_copy(update=override)
    assert params.filter_of("code-search") == params.filter


@pytest.mark.parametrize("change", [{"packages": ["numpy"]}, {"dev_share": 0.5}, {"versions": "any"}])
def test_sources_of_one_corpus_share_their_split(change: dict[str, object], tmp_path: Path) -> None:
    """python-env datasets that disagree on packages, versions or dev_share are refused: one's dev would be trained."""
    changes = {f"datasets.code-search.source.{key}": value for key, value in change.items()}
    message = _refusal(_written(tmp_path, changes))
    assert f"datasets.code-search.source: packages, versions and dev_share must be those of {DATASET}" in message


def test_an_unknown_dataset_suggests_the_close_one() -> None:
    """A stage asked for a dataset that isn't there names the one that was meant."""
    with pytest.raises(ParamsError, match="unknown dataset 'see_also'; did you mean 'see-also'"):
        dataset_of(load(ROOT / "params.yaml"), "see_also")


def test_runtime_may_be_left_out(tmp_path: Path) -> None:
    """How a run is carried out changes no result, so only that section has defaults."""
    assert load(_written(tmp_path, {"runtime": ...})).runtime.device == "auto"


def test_registered_options_survive_a_dump() -> None:
    """The dumped section holds an entry's own options, which the manifest records."""
    assert tables.entry().model_dump()["source"] == {}
    dumped = load(ROOT / "params.yaml").model_dump(mode="json")
    assert dumped["teachers"]["bm25"]["kind"] == "bm25"
    assert dumped["datasets"][FIRST]["source"]["loader"] == "python-env"


def test_a_given_run_must_come_with_every_dataset(tmp_path: Path) -> None:
    """The teacher `given` has nothing for a dataset of another loader: it is said before anything runs."""
    with pytest.raises(
        ParamsError, match=rf"takes what a source brings, and {DATASET} is not read with the loader given"
    ):
        load(_written(tmp_path, {"teacher": "given"}))
