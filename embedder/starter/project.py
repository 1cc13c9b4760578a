"""Writing a project into a git repository: every file or none, and nothing that was there is lost."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from string import Template
from textwrap import indent

from embedder import layout
from embedder.errors import ParamsError
from embedder.loaders.python_env.packages import canonical

_DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n"


def starter(name: str) -> str:
    """The text of one of the files beside this module."""
    return template(name).read_text(encoding="utf-8")


def template(name: str) -> Path:
    """Where the text of `name` lies: not under its own name, because DVC reads every dvc.yaml that it finds."""
    return Path(str(files("embedder.starter").joinpath(name.replace(".yaml", ".template.yaml"))))


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no git repository, or that has a pipeline or parameters already.

    Raises:
        ParamsError: it says which.
    """
    if not folder.is_dir():
        raise ParamsError(f"{folder}: no such folder; make it, then git init in it")
    if _git_root(folder) is None:
        raise ParamsError(f"{folder.resolve()}: is in no git repository, which DVC needs; git init first")
    for name in (layout.PIPELINE.name, layout.PARAMS.name):
        if (folder / name).exists():
            raise ParamsError(
                f"{folder / name}: is there already and stays as it is; nothing was written; more datasets are "
                f"entries under datasets: in {layout.PARAMS}"
            )


def create(folder: Path, version: str, teacher: str, datasets: Mapping[str, object]) -> list[str]:
    """Write the files of a project and initialise DVC.

    Args:
        folder: one that `check_folder` lets through.
        version: the installed version of embedder.
        teacher: the one that is used.
        datasets: the section of params.yaml.

    Returns:
        What was made, to be read by a person.

    Raises:
        ParamsError: DVC cannot be initialised; nothing was written.
    """
    texts = {
        layout.PIPELINE.name: starter(layout.PIPELINE.name),
        layout.PARAMS.name: params(version, teacher, datasets),
        ".gitignore": _with_lines(folder / ".gitignore", starter("gitignore")),
        ".dvcignore": _with_lines(folder / ".dvcignore", starter("dvcignore")),
        f"{layout.LABELS}/README.md": starter("labels.md"),
    }
    if not (folder / layout.LOCK).exists():
        texts[layout.LOCK.name] = lock("embedder")
    changed = {name: text for name, text in texts.items() if _read(folder / name) != text}
    with _all_or_nothing([folder / name for name in changed]):
        made = [f"{'changed' if (folder / name).exists() else 'wrote'} {name}" for name in sorted(changed)]
        for name, text in changed.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        if not (folder / ".dvc").is_dir():
            _dvc_init(folder)
            made.append("initialised DVC in .dvc")
    return made


def params(version: str, teacher: str, datasets: Mapping[str, object]) -> str:
    """The text of params.yaml: block style, without anchors."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    text = io.StringIO()
    yaml.dump(dict(datasets), text)
    entries = indent(text.getvalue(), "  ")
    return Template(starter(layout.PARAMS.name)).substitute(version=version, teacher=teacher, datasets=entries)


def lock(root: str) -> str:
    """The installed version of every distribution that `root` needs, itself not: params.yaml has its version."""
    found: dict[str, str] = {}
    waiting = [root]
    while waiting:
        name = canonical(waiting.pop())
        try:
            here = None if name in found else distribution(name)
        except PackageNotFoundError:
            # Of another platform, or of an extra that is not installed.
            continue
        if here is not None:
            found[name] = here.version.partition("+")[0]
            waiting += re.findall(r"^[\w.-]+", "\n".join(here.requires or ()), re.MULTILINE)
    pins = "".join(f"{name}=={version}\n" for name, version in sorted(found.items()) if name != root)
    return f"# What {root} needs, in the versions that were installed when this project was made.\n{pins}"


def _with_lines(path: Path, wanted: str) -> str:
    """The text of a file, if there is one, and those of the wanted lines that it lacks."""
    text = _read(path)
    missing = [line for line in wanted.splitlines() if line not in text.splitlines()]
    gap = "\n" if text and not text.endswith("\n") else ""
    return text + gap + "".join(f"{line}\n" for line in missing)


def _read(path: Path) -> str:
    """The text of a file, empty without one; whatever its encoding and line ends, written back it is the same."""
    return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""


@contextmanager
def _all_or_nothing(paths: Iterable[Path]) -> Iterator[None]:
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise


def _dvc_init(folder: Path) -> None:
    below = ["--subdir"] if _git_root(folder) != folder.resolve() else []
    done = subprocess.run(  # noqa: S603 - DVC of this environment, no shell
        [sys.executable, "-m", "dvc", "init", "--quiet", *below],
        cwd=folder,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ParamsError(f"{folder}: dvc init failed, so nothing was written: {done.stderr.strip()}")
    (folder / ".dvc" / "config").write_text(_DVC_CONFIG, encoding="utf-8")


def _git_root(folder: Path) -> Path | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"],  # noqa: S607 - git of PATH, no shell
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ParamsError("git is not installed, and DVC needs it; install git") from error
    return Path(done.stdout.rstrip("\n")).resolve() if done.returncode == 0 else None
