"""A small student with its adapters, and work for it."""

from typing import TYPE_CHECKING

import torch

from embedder.params.models import Student
from embedder.prompts import Prompts
from embedder.training.adapters import adapt
from embedder.training.grad_cache import Pieces
from embedder.training.loop import Work
from embedder.training.plans import plan
from embedder.training.processes import Alone, Processes
from tests.training_sets import rows, training_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentence_transformers import SentenceTransformer

PIECES = Pieces(tokens=64, cached_tokens=64, kept_tokens=0)
_ALONE = Alone()


def work_of(used: Student, pieces: Pieces = PIECES, processes: Processes = _ALONE) -> Work:
    """Plan the made-up rows as a student's recipe says."""
    sets = {"rooms": training_set(rows())}
    batches = plan({name: one.outline(used.recipe) for name, one in sets.items()}, used.recipe)
    return Work(batches, sets, {"rooms": Prompts("", "")}, used.recipe, pieces, processes)


def adapted(fresh: "Callable[[], SentenceTransformer]", used: Student) -> "SentenceTransformer":
    """Load the student and put the recipe's adapters into it."""
    model = fresh()
    torch.manual_seed(used.recipe.seed)
    adapt(model, used)
    return model
