"""The plan of batches."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.plans import Batch, Rows, draw, partition, plan, quotas
from embedder.seeds import rng


def dataset(rows: int, *, weight: float = 1.0, stored: int = 5, rows_of_query: int = 1) -> Rows:
    """Return a dataset whose queries have `rows_of_query` rows each."""
    return Rows(weight, [f"q{row // rows_of_query}" for row in range(rows)], [stored] * rows)


def planned(datasets: dict[str, Rows], steps: int = 12, seed: int = 1) -> list[Batch]:
    """Plan with batches of 4 rows and 3 negatives."""
    return plan(datasets, steps=steps, batch_size=4, num_negatives=3, seed=seed)


@given(st.dictionaries(st.text(max_size=3), st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 500))
def test_quotas_are_exact(weights: dict[str, float], steps: int) -> None:
    """Shares add up to the steps, and none is a whole step away from its proportion."""
    share = quotas(weights, steps)
    total = sum(weights.values())
    assert sum(share.values()) == steps
    assert all(abs(share[name] - steps * weight / total) < 1 + 1e-9 for name, weight in weights.items())


def test_the_plan_follows_from_its_arguments() -> None:
    """The same arguments in another order of datasets give the same plan, another seed another one."""
    sets = {"a": dataset(30), "b": dataset(9, weight=2.0)}
    assert planned(sets) == planned(dict(reversed(sets.items())))
    assert planned(sets) != planned(sets, seed=2)


def test_a_dataset_does_not_change_another_ones_batches() -> None:
    """Which rows and negatives a dataset's n-th batch has does not depend on the other datasets."""
    alone = planned({"a": dataset(30)}, steps=4)
    beside = [batch for batch in planned({"a": dataset(30), "b": dataset(9)}, steps=8) if batch.dataset == "a"]
    assert [(b.rows, b.negatives) for b in alone] == [(b.rows, b.negatives) for b in beside]


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 99))
def test_an_epoch_uses_every_row_once(rows: int, batch_size: int, rows_of_query: int, seed: int) -> None:
    """An epoch's batches hold every row once, in the fewest batches, whose sizes differ by at most one."""
    batches = partition(dataset(rows, rows_of_query=rows_of_query).query_ids, batch_size, rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(batches) == -(-rows // batch_size)


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 99))
def test_a_query_is_twice_in_a_batch_only_if_it_must(rows: int, batch_size: int, rows_of_query: int, seed: int) -> None:
    """A batch holds two rows of a query only where the query has more rows than the epoch has batches."""
    query_ids = dataset(rows, rows_of_query=rows_of_query).query_ids
    batches = partition(query_ids, batch_size, rng(seed))
    most = -(-rows_of_query // len(batches))
    assert all(max(Counter(query_ids[row] for row in batch).values()) <= most for batch in batches)


def test_a_dataset_smaller_than_a_batch_gives_all_it_has() -> None:
    """Every batch of a dataset of three rows has those three, and each begins an epoch."""
    batches = planned({"small": dataset(3)}, steps=5)
    assert [sorted(batch.rows) for batch in batches] == [[0, 1, 2]] * 5
    assert [batch.epoch for batch in batches] == [0, 1, 2, 3, 4]


def test_steps_are_numbered_and_shared_by_weight() -> None:
    """Steps count from 0, and a dataset of twice the weight has twice the batches."""
    batches = planned({"a": dataset(30), "b": dataset(30, weight=2.0)})
    assert [batch.step for batch in batches] == list(range(12))
    assert Counter(batch.dataset for batch in batches) == {"a": 4, "b": 8}


@pytest.mark.parametrize("left_out", [Rows(1.0, [], []), dataset(5, weight=0.0)])
def test_no_rows_or_no_weight_means_no_batch(left_out: Rows) -> None:
    """A dataset without rows or without weight gets no step and changes no other batch."""
    assert planned({"a": dataset(9), "none": left_out}) == planned({"a": dataset(9)})
    assert planned({"none": left_out}) == []


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 9), st.integers(0, 99))
def test_negatives_are_drawn_without_replacement(stored: list[int], wanted: int, seed: int) -> None:
    """Each row draws what is wanted or all it has, distinct and within what is stored."""
    for count, drawn in zip(stored, draw(stored, wanted, rng(seed)), strict=True):
        assert len(set(drawn)) == len(drawn) == min(wanted, count)
        assert all(0 <= one < count for one in drawn)
        assert list(drawn) == sorted(drawn)


def test_an_epoch_draws_other_negatives() -> None:
    """The same row draws anew in the next epoch, evenly over what is stored."""
    batches = planned({"small": dataset(4, stored=10)}, steps=200)
    drawn = Counter(one for batch in batches for negatives in batch.negatives for one in negatives)
    assert set(drawn) == set(range(10))
    assert min(drawn.values()) > 0.8 * max(drawn.values())
