"""Whether what is installed is what the project was made with."""

from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from embedder.checks.check import Check, some
from embedder.errors import SourceError
from embedder.loaders.python_env.packages import canonical
from embedder.params.models import Params

LOCK = Path("requirements.lock")
_INSTALL = f"pip install -e '.[cpu,dev]' -c {LOCK}"
_OLDEST_PYTHON = (3, 11)


def python(version: tuple[int, ...]) -> Check:
    """Whether this Python is new enough."""
    found = ".".join(map(str, version))
    if version < _OLDEST_PYTHON:
        return Check("Python", "error", f"{found} is older than 3.11", "make install PYTHON=python3.11")
    return Check("Python", "ok", found)


def installed_versions() -> dict[str, str]:
    """The version of each installed distribution, without its local part, as torch's `+cpu`."""
    found = [(dist.metadata["Name"], dist.version) for dist in distributions()]
    return {canonical(name): version.partition("+")[0] for name, version in found if name}


def packages(versions: Mapping[str, str], pinned: Mapping[str, set[str]]) -> Check:
    """Whether what is installed is what the lock file pins; what is missing may be for other machines."""
    if not pinned:
        advice = "results can differ from machine to machine; uv pip compile --universal pyproject.toml makes one"
        return Check("packages", "warning", f"there is no {LOCK}", advice)
    here = {name: wanted for name, wanted in sorted(pinned.items()) if name in versions}
    other = [
        f"{name} {versions[name]} instead of {' or '.join(sorted(wanted))}"
        for name, wanted in here.items()
        if versions[name] not in wanted
    ]
    if other:
        return Check("packages", "warning", f"not as {LOCK} pins them: {some(other)}", _INSTALL)
    return Check("packages", "ok", f"{len(here)} as {LOCK} pins them")


def sources(params: Params) -> Check:
    """Whether every dataset's source is there; a corpus made of packages needs them in the versions it names."""
    wrong: dict[str, list[str]] = {}
    for name, entry in params.datasets.items():
        try:
            _check_source(Path(entry.path), entry.source.model_dump())
        except SourceError as error:
            wrong.setdefault(str(error), []).append(name)
    if wrong:
        found = [f"{problem} (datasets {some(names)})" for problem, names in wrong.items()]
        return Check("sources", "error", some(found, "; "), f"{_INSTALL}, or correct the datasets in params.yaml")
    return Check("sources", "ok", f"those of {len(params.datasets)} datasets are here")


def faiss(versions: Iterable[str]) -> Check:
    """Whether faiss can be imported, and from one distribution: two overwrite each other's files."""
    names = sorted(name for name in versions if name.startswith("faiss-"))
    if len(names) > 1:
        advice = f"pip uninstall -y {' '.join(names)}, then install the extra cpu or the extra gpu"
        return Check("faiss", "error", f"{' and '.join(names)} are both the module faiss", advice)
    try:
        import faiss as library
    except ImportError as error:
        return Check("faiss", "error", f"cannot be imported: {error}", _INSTALL)
    return Check("faiss", "ok", f"{' '.join(names)} {library.__version__}".strip())


def _check_source(path: Path, source: Mapping[str, object]) -> None:
    from embedder.loaders.python_env import Options
    from embedder.loaders.python_env.packages import installed

    if not path.exists():
        raise SourceError(f"there is no {path}")
    if source.get("loader") == "python-env":
        options = Options.model_validate(source)
        installed(options.packages, path, options.versions)
