"""Facts about finding installed packages."""

import sys
from pathlib import Path

import pytest

from embedder.errors import SourceError
from embedder.loaders.python_env.packages import installed, pins
from embedder.loaders.python_env.parse import parse_package
from tests.loaders.made_up import install


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install `tiny-things 1.0`, imported as `tinythings`, and return a lock file that pins it."""
    site = tmp_path / "site"
    install(site, "tinythings", {"__init__.py": "raise RuntimeError"}, distribution="tiny-things")
    monkeypatch.syspath_prepend(str(site))
    path = tmp_path / "requirements.lock"
    path.write_text("# made by a tool\ntiny_Things==1.0 ; python_version >= '3'\nother[extra]==2.0\n")
    return path


def test_a_package_is_found_and_not_imported(lock: Path) -> None:
    """A distribution's import name, version and folder come from its metadata; its code does not run."""
    (package,) = installed(["tiny-things"], lock, "locked")
    assert (package.distribution, package.name, package.version) == ("tiny-things", "tinythings", "1.0")
    assert package.root == lock.parent / "site" / "tinythings"
    assert "tinythings" not in sys.modules


def test_another_version_is_refused_in_one_line(lock: Path) -> None:
    """A version other than the locked one is refused with package, both versions and what to do."""
    lock.write_text("tiny-things==2.5\n")
    with pytest.raises(SourceError) as error:
        installed(["tiny-things"], lock, "locked")
    message = str(error.value)
    assert "\n" not in message
    for part in ("tiny-things 1.0", "pins 2.5", "pip install tiny-things==2.5", "versions: any"):
        assert part in message


def test_any_version_is_accepted_on_demand(lock: Path) -> None:
    """With versions: any the lock file is not even read."""
    (package,) = installed(["tiny-things"], lock.with_name("missing"), "any")
    assert package.version == "1.0"


def test_one_of_several_pinned_versions_is_enough(lock: Path) -> None:
    """Where markers pin several versions, the installed one may be any of them."""
    lock.write_text("tiny-things==0.9 ; python_version < '3.12'\ntiny-things==1.0 ; python_version >= '3.12'\n")
    assert installed(["tiny-things"], lock, "locked")[0].version == "1.0"


def test_names_of_a_lock_are_compared_as_pep_503_says(lock: Path) -> None:
    """Case, dots and underscores of a name do not matter, markers are cut off, comments pin nothing."""
    lock.write_text("# made==1\nRuamel.YAML==0.18 ; python_version > '3'\nnumpy==2.1 ; a\nnumpy==2.2\n  # via x==3\n")
    assert pins(lock) == {"ruamel-yaml": {"0.18"}, "numpy": {"2.1", "2.2"}}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no-such-package", "", "pip install no-such-package"),
        ("tiny-things", "other==1.0", "add tiny-things==1.0 to it"),
        ("tiny-things", None, "cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_refused(lock: Path, name: str, content: str | None, said: str) -> None:
    """A missing package, one that is not pinned, and a missing lock file are refused with what to do."""
    lock.unlink()
    if content is not None:
        lock.write_text(content)
    with pytest.raises(SourceError, match=said):
        installed([name], lock, "locked")


def test_a_distribution_without_packages_is_refused(lock: Path) -> None:
    """A distribution that ships no package is refused rather than read as empty."""
    (lock.parent / "site" / "tiny_things-1.0.dist-info" / "RECORD").write_text("tinythings.py,,\n")
    with pytest.raises(SourceError, match="ships no Python package"):
        installed(["tiny-things"], lock, "locked")


def test_the_default_packages_are_found() -> None:
    """scikit-learn is imported as sklearn, the other default packages by their own names."""
    names = ["numpy", "scipy", "scikit-learn", "pandas", "networkx"]
    found = installed(names, Path("missing"), "any")
    assert [package.name for package in found] == ["numpy", "scipy", "sklearn", "pandas", "networkx"]
    assert all((package.root / "__init__.py").is_file() for package in found)


def test_the_standard_library_is_a_package_of_any_version(lock: Path) -> None:
    """`stdlib` is Python's own modules and packages, refused where versions must be locked."""
    found = {package.name: package for package in installed(["stdlib", "tiny-things"], lock, "any")}
    assert {"argparse", "json", "tinythings"} <= set(found)
    assert not {"test", "idlelib", "site-packages"} & set(found)
    assert parse_package(found["argparse"]).definitions
    with pytest.raises(SourceError, match="set versions: any"):
        installed(["stdlib"], lock, "locked")
