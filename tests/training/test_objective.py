"""From vectors to the loss of a batch."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from embedder.errors import StudentError
from embedder.params.recipe import Recipe
from embedder.training import objective
from embedder.training.batches import Texts
from embedder.training.objective import Objective, check_dimensions
from embedder.training.tokens import Tokens
from tests.training.test_batches import composed
from tests.training_sets import passage, row, student, training_set

ROWS = [row(1, [2, 3]), row(4, [5, 1]), row(6, [7])]


def recipe(**changes: Any) -> Recipe:  # noqa: ANN401 - values of a recipe
    """Return the made-up recipe with changes."""
    return student(**changes).recipe


def places(texts: Texts) -> Tokens:
    """Let vectors be those of the queries, then those of the passages."""
    rows, passages = len(texts.queries), len(texts.passages)
    return Tokens([], np.arange(rows), np.arange(rows, rows + passages))


def vectors(texts: Texts, seed: int = 0, size: int = 8) -> Tensor:
    """Return random vectors of length 1 for the texts of a batch."""
    random = np.random.default_rng(seed).standard_normal((len(texts.queries) + len(texts.passages), size))
    return normalize(torch.tensor(random, dtype=torch.float32), dim=-1).requires_grad_()


def made(texts: Texts, used: Recipe) -> Objective:
    """Return the objective of a batch."""
    return Objective(places(texts), texts, used, "cpu")


def gradients(texts: Texts, used: Recipe, seed: int = 0) -> Tensor:
    """Return the gradients of all vectors."""
    leaf = vectors(texts, seed)
    made(texts, used).loss(leaf).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad


def by_rows(texts: Texts, found: Tensor, size: int, temperature: float) -> Tensor:
    """InfoNCE of the first `size` dimensions, one row at a time, out of what counts."""
    short = normalize(found[:, :size], dim=-1)
    losses = []
    for index, target in enumerate(texts.targets.tolist()):
        columns = np.flatnonzero(texts.allowed[index]).tolist()
        logits = short[[len(texts.queries) + column for column in columns]] @ short[index] / temperature
        losses.append(cross_entropy(logits[None], torch.tensor([columns.index(target)])))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("dimensions", [[], [4], [4, 2]])
def test_dimensions_are_meant(dimensions: list[int]) -> None:
    """The loss is the mean of those of the full vectors and of their first dimensions, each scaled to length 1."""
    texts, used = composed(training_set(ROWS)), recipe(dimensions=dimensions)
    leaf = vectors(texts)
    expected = torch.stack([by_rows(texts, leaf, size, 0.05) for size in (8, *dimensions)]).mean()
    torch.testing.assert_close(made(texts, used).loss(leaf), expected)


def test_too_many_dimensions_are_refused() -> None:
    """A recipe with as many dimensions as the model has, or more, is one line that says what to do."""
    check_dimensions(recipe(dimensions=[4, 8]), 16)
    for many in (16, 99):
        with pytest.raises(StudentError, match=f"has {many}, and the model's vectors have 16.*name smaller numbers"):
            check_dimensions(recipe(dimensions=[4, many]), 16)


def test_losses_are_weighted_and_summed() -> None:
    """Two losses are the sum of each by its weight."""
    scores: dict[str, Any] = {"distilled": {"scores": "teacher", "temperature": 1.0}}
    both, one, other = (
        recipe(losses=losses, **(scores if "listwise" in losses else {}))
        for losses in ({"info_nce": 0.5, "listwise": 2.0}, {"info_nce": 1.0}, {"listwise": 1.0})
    )
    texts = composed(training_set(ROWS), losses={"listwise": 1.0}, **scores)
    leaf = vectors(texts)
    expected = 0.5 * made(texts, one).loss(leaf) + 2 * made(texts, other).loss(leaf)
    torch.testing.assert_close(made(texts, both).loss(leaf), expected)


def test_each_dataset_has_its_temperature() -> None:
    """In a mixed batch every row's cosines are divided by its own dataset's temperature."""
    sets = training_set(ROWS[:1]), training_set(ROWS[1:2], "walls", "classification")
    texts = composed(*sets, datasets={"walls": {"temperature": 0.5}})
    leaf = vectors(texts)
    losses = []
    for index, temperature in enumerate((0.05, 0.5)):
        alone = Texts(**{**vars(texts), "targets": texts.targets[[index]], "allowed": texts.allowed[[index]]})
        moved = torch.cat([leaf[[index]], leaf[2:]])
        losses.append(by_rows(Texts(**{**vars(alone), "queries": [""]}), moved, 8, temperature))
    torch.testing.assert_close(made(texts, recipe()).loss(leaf), torch.stack(losses).mean())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(10, 19), min_size=1, max_size=3, unique=True), min_size=2, max_size=5),
    st.integers(0, 99),
)
def test_a_label_row_never_sees_another_rows_passage(negatives: list[list[int]], seed: int) -> None:
    """A label row's gradient is that of the row alone, whatever the others bring; a passage no row lists has none."""
    content = [row(number, own) for number, own in enumerate(negatives)]
    texts = composed(training_set(content, task="classification"))
    whole = gradients(texts, recipe(), seed)
    for index in range(len(content)):
        own = set(texts.listed[index].tolist())
        alone = Texts(
            **{**vars(texts), "allowed": texts.allowed & (np.arange(len(content)) == index)[:, None] | _targets(texts)}
        )
        found = gradients(alone, recipe(), seed)
        torch.testing.assert_close(found[index], whole[index])
        others = [len(content) + column for column in range(len(texts.passages)) if column not in own]
        assert not found[others].any()


