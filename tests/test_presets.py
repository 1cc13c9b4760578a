"""Presets: whole parameter files that are valid, pinned, and differ from params.yaml in what they say they do."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from embedder import layout, loaders, presets
from embedder.cli.resolved import resolved
from embedder.errors import ParamsError
from embedder.loaders import hub
from embedder.params.load import installed_version, load, parse
from embedder.params.models import Dataset, Params
from tests import presets as shared
from tests import project

ROOT = project.ROOT
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
NAMES = presets.names()
COMMIT = re.compile(r"[0-9a-f]{40}")


@pytest.fixture(scope="module", name="loaded")
def _loaded() -> dict[str, Params]:
    return {name: presets.preset(name).params() for name in NAMES}


@pytest.fixture(name="here")
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this repository's params.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return tmp_path


def dumped(params: Params) -> dict[str, Any]:
    """Return the content of parameters."""
    return params.model_dump(mode="json")


def test_there_is_a_preset_for_each_recipe() -> None:
    """The seed's recipe, E5's, one for a single GPU and one for a laptop."""
    assert NAMES == sorted(shared.OWN) == ["bge-base", "e5", "laptop", "sfr"]


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_params_yaml_but_for_its_own_sections(name: str) -> None:
    """Shared sections are copied to the byte: run `python -m tests.presets` after a change of params.yaml."""
    text = presets.preset(name).text
    assert text == shared.synced(name, text, PARAMS)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_valid_as_a_whole(name: str, loaded: dict[str, Params]) -> None:
    """It loads with all cross checks, and every dataset's resolved view can be shown."""
    assert list(loaded[name].datasets)
    assert all(dataset in resolved(loaded[name]) for dataset in loaded[name].datasets)


def test_the_laptop_is_what_ships(loaded: dict[str, Params]) -> None:
    """The preset laptop holds what params.yaml holds, so that it leads back from any other."""
    assert dumped(loaded["laptop"]) == dumped(parse(PARAMS))


def test_the_sfr_preset_mines_with_bge_base_in_the_seeds_window_and_tunes_e5_mistral(
    loaded: dict[str, Params],
) -> None:
    """SFR-Embedding-Mistral: BGE-base mines, ranks 30 to 100 are kept, E5-mistral is tuned on five kinds of tasks."""
    params = loaded["sfr"]
    assert (params.teacher, params.student) == ("bge-base", "e5-mistral")
    assert (params.filter.min_rank, params.filter.max_rank) == (30, 100)
    assert {entry.task for entry in params.datasets.values()} == {"retrieval", "reranking", "sts", "classification"}


def test_the_e5_preset_mines_the_best_hundred_and_weighs_as_the_paper_samples(loaded: dict[str, Params]) -> None:
    """E5-mistral: multilingual E5-base mines the best 100; ELI5 counts a tenth, MS MARCO and T2Ranking a half."""
    params = loaded["e5"]
    assert (params.teacher, params.student) == ("me5-base", "mistral-7b")
    assert (params.filter.min_rank, params.filter.max_rank) == (None, 100)
    weights = {name: entry.weight for name, entry in params.datasets.items() if entry.weight != 1}
    assert weights == {"eli5": 0.1, "msmarco": 0.5, "t2ranking": 0.5}
    assert params.students["mistral-7b"].recipe.size_exponent == 1


def _hub(params: Params) -> dict[str, Dataset]:
    return {name: one for name, one in params.datasets.items() if one.source.model_dump()["loader"] != "python-env"}


@pytest.mark.parametrize("name", ["bge-base", "e5", "sfr"])
def test_sources_are_pinned_and_train_on_train_splits_alone(name: str, loaded: dict[str, Params]) -> None:
    """Every source has a commit of 40 hex, and reads train splits only; dev is a share of those."""
    for entry in _hub(loaded[name]).values():
        source = entry.source
        said = source.model_dump()
        assert COMMIT.fullmatch(said["revision"])
        if isinstance(source, hub.Options) and source.parts:
            assert {split: part.split for split, part in source.parts.qrels.items()} == {"train": "train"}
            assert (source.parts.corpus.config, source.parts.queries.config) == ("corpus", "queries")
        else:
            assert said["splits"] == {"train": "train"}


@pytest.mark.parametrize("name", ["bge-base", "e5", "sfr"])
def test_sources_say_licence_and_instruction(name: str, loaded: dict[str, Params]) -> None:
    """An entry names its licence or that nobody states one, reads a file that is there, and only sts instructs both."""
    for entry in _hub(loaded[name]).values():
        assert len(entry.licence) > 2
        assert (ROOT / entry.path).is_file()
        assert entry.instruct_passages == (entry.task == "sts")
        assert (entry.positive_at, entry.negative_at) == ((4, 1) if entry.task == "sts" else (1, 0))
        assert entry.weight > 0


