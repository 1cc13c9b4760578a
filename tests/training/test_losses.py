"""Losses over masked, distinct columns, each beside its formula row by row in numpy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.training.losses import LOSSES, Compared, info_nce, listwise

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 20), st.integers(0, 4), st.integers(0, 10_000))


def compared(rows: int, passages: int, negatives: int, seed: int) -> Compared:
    """Return random similarities, own passages, a mask that holds them, temperatures and shares."""
    random = np.random.default_rng(seed)
    own = [random.permutation(passages)[: 1 + negatives] for _ in range(rows)]
    own = [one[: 1 + random.integers(0, len(one))] for one in own]
    listed = np.array([[*one, *[one[0]] * (1 + negatives - len(one))] for one in own])
    allowed = random.random((rows, passages)) < 0.6
    np.put_along_axis(allowed, listed, values=True, axis=1)
    wanted = np.where(np.arange(1 + negatives) < [[len(one)] for one in own], random.random(listed.shape), 0)
    wanted /= wanted.sum(axis=1, keepdims=True)
    wanted[random.random(rows) < 0.2] = 0
    return Compared(
        similarities=torch.tensor(random.uniform(-1, 1, (rows, passages)), dtype=torch.float32),
        targets=torch.tensor(listed[:, 0]),
        allowed=torch.tensor(allowed),
        temperature=torch.tensor(random.choice([0.02, 0.05, 1.0], (rows, 1)), dtype=torch.float32),
        listed=torch.tensor(listed),
        wanted=torch.tensor(wanted, dtype=torch.float32),
    )


def log_softmax(logits: Any) -> Any:  # noqa: ANN401 - arrays
    """In float64."""
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())


def info_nce_by_rows(batch: Compared) -> float:
    """Take the loss as its formula reads, one query at a time, over what counts alone."""
    losses = []
    for row, target in enumerate(batch.targets.tolist()):
        counts = np.flatnonzero(batch.allowed[row].numpy())
        logits = batch.similarities[row].numpy().astype(float)[counts] / float(batch.temperature[row])
        losses.append(-log_softmax(logits)[counts.tolist().index(target)])
    return float(np.mean(losses))


def listwise_by_rows(batch: Compared) -> float:
    """Take the cross-entropy one query at a time, over its distinct own passages alone."""
    losses = []
    assert batch.wanted is not None
    for row, columns in enumerate(batch.listed.tolist()):
        own = [0, *(place for place, column in enumerate(columns) if place and column != columns[0])]
        logits = batch.similarities[row].numpy().astype(float)[[columns[place] for place in own]]
        shares = batch.wanted[row].numpy().astype(float)[own]
        losses.append(-(shares * log_softmax(logits / float(batch.temperature[row]))).sum())
    return float(np.mean(losses))


REFERENCES = {"info_nce": info_nce_by_rows, "listwise": listwise_by_rows}


def gradients(batch: Compared, name: str) -> torch.Tensor:
    """Return the loss's gradients by similarities."""
    leaf = batch.similarities.clone().requires_grad_()
    LOSSES[name](replace(batch, similarities=leaf)).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad


def test_every_loss_has_a_reference() -> None:
    """Each registered loss is tested here."""
    assert set(LOSSES) == set(REFERENCES)
    assert (LOSSES["info_nce"], LOSSES["listwise"]) == (info_nce, listwise)


