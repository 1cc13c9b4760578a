"""The training loop."""

import csv
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from embedder import encoding
from embedder.adapters import adapt
from embedder.batches import compose
from embedder.losses import info_nce
from embedder.params.models import Recipe
from embedder.plans import Batch, plan
from embedder.prompts import Prompts
from embedder.training import Step, learning_rate, train, write_history
from tests.training_sets import rows, student, training_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentence_transformers import SentenceTransformer

PROMPTS = {"rooms": Prompts("", "")}
SETS = {"rooms": training_set(rows())}


def recipe(**changes: float) -> Recipe:
    """Return the made-up recipe with changes."""
    return student(**changes).recipe


def batches(used: Recipe) -> list[Batch]:
    """Plan the made-up rows."""
    return plan(
        {"rooms": SETS["rooms"].outline()},
        steps=used.steps,
        batch_size=used.batch_size,
        num_negatives=used.num_negatives,
        seed=used.seed,
    )


def adapted(model: "SentenceTransformer", used: Recipe) -> "SentenceTransformer":
    """Put the recipe's adapters into a model."""
    torch.manual_seed(used.seed)
    adapt(model, used.lora, "base", None)
    return model


def test_the_rate_rises_and_falls_in_lines() -> None:
    """The rate starts above 0, peaks at the end of the warm-up, and falls by equal steps to above 0."""
    used = recipe(steps=10, warmup_steps=4, learning_rate=0.4)
    rates = [learning_rate(step, used) for step in range(10)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    falls = [left - right for left, right in itertools.pairwise(rates[4:])]
    assert falls == pytest.approx([0.4 / 6] * 5)
    assert rates[-1] == pytest.approx(0.4 / 6)


def test_without_warm_up_the_peak_is_first() -> None:
    """A recipe without warm-up starts at its learning rate."""
    assert learning_rate(0, recipe(warmup_steps=0, learning_rate=0.3)) == pytest.approx(0.3)


def test_training_lowers_the_loss(fresh: "Callable[[], SentenceTransformer]") -> None:
    """After a few epochs the loss of the made-up rows is well below that of the first step."""
    used = recipe(steps=40, learning_rate=0.02)
    history = train(adapted(fresh(), used), batches(used), SETS, PROMPTS, used)
    assert [one.step for one in history] == list(range(40))
    assert sum(one.loss for one in history[-3:]) < 0.6 * sum(one.loss for one in history[:3])
    assert history[-1].positive_similarity > history[-1].negative_similarity


def test_only_adapters_move(fresh: "Callable[[], SentenceTransformer]") -> None:
    """After training every adapter has moved and every other parameter is what it was."""
    used = recipe()
    model = adapted(fresh(), used)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    train(model, batches(used), SETS, PROMPTS, used)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == ("lora_" not in name), name


def test_the_first_loss_is_that_of_the_batch(fresh: "Callable[[], SentenceTransformer]") -> None:
    """The history's loss and similarities are those of the batch's texts encoded apart, at the recipe's lengths."""
    used = recipe(steps=1, warmup_steps=0, query_length=5, passage_length=7)
    model = adapted(fresh(), used)
    (batch,) = batches(used)
    texts = compose(SETS["rooms"], batch)
    queries = encoding.encode(model, texts.queries, max_length=5)
    passages = encoding.encode(model, texts.passages, max_length=7)
    similarities = torch.from_numpy(queries @ passages.T)
    targets, allowed = torch.from_numpy(texts.targets), torch.from_numpy(texts.allowed)
    (step,) = train(model, [batch], SETS, PROMPTS, used)
    expected = info_nce(similarities, targets, allowed, used.temperature)
    assert step.loss == pytest.approx(expected.item(), rel=1e-4)
    assert step.positive_similarity == pytest.approx(similarities.gather(1, targets[:, None]).mean().item(), rel=1e-4)
    assert (step.queries, step.passages) == (len(texts.queries), len(texts.passages))


def test_two_trainings_are_equal(fresh: "Callable[[], SentenceTransformer]") -> None:
    """The same recipe on the same base gives the same history and the same weights, to the bit."""
    used, runs = recipe(), []
    for _ in range(2):
        model = adapted(fresh(), used)
        runs.append((train(model, batches(used), SETS, PROMPTS, used), model.state_dict()))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(runs[0][1][name], value) for name, value in runs[1][1].items())


def test_the_history_is_csv(tmp_path: Path) -> None:
    """A history is written with one line a step and six significant digits."""
    write_history(tmp_path / "history.csv", [Step(0, "rooms", 8, 24, 1.23456789, 1e-05, 0.5, 0.75, -0.1)])
    with (tmp_path / "history.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["dataset"], line["loss"], line["learning_rate"]) == ("rooms", "1.23457", "1e-05")
    assert line["negative_similarity"] == "-0.1"