def _targets(texts: Texts) -> Any:  # noqa: ANN401 - an array
    mask = np.zeros_like(texts.allowed)
    mask[np.arange(len(mask)), texts.targets] = True
    return mask


def test_a_masked_passage_gets_no_gradient() -> None:
    """A passage that is masked for all rows that could be moved by it has a gradient of exactly 0."""
    content = [row(1, [2], masked_ids=["p005"]), row(5, [], masked_ids=["p001", "p002"])]
    texts = composed(training_set(content))
    found = gradients(texts, recipe())
    column = texts.passages.index(passage(5))
    assert not found[2 + column].any()
    assert not found[1].any()
    assert found[0].any()


def test_the_score_mask_is_for_the_batch_alone() -> None:
    """An in-batch passage closer than positive plus mask does not count; a row's own negative, as close, does."""
    texts = composed(training_set([row(1, [2]), row(3, [4])]))
    column = {text: place for place, text in enumerate(texts.passages)}
    order = [column[texts.passages[c]] for c in (*texts.listed[0], *texts.listed[1])]
    cosines = torch.zeros(2, 4)
    # The first row's positive, own negative, and the other row's two.
    cosines[0, order] = torch.tensor([0.5, 0.95, 0.61, 0.59])
    cosines[1, order] = torch.tensor([0.0, 0.0, 0.5, 0.0])
    counted = made(texts, recipe(score_mask=0.1))._counted(cosines)
    assert counted[0, order].tolist() == [True, True, False, True]
    assert counted[1].all()
    assert made(texts, recipe())._counted(cosines).all()


def test_similarities_are_quantiles_of_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The history has quantiles of positives' cosines, and of those of the passages that count, positives left out."""
    texts = composed(training_set(ROWS, task="clustering"))
    leaf = vectors(texts)
    cosines = (leaf[:3] @ leaf[3:].T).detach().numpy()
    positives = cosines[np.arange(3), texts.targets]
    negatives = cosines[texts.allowed & ~_targets(texts)]
    found = made(texts, recipe()).similarities(leaf)
    np.testing.assert_allclose(found.positives, np.quantile(positives, [0.1, 0.5, 0.9]), rtol=1e-5)
    np.testing.assert_allclose(found.negatives, np.quantile(negatives, [0.1, 0.5, 0.9]), rtol=1e-5)
    monkeypatch.setattr(objective, "_SAMPLED", 2)
    sampled = made(texts, recipe()).similarities(leaf)
    np.testing.assert_allclose(sampled.negatives, np.quantile(negatives[::3], [0.1, 0.5, 0.9]), rtol=1e-5)


def test_what_was_masked_is_counted() -> None:
    """Masked negatives are counted by reason, and rows whose positive alone is left."""
    content = [row(1, [2], masked_ids=["p002"]), row(3, [4], masked_ids=["p001"])]
    texts = composed(training_set(content))
    leaf = vectors(texts)
    leaf.data[0] = leaf.data[2 + int(texts.targets[1])]
    leaf.data[2 + int(texts.targets[0])] = -leaf.data[0]
    # The first query is the other row's positive, further from its own than any mask: what it lists alone does not go.
    found = made(texts, recipe(score_mask=0.1)).similarities(leaf).masked
    close = int(leaf.data[0] @ leaf.data[2 + texts.listed[1, 1]] > -0.9)
    assert (found.own, found.in_batch) == (1, 1)
    assert (found.by_score, found.alone) == (1 + close, close)
    assert made(texts, recipe()).similarities(leaf).masked == (1, 1, 0, 0)


def test_rows_that_are_left_alone_are_counted() -> None:
    """Label rows all of whose negatives are masked have loss 0, and are counted."""
    content = [row(number, [20, 21], masked_ids=["p020", "p021"]) for number in range(8)]
    texts = composed(training_set([*content, row(9, [20])], task="classification"))
    leaf = vectors(texts)
    assert made(texts, recipe()).similarities(leaf).masked == (16, 0, 0, 8)
    alone = composed(training_set(content, task="classification"))
    assert made(alone, recipe()).loss(vectors(alone)).item() == 0


def test_without_negatives_quantiles_are_zero() -> None:
    """A batch without any negative has quantiles 0, and loss 0."""
    texts = composed(training_set([row(1, [])], task="clustering"))
    leaf = vectors(texts)
    assert made(texts, recipe()).similarities(leaf).negatives == (0.0, 0.0, 0.0)
    assert made(texts, recipe()).loss(leaf).item() == 0
