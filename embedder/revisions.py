"""What fixes a folder of weights: the hashes of its files. `python -m embedder.revisions FOLDER` prints a revision."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path


def file_hashes(folder: Path) -> dict[str, str]:
    """Hash every file under `folder`.

    Hidden files and README.md are left out: they change no vector.

    Returns:
        The SHA-256 of each file by its path in `folder`.
    """
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: _sha256(path) for name, path in sorted(names.items()) if _matters(name)}


def content_hash(hashes: Mapping[str, str]) -> str:
    """One SHA-256 of all files' names and hashes: a local model's revision."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _matters(name: str) -> bool:
    return name != "README.md" and not any(part.startswith(".") for part in name.split("/"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    hashes = file_hashes(Path(sys.argv[1]))
    if not hashes:
        sys.exit(f"error: {sys.argv[1]}: no folder with files")
    sys.stdout.write(f"{content_hash(hashes)}\n")
