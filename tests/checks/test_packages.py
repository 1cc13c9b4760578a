"""Whether what is installed is what the project was made with."""

import sys
from pathlib import Path
from typing import Any

import pytest

from embedder.checks import packages
from embedder.errors import SourceError
from embedder.params.load import load
from tests import project

TABLE = {"query": "question", "positive": "answer"}


@pytest.fixture(name="params")
def _params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters of a project in the working directory whose package is installed as its lock pins it."""
    project.make_package(tmp_path / "site", functions=1)
    (tmp_path / "requirements.lock").write_text(f"{project.PACKAGE}==1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    return project.tiny_params()


def test_an_old_python_is_an_error() -> None:
    """Python 3.11 is the oldest that will do."""
    assert packages.python((3, 11, 0)).level == "ok"
    old = packages.python((3, 10, 14))
    assert (old.level, old.found) == ("error", "3.10.14 is older than 3.11")


def test_installed_versions_lack_their_local_part() -> None:
    """A build of torch for CPUs is 2.13.0+cpu and still what `torch==2.13.0` pins."""
    versions = packages.installed_versions()
    assert "numpy" in versions
    assert not any("+" in version for version in versions.values())


def test_other_versions_are_a_warning() -> None:
    """A difference is named with both versions; what is not installed, or not pinned, is no difference."""
    pinned = {"a": {"1"}, "b": {"2", "3"}, "absent": {"4"}}
    assert packages.packages({"a": "1", "b": "3", "free": "9"}, pinned, "do").level == "ok"
    other = packages.packages({"a": "1.1", "b": "4"}, pinned, "do this")
    assert (other.level, other.found) == (
        "warning",
        "not as requirements.lock pins them: a 1.1 instead of 1, b 4 instead of 2 or 3",
    )
    assert other.advice == "do this"


def test_what_installs_the_lock() -> None:
    """A project installs its lock; embedder's own, of every platform and extra, only constrains."""
    assert packages.install("0.1.0") == "pip install -r requirements.lock"
    assert packages.install(None) == "pip install -e '.[cpu,dev]' -c requirements.lock"


def test_no_lock_is_a_warning() -> None:
    """Without a lock file nothing is pinned, which is said."""
    assert packages.packages({"a": "1"}, {}, "do").level == "warning"


def test_two_faiss_packages_are_an_error() -> None:
    """faiss-cpu and faiss-gpu overwrite each other's files, so having both is an error that names them."""
    both = packages.faiss(["numpy", "faiss-gpu", "faiss-cpu"])
    assert (both.level, both.found) == ("error", "faiss-cpu and faiss-gpu are both the module faiss")
    assert packages.faiss(["faiss-cpu"]).level == "ok"


def test_faiss_that_cannot_be_imported_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without faiss the check says how to install it."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    found = packages.faiss([])
    assert found.level == "error"
    assert "faiss-cpu" in found.advice


def check_sources(params: dict[str, Any]) -> tuple[str, str]:
    """Write params.yaml and return level and finding of the check of its sources."""
    project.write_params(Path(), params)
    found = packages.sources(load())
    return found.level, found.found


def test_sources_that_are_there_are_well(params: dict[str, Any]) -> None:
    """A dataset whose packages are installed as the lock pins them is ready."""
    assert check_sources(params) == ("ok", "those of 2 datasets are here")


def test_another_version_of_a_corpus_is_an_error(params: dict[str, Any]) -> None:
    """Where `versions: locked` names a package of another version, its datasets are named once."""
    Path("requirements.lock").write_text(f"{project.PACKAGE}==2.0\n")
    level, found = check_sources(params)
    assert level == "error"
    assert found.startswith(f"python-env: {project.PACKAGE} 1.0 is installed but requirements.lock pins 2.0")
    assert found.endswith("(datasets docs, code)")


def test_any_version_will_do_where_it_says_so(params: dict[str, Any]) -> None:
    """With `versions: any` another version is no error."""
    Path("requirements.lock").write_text(f"{project.PACKAGE}==2.0\n")
    for entry in params["datasets"].values():
        entry["source"]["versions"] = "any"
    assert check_sources(params)[0] == "ok"


def test_a_missing_source_is_an_error(params: dict[str, Any]) -> None:
    """A path that is not there is named with its dataset."""
    params["datasets"]["docs"]["path"] = "nowhere.csv"
    assert check_sources(params) == ("error", "there is no nowhere.csv (datasets docs)")


def test_a_source_of_another_loader_needs_its_path(params: dict[str, Any]) -> None:
    """Of a table or a BEIR folder only the path is asked for: reading it is ingest's work."""
    params["datasets"]["docs"] |= {"path": "faq.csv", "source": {"loader": "table", "columns": TABLE}}
    assert check_sources(params) == ("error", "there is no faq.csv (datasets docs)")
    Path("faq.csv").touch()
    assert check_sources(params) == ("ok", "those of 2 datasets are here")


def test_mteb_needs_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A task of mteb needs the extra, which is said without a network."""
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match="extra mteb"):
        packages._check_source(tmp_path, {"loader": "mteb"})
    packages._check_source(tmp_path, {"loader": "hub"})
    monkeypatch.setattr(packages, "find_spec", lambda _: object())
    packages._check_source(tmp_path, {"loader": "mteb"})
