"""InfoNCE over masked, distinct columns."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from embedder.losses import LOSSES, info_nce


def batch(queries: int, passages: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return random similarities, targets and an allowed mask that includes the targets."""
    random = np.random.default_rng(seed)
    similarities = torch.tensor(random.uniform(-1, 1, (queries, passages)), dtype=torch.float32)
    targets = torch.tensor(random.integers(0, passages, queries))
    allowed = torch.tensor(random.random((queries, passages)) < 0.6)
    return similarities, targets, allowed.scatter(1, targets[:, None], value=True)


def by_rows(similarities: Tensor, targets: Tensor, allowed: Tensor, temperature: float) -> float:
    """Compute the loss as its formula reads, one query at a time."""
    losses: list[float] = []
    for row, target, counts in zip(similarities.tolist(), targets.tolist(), allowed.tolist(), strict=True):
        logits = [value / temperature for value, counted in zip(row, counts, strict=True) if counted]
        top = max(logits)
        losses.append(math.log(sum(math.exp(one - top) for one in logits)) + top - row[target] / temperature)
    return sum(losses) / len(losses)


@given(st.integers(1, 8), st.integers(1, 20), st.integers(0, 10_000), st.sampled_from([0.02, 0.05, 1.0]))
def test_it_is_the_formula(queries: int, passages: int, seed: int, temperature: float) -> None:
    """The loss equals the formula computed query by query over the allowed passages alone."""
    case = batch(queries, passages, seed)
    assert info_nce(*case, temperature).item() == pytest.approx(by_rows(*case, temperature), rel=1e-4, abs=1e-4)


def test_gradients_are_those_of_cross_entropy_over_the_allowed_columns() -> None:
    """Each query's gradient equals that of torch's cross entropy over a row holding only what is allowed."""
    similarities, targets, allowed = batch(6, 12, 3)
    whole, rows = similarities.clone().requires_grad_(), similarities.clone().requires_grad_()
    info_nce(whole, targets, allowed, 0.05).backward()  # type: ignore[no-untyped-call]
    for index, counts in enumerate(allowed):
        place = int(counts[: int(targets[index])].sum())
        logits = rows[index][counts] / 0.05
        (cross_entropy(logits[None], torch.tensor([place])) / len(rows)).backward()  # type: ignore[no-untyped-call]
    assert whole.grad is not None
    assert rows.grad is not None
    torch.testing.assert_close(whole.grad, rows.grad)
    assert not whole.grad[~allowed].any()


def test_a_masked_passage_changes_nothing() -> None:
    """Whatever the similarity of a passage that is not allowed, the loss is the same."""
    similarities, targets, allowed = batch(4, 9, 5)
    other = torch.where(allowed, similarities, torch.full_like(similarities, 0.99))
    assert info_nce(similarities, targets, allowed, 0.05) == info_nce(other, targets, allowed, 0.05)


def test_a_query_with_its_positive_alone_has_no_loss() -> None:
    """A query all of whose other passages are masked has loss and gradient 0, and no NaN."""
    similarities = torch.rand(2, 3, requires_grad=True)
    allowed = torch.tensor([[True, False, False], [False, True, False]])
    loss = info_nce(similarities, torch.tensor([0, 1]), allowed, 0.02)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert similarities.grad is not None
    assert not similarities.grad.any()


def test_bfloat16_is_computed_in_float32() -> None:
    """Similarities of half precision give a float32 loss, the one of their exact values."""
    similarities, targets, allowed = batch(4, 9, 7)
    half = similarities.bfloat16()
    loss = info_nce(half, targets, allowed, 0.02)
    assert loss.dtype == torch.float32
    assert loss == info_nce(half.float(), targets, allowed, 0.02)


def test_the_registry_names_it() -> None:
    """Every registered loss is callable by its name."""
    assert LOSSES["info_nce"] is info_nce
