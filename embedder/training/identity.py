"""What fixes a training run, as hashes: a checkpoint of another identity is of another run."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.revisions import content_hash, file_hashes
from embedder.training.plans import Batch

# What a run computes with, and what a score and the tables are read and searched with.
_PACKAGES = (
    *("torch", "transformers", "tokenizers", "safetensors", "sentence-transformers", "peft", "accelerate"),
    *("numpy", "scipy", "scikit-learn", "pyarrow", "faiss-cpu", "faiss-gpu"),
)
_ROOT = Path(__file__).resolve().parents[1]


def inputs_of(folders: Sequence[Path]) -> dict[str, str]:
    """Hash every file of the folders that a run reads: one hash a folder."""
    return {folder.as_posix(): content_hash(file_hashes(folder)) for folder in folders}


def identity(inputs: Mapping[str, str], student: Student, settings: Finetune, device: str) -> dict[str, str]:
    """Name all that fixes a run but its seed and its plan, which is of the seed.

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
        "packages": _versions(),
        "code": code(_ROOT),
    }
    return dict(inputs) | {name: _hash(value) for name, value in fixed.items()}


def plan_hash(batches: Iterable[Batch]) -> str:
    """Hash which rows and negatives make each step's batch."""
    found = hashlib.sha256()
    for batch in batches:
        for part in batch.parts:
            said = batch.step, part.dataset, part.epoch, part.negatives.shape
            found.update(json.dumps(said).encode())
            found.update(np.ascontiguousarray(part.rows, dtype="<i8").tobytes())
            found.update(np.ascontiguousarray(part.negatives, dtype="<i4").tobytes())
    return found.hexdigest()


def code(root: Path) -> dict[str, str]:
    """Hash every source file of a package: a run must not go on with a checkpoint of code that has changed since."""
    files = sorted(root.rglob("*.py"))
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _versions() -> dict[str, str]:
    """Of the packages that are here: FAISS is there in one of two."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
