"""Gradients of sentence-transformers' own cached loss, unmodified, and ours."""

import multiprocessing
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from torch import Tensor

from embedder.params.models import Student
from embedder.training.batches import Texts, compose
from embedder.training.grad_cache import backward
from embedder.training.loop import Work
from embedder.training.objective import Objective
from embedder.training.processes import Processes, joined
from embedder.training.tokens import tokens
from tests.training.shapes import SHAPES, adapted, difference, entry, gradients, sets, work
from tests.training.threads import in_threads
from tests.training_sets import passage, row, training_set

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ONE_STEP: dict[str, Any] = {"steps": 1, "warmup_steps": 0, "batch_size": 12, "num_negatives": 3}


class OwnNegatives(CachedMultipleNegativesRankingLoss):
    """The loss without in-batch negatives, which the library has not: each row's positive against its own negatives."""

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """Take the cross-entropy over a row's own passages."""
        del labels
        queries, *passages = (torch.cat(column) for column in reps)
        cosines = torch.stack([torch.cosine_similarity(queries, column) for column in passages], dim=1)
        loss = torch.nn.functional.cross_entropy(cosines * self.scale, torch.zeros(len(queries), dtype=torch.long))
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach() if with_backward else loss


def theirs(
    model: "SentenceTransformer", given: Work, loss: type[CachedMultipleNegativesRankingLoss]
) -> dict[str, Tensor]:
    """Return the gradients of the library's loss on the columns of a plan's first batch, read by the library too."""
    texts, recipe = first(given), given.recipe
    columns = [[texts.passages[one] for one in column] for column in texts.listed.T.tolist()]
    features = [model.preprocess(texts.queries, max_length=recipe.query_length)]
    features += [model.preprocess(column, max_length=recipe.passage_length) for column in columns]
    theirs = loss(model, scale=1 / recipe.temperature, mini_batch_size=5)
    theirs(features, torch.empty(0)).backward()
    return gradients(model)


def ours(model: "SentenceTransformer", given: Work, processes: Processes | None = None) -> dict[str, Tensor]:
    """Return the gradients of our loss on a plan's first batch."""
    texts = first(given)
    read = tokens(model, texts, given.recipe)
    loss = Objective(read, texts, given.recipe, "cpu").loss
    backward(model, read.ids, loss, given.pieces, processes=processes)
    return gradients(model)


