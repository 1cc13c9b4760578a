"""Whether what is installed is what the project was made with."""

from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from embedder import layout
from embedder.checks.check import Check, some
from embedder.errors import SourceError
from embedder.loaders.python_env.packages import canonical
from embedder.params.models import Params

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


def install(version: str | None) -> str:
    """The command that installs what the lock pins, in a project made for `version` or in embedder's own repository.

    The latter's lock is of every platform and extra, so it only constrains.
    """
    return f"pip install -r {layout.LOCK}" if version else f"pip install -e '.[cpu,dev]' -c {layout.LOCK}"


def packages(versions: Mapping[str, str], pinned: Mapping[str, set[str]], advice: str) -> Check:
    """Whether what is installed is what the lock file pins; what is missing may be for other machines."""
    if not pinned:
        none = f"results can differ from machine to machine; pip freeze > {layout.LOCK} makes one"
        return Check("packages", "warning", f"there is no {layout.LOCK}", none)
    here = {name: wanted for name, wanted in sorted(pinned.items()) if name in versions}
    other = [
        f"{name} {versions[name]} instead of {' or '.join(sorted(wanted))}"
        for name, wanted in here.items()
        if versions[name] not in wanted
    ]
    if other:
        return Check("packages", "warning", f"not as {layout.LOCK} pins them: {some(other)}", advice)
    return Check("packages", "ok", f"{len(here)} as {layout.LOCK} pins them")


def sources(params: Params) -> Check:
    """Whether every dataset's source is there, as far as that can be seen offline and without reading it."""
    wrong: dict[str, list[str]] = {}
    for name, entry in params.datasets.items():
        try:
            _check_source(Path(entry.path), entry.source.model_dump())
        except SourceError as error:
            wrong.setdefault(str(error), []).append(name)
    if wrong:
        found = [f"{problem} (datasets {some(names)})" for problem, names in wrong.items()]
        advice = f"{install(params.version)}, or correct the datasets in {layout.PARAMS}"
        return Check("sources", "error", some(found, "; "), advice)
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
        return Check("faiss", "error", f"cannot be imported: {error}", "pip install faiss-cpu, or faiss-gpu for a GPU")
    return Check("faiss", "ok", f"{' '.join(names)} {library.__version__}".strip())


def _check_source(path: Path, source: Mapping[str, object]) -> None:
    """Say what of a source can be seen to be missing without reading it, and without a network.

    Raises:
        SourceError: its file or folder, one of its packages, or the library that fetches it.
    """
    if not path.exists():
        raise SourceError(f"there is no {path}")
    match source.get("loader"):
        case "python-env":
            from embedder.loaders.python_env import Options
            from embedder.loaders.python_env.packages import installed

            options = Options.model_validate(source)
            installed(options.packages, path, options.versions)
        case "mteb" if find_spec("mteb") is None:
            raise SourceError("the library mteb is not installed; install embedder with the extra mteb")
