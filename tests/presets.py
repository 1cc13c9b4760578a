"""Keep presets/*.yaml in step with params.yaml: `python -m tests.presets` copies the sections that they share."""

import re
from pathlib import Path

from embedder.presets import FOLDER
from tests import project

# What is a preset's own; everything else is params.yaml's, to the byte. The comment at the top goes with `teacher`.
OWN = {
    "bge-base": {"teacher", "student", "judge", "datasets"},
    "e5": {"teacher", "student", "judge", "datasets", "filter"},
    "laptop": {"teacher", "student", "judge"},
    "sfr": {"teacher", "student", "judge", "datasets"},
}


def sections(text: str) -> dict[str, str]:
    """Cut a parameter file into its sections, each with the comment above it."""
    found: dict[str, str] = {}
    waiting, key = "", ""
    for line in text.splitlines(keepends=True):
        name = re.match(r"([a-z]\w*):", line)
        if name:
            key, waiting = name.group(1), waiting + line
            found[key], waiting = waiting, ""
        elif line.startswith("#") or not line.strip():
            waiting += line
        else:
            found[key] += waiting + line
            waiting = ""
    return found


def synced(name: str, text: str, params: str) -> str:
    """Return a preset's text with the sections of params.yaml that are not its own."""
    own, shared = sections(text), sections(params)
    return "".join(own[key] if key in OWN[name] else section for key, section in shared.items())


def path(name: str) -> Path:
    """Where a preset lies."""
    return FOLDER / f"{name}.yaml"


if __name__ == "__main__":
    whole = (project.ROOT / "params.yaml").read_text(encoding="utf-8")
    for one in OWN:
        path(one).write_text(synced(one, path(one).read_text(encoding="utf-8"), whole), encoding="utf-8")