def together(port: int, index: int, whole: Student, folder: Path, task: str) -> None:
    """Be one of two processes, and write down the gradients that it ends with."""
    os.environ |= {"RANK": str(index), "LOCAL_RANK": str(index), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with joined("cpu") as processes:
        assert (processes.index, processes.count) == (index, 2)
        found = ours(adapted(whole, folder), work(sets(task), whole), processes)
    torch.save(found, folder / f"{index}.pt")


def written_out(model: "SentenceTransformer", given: Work, negatives: Sequence[set[str]]) -> dict[str, Tensor]:
    """Return the gradients of InfoNCE as its formula says, a row at a time, with one graph.

    Args:
        model: with its adapters.
        given: whose first batch it is.
        negatives: [rows] the texts that each row's positive is told from, in the order of the batch.
    """
    texts, recipe = first(given), given.recipe
    losses = []
    for query, target, others in zip(texts.queries, texts.targets.tolist(), negatives, strict=True):
        features = [model.preprocess([query], max_length=recipe.query_length)]
        shown = [texts.passages[target], *sorted(others)]
        features += [model.preprocess([one], max_length=recipe.passage_length) for one in shown]
        vectors = torch.cat([model(one)["sentence_embedding"] for one in features])
        cosines = torch.cosine_similarity(vectors[:1], vectors[1:]) / recipe.temperature
        losses.append(torch.logsumexp(cosines, 0) - cosines[0])
    torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
    return gradients(model)


def first(given: Work) -> Texts:
    """Return the texts of a plan's first batch."""
    return compose(given.sets, given.prompts, given.recipe, given.batches[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("task", ["retrieval", "reranking", "sts"])
def test_gradients_are_those_of_the_cached_loss(task: str, shape: str, tmp_path: Path) -> None:
    """Where no passage is repeated or masked, ours and the library's loss agree to 1e-4, in one process or in two."""
    whole = entry(shape, tmp_path, **ONE_STEP)
    given = work(sets(task), whole)
    found = theirs(adapted(whole, tmp_path), given, CachedMultipleNegativesRankingLoss)
    assert difference(found, ours(adapted(whole, tmp_path), given)) < 1e-4
    both = [adapted(whole, tmp_path) for _ in range(2)]
    for one in in_threads(2, lambda processes: ours(both[processes.index], given, processes)):
        assert difference(found, one) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("task", ["classification", "clustering"])
def test_gradients_of_label_tasks_are_those_of_a_loss_of_own_negatives(task: str, shape: str, tmp_path: Path) -> None:
    """For label tasks ours agrees with a subclass that takes own negatives alone, and not with the library's loss."""
    whole = entry(shape, tmp_path, **(ONE_STEP | {"num_negatives": 2}))
    given = work(sets(task), whole)
    expected = theirs(adapted(whole, tmp_path), given, OwnNegatives)
    found = ours(adapted(whole, tmp_path), given)
    assert difference(expected, found) < 1e-4
    both = [adapted(whole, tmp_path) for _ in range(2)]
    for one in in_threads(2, lambda processes: ours(both[processes.index], given, processes)):
        assert difference(expected, one) < 1e-4
    assert difference(theirs(adapted(whole, tmp_path), given, CachedMultipleNegativesRankingLoss), found) > 0.01


def test_two_processes_share_a_batch(tmp_path: Path) -> None:
    """Two processes that talk through gloo each end with the gradients of the library's loss in one."""
    whole = entry("mistral", tmp_path, **ONE_STEP)
    found = theirs(adapted(whole, tmp_path), work(sets(), whole), CachedMultipleNegativesRankingLoss)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=together, args=(port, index, whole, tmp_path, "retrieval")) for index in (0, 1)]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=100)
        assert one.exitcode == 0
    for index in (0, 1):
        assert difference(found, torch.load(tmp_path / f"{index}.pt")) < 1e-4


def test_a_repeated_passage_counts_once(tmp_path: Path) -> None:
    """A passage that two rows list counts twice in the library's loss and once in ours, as the formula has it."""
    whole = entry("bert", tmp_path, **ONE_STEP)
    given = work({"rooms": training_set([row(number, [30, 31]) for number in range(6)])}, whole)
    found, texts = ours(adapted(whole, tmp_path), given), first(given)
    assert len(texts.passages) == 8
    others = [set(texts.passages) - {texts.passages[target]} for target in texts.targets]
    assert difference(written_out(adapted(whole, tmp_path), given, others), found) < 1e-4
    peer = theirs(adapted(whole, tmp_path), given, CachedMultipleNegativesRankingLoss)
    assert difference(peer, found) > 0.01


def test_a_known_positive_is_no_negative(tmp_path: Path) -> None:
    """Another row's positive that is right for a query too is a negative in the library's loss, and none in ours."""
    rows = [row(number, [24 + number], positive_ids=["p000", "p001", f"p{number:03}"]) for number in range(6)]
    whole = entry("bert", tmp_path, **ONE_STEP)
    given = work({"rooms": training_set(rows)}, whole)
    found, texts = ours(adapted(whole, tmp_path), given), first(given)
    known = {passage(0), passage(1)}
    others = [set(texts.passages) - known - {texts.passages[target]} for target in texts.targets]
    assert difference(written_out(adapted(whole, tmp_path), given, others), found) < 1e-4
    peer = theirs(adapted(whole, tmp_path), given, CachedMultipleNegativesRankingLoss)
    assert difference(peer, found) > 0.01
