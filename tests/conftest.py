"""Models that several test modules share, built once."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embedder import devices
from embedder.params.runtime import Runtime
from embedder.students import build_base, load_student
from tests import training_sets

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentence_transformers import SentenceTransformer


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base of a tiny offline student."""
    devices.configure(Runtime(device="cpu", threads=1))
    folder = tmp_path_factory.mktemp("base")
    build_base(training_sets.student().model, training_sets.texts(), folder)
    return folder


@pytest.fixture
def fresh(base_folder: Path) -> "Callable[[], SentenceTransformer]":
    """Load the tiny offline student anew."""
    return lambda: load_student(training_sets.student().model, base_folder, "cpu")
