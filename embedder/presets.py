"""Complete parameter files to start from: listed, read, and put in the place of params.yaml where nothing is lost."""

import re
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from embedder import files, layout
from embedder.errors import ParamsError, unknown
from embedder.params.load import installed_version, parse, read
from embedder.params.models import Params

# In the repository it lies beside the package, and in an installed wheel too.
FOLDER = Path(__file__).resolve().parents[1] / "presets"
BEFORE = layout.PARAMS.with_name(f"{layout.PARAMS.name}.before")

_VERSION = re.compile(r"^version:.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Preset:
    """A parameter file that ships with embedder.

    Attributes:
        name: of its file.
        about: its first line.
        notes: the lines after it that say what it holds, what it leaves out and what it needs.
        text: all of it.
    """

    name: str
    about: str
    notes: str
    text: str

    def params(self) -> Params:
        """Its content, checked.

        Raises:
            ParamsError: it is no valid parameter file, which is a fault of embedder's.
        """
        return parse(self.text, FOLDER / f"{self.name}.yaml")


def names() -> list[str]:
    """The names of all presets, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def preset(name: str) -> Preset:
    """Read a preset.

    Raises:
        ParamsError: there is none of that name; the message suggests the close one.
    """
    if name not in names():
        raise ParamsError(unknown("preset", name, names()))
    text = read(FOLDER / f"{name}.yaml")
    said = [line[1:].removeprefix(" ") for line in _comment(text)]
    return Preset(name, said[0], "\n".join(said[1:]).strip("\n"), text)


def use(chosen: Preset, *, force: bool) -> list[Path]:
    """Put a preset in the place of params.yaml; a text that embedder did not bring is kept as params.yaml.before.

    Where that holds another text already, it is kept under the next free name like it. What makes the installed package's version a parameter stays: a project made by `embedder init` has that, a clone of
    embedder has not.

    Args:
        chosen: the preset.
        force: whether params.yaml may go that is none of embedder's.

    Returns:
        The files written; none where params.yaml is the preset already.

    Raises:
        ParamsError: params.yaml is missing, or holds what no preset does and may not go.
    """
    before = read()
    held = _content(before)
    if held is not None and held == _content(chosen.text):
        return []
    if not force and (held is None or all(held != _content(preset(name).text) for name in names())):
        raise ParamsError(
            f"{layout.PARAMS}: holds settings of yours, so it stays as it is; use --force, which keeps it as {BEFORE}"
        )
    version = f'version: "{installed_version()}"\n' if _VERSION.search(before) else ""
    start = sum(len(line) for line in chosen.text.splitlines(keepends=True)[: len(_comment(chosen.text))])
    texts = {layout.PARAMS: chosen.text[:start] + version + chosen.text[start:]}
    if _VERSION.sub("", before) not in {preset(name).text for name in names()}:
        texts = {_kept(before): before} | texts
    for path, text in texts.items():
        _write(path, text)
    return list(texts)


def _kept(text: str) -> Path:
    """Where a text is kept: never in the place of another one that was."""
    numbered = (BEFORE.with_name(f"{BEFORE.name}.{number}") for number in count(2))
    return next(one for one in chain([BEFORE], numbered) if not one.exists() or one.read_bytes().decode() == text)


def _comment(text: str) -> list[str]:
    """The lines of the comment that a file starts with."""
    lines = text.splitlines()
    return lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]


def _content(text: str) -> dict[str, Any] | None:
    """What a parameter file holds, the version of the package and comments aside; None if it is not valid."""
    try:
        return parse(_VERSION.sub("", text)).model_dump(mode="json")
    except ParamsError:
        return None


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(text.encode())
    files.publish(draft, path)
