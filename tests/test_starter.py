"""What `embedder init` starts a project with: this repository's pipeline and parameters, less its code."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from embedder import layout, presets
from embedder.errors import ParamsError, SourceError
from embedder.loaders import LOADERS
from embedder.params.load import installed_version, load
from embedder.starter import entry, project
from tests import project as repository
from tests import starter


def yaml(text: str) -> dict[str, Any]:
    """Read YAML 1.2 as DVC does."""
    return dict(YAML(typ="safe", pure=True).load(text))


def params(first: dict[str, object], teacher: str = "bm25") -> str:
    """Write the parameters of a project of the installed version with one dataset."""
    return project.params(installed_version(), teacher, {"first": first})


def test_the_pipeline_is_this_repositorys_without_its_code() -> None:
    """starter/dvc.yaml is dvc.yaml less code deps, every stage tracking `version` instead."""
    wanted = starter.starter((repository.ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert project.starter("dvc.yaml") == wanted, "dvc.yaml has changed; run: python -m tests.starter"


def test_students_are_this_repositorys() -> None:
    """starter/params.yaml has the students and the section finetune of params.yaml, to the byte, and its teachers."""
    whole = (repository.ROOT / "params.yaml").read_text(encoding="utf-8")
    template = project.starter("params.yaml")
    assert template == starter.params(template, whole), "params.yaml has changed; run: python -m tests.starter"
    teachers = yaml(whole)["teachers"]
    started = yaml(params(entry.example("requirements.lock")))
    assert started["teachers"] == {name: one for name, one in teachers.items() if name != "bm25-reference"}
    assert started["students"] == yaml(whole)["students"]


def test_every_stage_has_data_to_depend_on_and_the_version() -> None:
    """No stage lost its last dep, without which DVC keeps no run cache, and none forgets the version."""
    whole = yaml((repository.ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    short = yaml(project.starter("dvc.yaml"))
    assert {key: value for key, value in short.items() if key != "stages"} == {
        key: value for key, value in whole.items() if key != "stages"
    }
    for name, stage in whole["stages"].items():
        before, after = stage.get("do", stage), short["stages"][name].get("do", short["stages"][name])
        data = [dep for dep in before["deps"] if not dep.startswith(("stages/", "embedder/"))]
        assert data
        assert after == before | {"deps": data, "params": ["version", *before["params"]]}


def test_the_parameters_are_this_repositorys() -> None:
    """Beside datasets, version and the reference of BM25, a project starts with the parameters of this repository."""
    short, whole = yaml(params(entry.example("x"))), yaml((repository.ROOT / "params.yaml").read_text(encoding="utf-8"))
    own = {"version", "datasets", "teachers"}
    assert {key: value for key, value in short.items() if key not in own} == {
        key: value for key, value in whole.items() if key not in own
    }
    assert short["teachers"] == {n: entry for n, entry in whole["teachers"].items() if n != "bm25-reference"}


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ('{"query": "q", "pos": ["p"], "neg": ["n"]}\n', "flag"),
        ('{"anchor": "q", "positive": "p"}\n', "n-tuples"),
        ("", "n-tuples"),
    ],
)
def test_the_form_of_given_negatives_is_told(tmp_path: Path, content: str, form: str) -> None:
    """JSONL with `pos` is FlagEmbedding's, all else n-tuples."""
    (tmp_path / "mined.jsonl").write_text(content)
    made = entry.own(tmp_path / "mined.jsonl", "mined.jsonl", "retrieval", "given")
    source = made["source"]
    assert isinstance(source, dict)
    assert source["form"] == form


def test_what_git_ignores_is_what_the_layout_names() -> None:
    """Every stage's folder, the cache and the models are ignored, and a user's own files in data/ are not."""
    folders = {layout.folder(stage) for stage in layout.STAGES} | {layout.CACHE, layout.MODELS}
    lines = {line for line in project.starter("gitignore").splitlines() if not line.startswith("#")}
    assert lines == {f"/{folder.as_posix()}/" for folder in folders} | {"/data/.*.tmp/", f"/{presets.BEFORE}*"}


@pytest.mark.parametrize("task", entry.INSTRUCTIONS)
@pytest.mark.parametrize("loader", entry.LOADERS)
def test_every_first_entry_is_valid(task: str, loader: str, tmp_path: Path) -> None:
    """Whatever loader and task are named, the parameters load, or the loader is said to read no labels."""
    (tmp_path / "faq.csv").touch()
    if task in entry.LABELLED and loader != "table":
        with pytest.raises(ParamsError, match=f"the loader {loader} reads no labels"):
            entry.own(tmp_path / "faq.csv", "faq.csv", task, loader)
        return
    first = entry.own(tmp_path / "faq.csv", "faq.csv", task, loader)
    (tmp_path / "params.yaml").write_text(params(first, "given" if loader == "given" else "bm25"), encoding="utf-8")
    loaded = load(tmp_path / "params.yaml").datasets["first"]
    assert (loaded.task, loaded.path, loaded.source.model_dump()["loader"]) == (task, "faq.csv", loader)
    assert loader in LOADERS


