"""What fixes a training run, as hashes: a checkpoint of another identity is of another run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.revisions import content_hash, file_hashes

_PACKAGES = ("torch", "transformers", "tokenizers", "sentence-transformers", "peft", "numpy")
_CODE = ("training", "students", "pretrained", "evaluation", "encoding.py", "padding.py", "prompts.py")


def inputs_of(folders: Sequence[Path]) -> dict[str, str]:
    """Hash every file of the folders that a run reads: one hash a folder."""
    return {folder.as_posix(): content_hash(file_hashes(folder)) for folder in folders}


def identity(inputs: Mapping[str, str], student: Student, settings: Finetune, device: str) -> dict[str, str]:
    """Name all that fixes a run but its seed.

    What changes no more than the order of sums is left out, so that a run goes on with fewer processes or in less
    memory; and so is what is chosen and saved after it.

    Args:
        inputs: see `inputs_of`.
        student: the base's options and the recipe.
        settings: who trains, in which pieces, and how a run is scored.
        device: a torch device: results are promised for one type of device.
    """
    scored = settings.selection.model_dump(include={"share", "every", "patience"}) if settings.selection else None
    fixed: dict[str, object] = {
        "student": student.model_dump(mode="json"),
        "settings": settings.model_dump(include={"backend", "mini_batch_tokens", "cached_tokens"}),
        "scored": scored,
        "device": device.partition(":")[0],
        "packages": {name: version(name) for name in _PACKAGES},
        "code": _code(),
    }
    return dict(inputs) | {name: _hash(value) for name, value in fixed.items()}


def _code() -> dict[str, str]:
    """A run must not go on with a checkpoint of code that has changed since."""
    root = Path(__file__).resolve().parents[1]
    found: dict[str, str] = {}
    for path in (root / name for name in _CODE):
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        found |= {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return found


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