@pytest.mark.parametrize("name", sorted(LOSSES))
@settings(deadline=None)
@given(SHAPES)
def test_it_is_the_formula(name: str, shape: tuple[int, int, int, int]) -> None:
    """The loss equals its formula taken row by row in float64."""
    batch = compared(*shape)
    assert LOSSES[name](batch).item() == pytest.approx(REFERENCES[name](batch), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", sorted(LOSSES))
@settings(deadline=None, max_examples=20)
@given(SHAPES)
def test_gradients_are_the_formulas_slopes(name: str, shape: tuple[int, int, int, int]) -> None:
    """Each similarity's gradient is the slope of the formula."""
    batch = replace(compared(*shape))
    batch = replace(batch, temperature=torch.ones_like(batch.temperature))
    found = gradients(batch, name)
    random, step = np.random.default_rng(shape[3]), 2**-7
    for _ in range(5):
        row, column = random.integers(0, shape[0]), random.integers(0, shape[1])
        ends = []
        for change in (step, -step):
            moved = batch.similarities.clone()
            moved[row, column] += change
            ends.append(REFERENCES[name](replace(batch, similarities=moved)))
        assert float(found[row, column]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("name", sorted(LOSSES))
@settings(deadline=None)
@given(SHAPES, st.floats(-50, 50))
def test_a_passage_that_does_not_count_changes_nothing(
    name: str, shape: tuple[int, int, int, int], value: float
) -> None:
    """Whatever the similarity of a passage that does not count for a row, loss and gradients are the same, and its 0."""
    batch = compared(*shape)
    other = replace(batch, similarities=batch.similarities.masked_fill(~batch.allowed, value))
    found = gradients(batch, name)
    assert LOSSES[name](batch) == LOSSES[name](other)
    assert torch.equal(found, gradients(other, name))
    assert not found[~batch.allowed].any()
    assert found.isfinite().all()


def test_a_row_with_its_positive_alone_has_no_loss() -> None:
    """A row without a negative that counts has loss and gradient 0 in every loss, and no NaN."""
    allowed = torch.tensor([[True, False, False], [False, True, False]])
    targets = torch.tensor([0, 1])
    batch = Compared(
        torch.rand(2, 3),
        targets,
        allowed,
        torch.full((2, 1), 0.02),
        targets[:, None].repeat(1, 3),
        torch.eye(3)[[0, 0]],
    )
    for name in LOSSES:
        assert LOSSES[name](batch).item() == 0
        assert not gradients(batch, name).any()


def test_a_row_without_scores_has_no_listwise_loss() -> None:
    """A row with shares of 0 has loss and gradient 0, and counts in the mean."""
    batch = compared(4, 9, 3, 5)
    assert batch.wanted is not None
    none = batch.wanted.clone()
    none[1] = 0
    found = gradients(replace(batch, wanted=none), "listwise")
    assert not found[1].any()
    torch.testing.assert_close(found[[0, 2, 3]], gradients(batch, "listwise")[[0, 2, 3]])


def test_equal_distributions_have_the_least_listwise_loss() -> None:
    """The gradient is 0 where the student's shares are the other model's."""
    batch = compared(3, 6, 2, 8)
    logits = batch.similarities.gather(1, batch.listed) / batch.temperature
    absent = (batch.listed == batch.targets[:, None]) & (torch.arange(3) > 0)
    shares = torch.softmax(logits.masked_fill(absent, float("-inf")), dim=1)
    torch.testing.assert_close(
        gradients(replace(batch, wanted=shares), "listwise"), torch.zeros(3, 6), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    """Rows in another order have the same loss."""
    batch, order = compared(6, 12, 3, 4), torch.tensor([3, 1, 5, 0, 2, 4])
    assert batch.wanted is not None
    turned = Compared(
        *(
            getattr(batch, key)[order]
            for key in ("similarities", "targets", "allowed", "temperature", "listed", "wanted")
        )
    )
    torch.testing.assert_close(LOSSES[name](turned), LOSSES[name](batch))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_bfloat16_is_computed_in_float32(name: str) -> None:
    """Similarities of half precision give a float32 loss, the one of their exact values."""
    batch = compared(4, 9, 2, 7)
    half = replace(batch, similarities=batch.similarities.bfloat16())
    loss = LOSSES[name](half)
    assert loss.dtype == torch.float32
    assert loss == LOSSES[name](replace(half, similarities=half.similarities.float()))


def test_listwise_without_shares_is_a_mistake_of_the_caller() -> None:
    """A batch that was composed without scores cannot be distilled."""
    with pytest.raises(ValueError, match="nothing to distil"):
        listwise(replace(compared(2, 3, 1, 1), wanted=None))
