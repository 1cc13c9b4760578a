"""Students of BERT's and of Mistral's shape with adapters that do something, and made-up rows of each task."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from embedder.params.models import Student
from embedder.prompts import Prompts
from embedder.students import build_base
from embedder.training.adapters import adapt, load_base
from embedder.training.grad_cache import Pieces
from embedder.training.loop import Work
from embedder.training.plans import plan
from embedder.training.shards import TrainingSet
from tests import models
from tests.training_sets import row, student, texts, training_set

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SHAPES = ["bert", "mistral"]
TASKS = ["retrieval", "reranking", "sts", "classification", "clustering"]
PROMPTS = {"rooms": Prompts("find it : ", ""), "walls": Prompts("sort it : ", "label : ")}
LABELS = ["the colour red", "a boat at sea", "some candle light", "the wide door of a garden"]


def entry(shape: str, folder: Path, dtype: str = "float32", **recipe: object) -> Student:
    """Return the entry of a random model written into `folder`, ready to load."""
    (folder / "base").mkdir(parents=True, exist_ok=True)
    if shape == "mistral":
        written = models.make_mistral(folder / "model")
        options = models.options(written, pooling="last_token", add_eos=True, max_length=64, dtype=dtype)
    else:
        words = sorted({word for text in [*texts(), *LABELS] for word in re.findall(r"[a-z]+|\d+", text.lower())})
        options = models.options(models.make_bert(folder / "model", [*words, ",", "."]), pooling="mean", dtype=dtype)
    whole = student(options.model_dump(), **({"query_length": 24, "passage_length": 32} | recipe))
    build_base(whole.model, [], folder / "base")
    return whole


def adapted(whole: Student, folder: Path) -> "SentenceTransformer":
    """Load a student's base with the same adapters each time, whose second matrices are not 0 as new ones are.

    Nothing is dropped: what two backends drop is not the same.
    """
    model = load_base(whole, folder / "base", "cpu")
    torch.manual_seed(whole.recipe.seed)
    adapt(model, whole)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.1)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.train()


def sets(task: str = "retrieval", count: int = 12, name: str = "rooms") -> dict[str, TrainingSet]:
    """Return rows of a task: label tasks share a few passages, others have their own."""
    content = _labelled(count) if task in {"classification", "clustering"} else _distinct(count)
    return {name: training_set(content, name, task)}


def work(given: Mapping[str, TrainingSet], whole: Student) -> Work:
    """Return the work of a run."""
    batches = plan({name: one.outline(whole.recipe) for name, one in given.items()}, whole.recipe)
    return Work(batches, given, PROMPTS, whole.recipe, Pieces(256, 256, 0))


def gradients(model: "SentenceTransformer") -> dict[str, torch.Tensor]:
    """Return the gradients of all that is trained, by name."""
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    return {name: weight.grad.clone() for name, weight in trained.items() if weight.grad is not None}


def difference(left: Mapping[str, torch.Tensor], right: Mapping[str, torch.Tensor]) -> float:
    """Return the largest relative error of a parameter's tensor.

    An attention's key bias has gradient 0 but for rounding, so no error is told by less than a 100th of the largest.
    """
    assert left.keys() == right.keys()
    largest = max(float(one.norm()) for one in left.values())
    return max(float((one - right[name]).norm()) / max(float(one.norm()), largest / 100) for name, one in left.items())


def _distinct(count: int) -> list[dict[str, Any]]:
    """Rows of which no two share a passage."""
    return [row(number, [24 + 2 * number, 25 + 2 * number]) for number in range(count)]


def _labelled(count: int) -> list[dict[str, Any]]:
    found = []
    for number in range(count):
        right, others = number % 4, [label for label in range(4) if label != number % 4]
        named = {"positive_id": f"l{right}", "positive": LABELS[right], "positive_ids": [f"l{right}"]}
        negatives = {"negative_ids": [f"l{one}" for one in others], "negatives": [LABELS[one] for one in others]}
        scores = {"negative_ranks": [1, 2, 3], "negative_scores": [0.5, 0.4, 0.3]}
        found.append(row(number, []) | named | negatives | scores)
    return found