def test_mteb_tasks_of_presets_are_those_that_mteb_pins(loaded: dict[str, Params]) -> None:
    """The task exists in the installed mteb, is of the entry's type, its data at the entry's commit: the loader opens it."""
    mteb = pytest.importorskip("mteb")
    types = {"classification": "Classification", "sts": "STS"}
    checked = 0
    for params in loaded.values():
        for entry in params.datasets.values():
            source = entry.source.model_dump()
            if source["loader"] == "mteb":
                assert mteb.get_task(source["name"]).metadata.type == types[entry.task]
                assert loaders.load(entry.source, Path(entry.path)).facts["revision"] == source["revision"]
                checked += 1
    assert checked == 6


def test_mteb_repositories_of_presets_are_those_that_mteb_pins(loaded: dict[str, Params]) -> None:
    """Retrieval sets read with the loader hub from MTEB's own repositories are at the commit that mteb pins."""
    mteb = pytest.importorskip("mteb")
    tasks = ("MSMARCO", "FiQA2018", "SciFact", "NFCorpus", "FEVER", "HotpotQA", "AmazonReviewsClassification")
    pinned = {one["path"]: one["revision"] for one in (mteb.get_task(task).metadata.dataset for task in tasks)}
    found = {
        source["name"]: source["revision"]
        for params in loaded.values()
        for source in (entry.source.model_dump() for entry in params.datasets.values())
        if source["loader"] == "hub" and source["name"] in pinned
    }
    assert found == pinned


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_it_is(name: str) -> None:
    """The first line is a sentence for the list, and the notes follow."""
    found = presets.preset(name)
    assert 20 < len(found.about) < 120
    assert found.notes
    assert not found.about.startswith("#")


def test_presets_are_shipped() -> None:
    """The wheel has every preset, as the folder beside the package that they are read from."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert "presets" in setuptools["packages"]["find"]["include"]
    assert {path.name for glob in setuptools["package-data"]["presets"] for path in presets.FOLDER.glob(glob)} == {
        f"{name}.yaml" for name in NAMES
    }
    assert presets.FOLDER == ROOT / "presets"


def test_a_preset_takes_the_place_of_what_embedder_brought(here: Path) -> None:
    """params.yaml as it ships is kept as params.yaml.before; from preset to preset there is nothing to keep, and back."""
    assert presets.use(presets.preset("bge-base"), force=False) == [presets.BEFORE, layout.PARAMS]
    assert load().student == "bge-base"
    assert (here / "params.yaml.before").read_text() == PARAMS
    assert presets.use(presets.preset("bge-base"), force=False) == []
    assert presets.use(presets.preset("laptop"), force=False) == [layout.PARAMS]
    assert dumped(load()) == dumped(parse(PARAMS))
    assert (here / "params.yaml.before").read_text() == PARAMS


def test_the_shipped_parameters_are_a_preset_already(here: Path) -> None:
    """Using laptop on a fresh clone writes nothing, so that nothing looks changed."""
    assert presets.use(presets.preset("laptop"), force=False) == []
    assert [path.name for path in here.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("change", [("max_rank: 100", "max_rank: 90"), ("teacher: bm25\n", "teacher: nobody\n")])
def test_a_users_settings_stay_unless_forced(here: Path, change: tuple[str, str]) -> None:
    """Changed settings, broken ones too, are refused in one line and nothing is written; forced, they are kept beside."""
    own = PARAMS.replace(*change)
    (here / "params.yaml").write_text(own, encoding="utf-8")
    with pytest.raises(ParamsError, match=r"holds settings of yours.*--force.*params\.yaml\.before"):
        presets.use(presets.preset("sfr"), force=False)
    assert [path.name for path in here.iterdir()] == ["params.yaml"]
    assert presets.use(presets.preset("sfr"), force=True) == [presets.BEFORE, layout.PARAMS]
    assert (here / "params.yaml.before").read_text() == own
    assert load().student == "e5-mistral"


def test_kept_settings_are_never_overwritten(here: Path) -> None:
    """A second text of the user's is kept under another name than the first; the same text is kept once."""
    first, second = PARAMS.replace("depth: 128", "depth: 100"), PARAMS.replace("depth: 128", "depth: 90")
    for own in (first, second, first):
        (here / "params.yaml").write_text(own, encoding="utf-8")
        presets.use(presets.preset("sfr"), force=True)
    assert (here / "params.yaml.before").read_text() == first
    assert (here / "params.yaml.before.2").read_text() == second
    assert len(list(here.iterdir())) == 3


def test_the_version_of_the_package_stays(here: Path) -> None:
    """A project that tracks the installed version still does with a preset, and is known as one then."""
    (here / "params.yaml").write_text(f'version: "{installed_version()}"\n{PARAMS}', encoding="utf-8")
    presets.use(presets.preset("bge-base"), force=False)
    assert load().version == installed_version()
    assert presets.use(presets.preset("bge-base"), force=False) == []
    assert presets.use(presets.preset("laptop"), force=False) == [layout.PARAMS]
    assert load().version == installed_version()


def test_a_folder_without_parameters_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset is put in the place of a params.yaml, so one must be there; an unknown preset suggests the close one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=r"params\.yaml: cannot be read"):
        presets.use(presets.preset("sfr"), force=True)
    with pytest.raises(ParamsError, match="did you mean 'laptop'"):
        presets.preset("labtop")