def test_hostile_paths_are_quoted() -> None:
    """A path that YAML or the template would read is written so that it comes back as it was."""
    for path in ("a: b#c", "$version", "yes", "- x", "'\"", "\u202eabc", "*a", "1.0", "x" * 300):
        first = entry.example(path)
        assert yaml(params(first))["datasets"]["first"]["path"] == path


@pytest.mark.parametrize(
    ("qrels", "source"),
    [
        (["train", "dev", "test"], {"splits": {"train": "train", "dev": "dev"}, "dev_share": None}),
        (["train", "test"], {"splits": {"train": "train", "dev": "test"}, "dev_share": None}),
        (["test"], {"splits": {"train": "test"}, "dev_share": 0.2}),
        (["train"], {"splits": {"train": "train"}, "dev_share": 0.2}),
        (["de", "dev"], {"splits": {"train": "de", "dev": "dev"}, "dev_share": None}),
        ([], {"splits": {"train": "train"}, "dev_share": 0.2}),
    ],
)
def test_a_beir_folders_splits(qrels: list[str], source: dict[str, object], tmp_path: Path) -> None:
    """The qrels that are there say what trains and what evaluates; of one file a share evaluates."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").touch()
    for name in qrels:
        (tmp_path / "qrels" / f"{name}.tsv").touch()
    assert entry.own(tmp_path, "sets/x", "retrieval", None)["source"] == {"loader": "beir", **source}


def test_a_wrong_first_entry_is_refused(tmp_path: Path) -> None:
    """A task or loader that there is not is named with the close one, and so is a path without anything."""
    (tmp_path / "corpus.jsonl").touch()
    with pytest.raises(ParamsError, match="did you mean 'retrieval'"):
        entry.own(tmp_path, "x", "retreival", None)
    with pytest.raises(ParamsError, match="did you mean 'table'"):
        entry.own(tmp_path, "x", "sts", "tabel")
    with pytest.raises(SourceError, match=r"holds no corpus\.jsonl"):
        entry.own(tmp_path.parent, "x", "retrieval", None)
    with pytest.raises(SourceError, match="no such file or folder"):
        entry.own(tmp_path / "x", "x", "sts", None)


@pytest.mark.parametrize(
    ("file", "name", "made"),
    [
        ("FAQ (2024).csv.gz", None, "faq-2024"),
        ("x.csv", "my-set", "my-set"),
        ("\u65e5\u672c.csv", None, None),
        ("x.csv", "My Set", None),
        ("x.csv", "", None),
        (f"{'a' * 65}.csv", None, None),
    ],
)
def test_a_datasets_name(file: str, name: str | None, made: str | None) -> None:
    """A dataset is called by its file unless it is named; what params.yaml could not hold is refused."""
    if made is not None:
        assert entry.name_of(Path(file), name) == made
        return
    with pytest.raises(ParamsError, match="--name"):
        entry.name_of(Path(file), name)


def test_the_lock_pins_what_is_installed() -> None:
    """The lock holds the packages that embedder needs, sorted, in their installed versions, and not embedder."""
    from importlib.metadata import version

    lines = project.lock("embedder").splitlines()
    assert lines[0].startswith("# ")
    names = [line.partition("==")[0] for line in lines[1:]]
    assert names == sorted(set(names))
    assert f"numpy=={version('numpy').partition('+')[0]}" in lines
    assert not any(line.startswith("embedder==") for line in lines)


def test_another_version_is_refused(tmp_path: Path) -> None:
    """Parameters of another version are refused in one line that names both."""
    text = project.params("0.0.7", "bm25", {"first": entry.example("x")})
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(
        ParamsError, match=f"version: made with embedder 0.0.7, but {installed_version()} is installed; set it"
    ):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("header", "source"),
    [
        ("question,answer", {"loader": "table", "columns": {"query": "question", "positive": "answer"}}),
        ("a,b", {"loader": "table", "columns": {"query": "query", "positive": "positive"}}),
        ("anchor,positive,negative_1", {"loader": "given", "form": "n-tuples"}),
    ],
)
def test_columns_are_recognised(header: str, source: dict[str, object], tmp_path: Path) -> None:
    """The first entry names the columns that the file has, where their names tell; mined negatives are given."""
    (tmp_path / "faq.csv").write_text(f"{header}\nx,y,z\n")
    first = entry.own(tmp_path / "faq.csv", "faq.csv", "retrieval", None)
    assert first["source"] == source | {"dev_share": 0.2}
