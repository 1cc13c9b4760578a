"""The plan of batches."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.params.recipe import Recipe
from embedder.seeds import rng
from embedder.training import plans
from embedder.training.plans import Batch, Part, Rows, draw, partition, plan, quotas
from tests.training_sets import student


def dataset(rows: int, *, weight: float = 1.0, stored: int = 5, rows_of_query: int = 1, batch_size: int = 4) -> Rows:
    """Return a dataset whose queries have `rows_of_query` rows each."""
    return Rows(weight, np.arange(rows) // rows_of_query, np.full(rows, stored), batch_size)


def recipe(**changes: Any) -> Recipe:  # noqa: ANN401 - values of a recipe
    """Return a recipe of 12 batches of 4 rows with 3 negatives, with changes."""
    return student(**{"steps": 12, "batch_size": 4, "num_negatives": 3, "warmup_steps": 0, **changes}).recipe


def planned(datasets: dict[str, Rows], **changes: Any) -> list[Batch]:  # noqa: ANN401 - values of a recipe
    """Plan by the recipe with changes."""
    return plan(datasets, recipe(**changes))


def parts_of(batches: Iterable[Batch], name: str) -> list[Part]:
    """Return a dataset's parts in order."""
    return [part for batch in batches for part in batch.parts if part.dataset == name]


def content(parts: Iterable[Part]) -> list[tuple[int, list[int], list[list[int]]]]:
    """Return what can be compared."""
    return [(part.epoch, part.rows.tolist(), part.negatives.tolist()) for part in parts]


def whole(batches: Iterable[Batch]) -> list[Any]:
    """Return a plan as what can be compared."""
    return [(batch.step, [part.dataset for part in batch.parts], content(batch.parts)) for batch in batches]


@given(st.dictionaries(st.text(max_size=3), st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 500))
def test_quotas_are_exact(weights: dict[str, float], steps: int) -> None:
    """Shares add up to the steps, and none is a whole step away from its proportion."""
    share = quotas(weights, steps)
    total = sum(weights.values())
    assert sum(share.values()) == steps
    assert all(abs(share[name] - steps * weight / total) < 1 + 1e-9 for name, weight in weights.items())


@pytest.mark.parametrize("homogeneous", [True, False])
def test_the_plan_follows_from_its_arguments(homogeneous: bool) -> None:  # noqa: FBT001 - pytest hands it over
    """The same arguments in another order of datasets give the same plan, another seed another one."""
    sets = {"a": dataset(30), "b": dataset(9, weight=2.0)}
    one = whole(planned(sets, homogeneous=homogeneous))
    assert one == whole(planned(dict(reversed(sets.items())), homogeneous=homogeneous))
    assert one != whole(planned(sets, homogeneous=homogeneous, seed=2))


def test_a_dataset_does_not_change_another_ones_batches() -> None:
    """Which rows and negatives a dataset's n-th batch has does not depend on the other datasets."""
    alone = planned({"a": dataset(30)}, steps=4)
    beside = planned({"a": dataset(30), "b": dataset(9)}, steps=8)
    assert content(parts_of(alone, "a")) == content(parts_of(beside, "a"))


def test_mixed_and_homogeneous_batches_draw_the_same_negatives() -> None:
    """A row has the same negatives in an epoch whether batches are mixed or not."""
    drawn: list[dict[tuple[int, int], list[int]]] = []
    for homogeneous in (True, False):
        parts = parts_of(planned({"a": dataset(24), "b": dataset(24)}, homogeneous=homogeneous), "a")
        drawn.append(
            {(p.epoch, int(row)): n.tolist() for p in parts for row, n in zip(p.rows, p.negatives, strict=True)}
        )
    assert drawn[0] == drawn[1]


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 99))
def test_an_epoch_uses_every_row_once(rows: int, batch_size: int, rows_of_query: int, seed: int) -> None:
    """An epoch's batches hold every row once, in the fewest batches, whose sizes differ by at most one."""
    batches = partition(dataset(rows, rows_of_query=rows_of_query).queries, batch_size, rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(batches) == -(-rows // batch_size)


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 5), st.integers(1, 3), st.integers(0, 99))
def test_rows_of_a_query_are_capped(rows: int, batch_size: int, rows_of_query: int, most: int, seed: int) -> None:
    """Of each query an epoch has `rows_per_query` distinct rows, or all it has."""
    queries = dataset(rows, rows_of_query=rows_of_query).queries
    used = np.concatenate(partition(queries, batch_size, rng(seed), most))
    assert len(set(used.tolist())) == len(used)
    counts = Counter(queries.tolist())
    assert Counter(queries[used].tolist()) == {query: min(count, most) for query, count in counts.items()}


def test_capped_rows_are_drawn_anew_in_each_epoch() -> None:
    """With one row a query, all rows of a query have their turn over epochs."""
    parts = parts_of(planned({"a": dataset(12, rows_of_query=3)}, steps=40, rows_per_query=1), "a")
    assert {row for part in parts for row in part.rows.tolist()} == set(range(12))
    assert all(len(part.rows) == 4 for part in parts)


@given(st.integers(1, 60), st.integers(2, 9), st.integers(1, 4), st.integers(0, 99))
def test_a_query_is_twice_in_a_batch_only_if_it_must(rows: int, batch_size: int, rows_of_query: int, seed: int) -> None:
    """A batch holds two rows of a query only where the query has more rows than the epoch has batches."""
    queries = dataset(rows, rows_of_query=rows_of_query).queries
    batches = partition(queries, batch_size, rng(seed))
    most = -(-rows_of_query // len(batches))
    assert all(max(Counter(queries[batch].tolist()).values()) <= most for batch in batches)


def test_a_dataset_smaller_than_a_batch_gives_all_it_has() -> None:
    """Every batch of a dataset of three rows has those three, and each begins an epoch."""
    parts = parts_of(planned({"small": dataset(3)}, steps=5), "small")
    assert [sorted(part.rows.tolist()) for part in parts] == [[0, 1, 2]] * 5
    assert [part.epoch for part in parts] == [0, 1, 2, 3, 4]


def test_steps_are_numbered_and_shared_by_weight() -> None:
    """Steps count from 0, each of one dataset, and a dataset of twice the weight has twice the batches."""
    batches = planned({"a": dataset(30), "b": dataset(30, weight=2.0)})
    assert [batch.step for batch in batches] == list(range(12))
    assert Counter(part.dataset for batch in batches for part in batch.parts) == {"a": 4, "b": 8}
    assert all(len(batch.parts) == 1 for batch in batches)


@pytest.mark.parametrize("homogeneous", [True, False])
def test_the_exponent_one_goes_through_datasets_equally_often(homogeneous: bool) -> None:  # noqa: FBT001 - pytest hands it over
    """With exponent 1 and one weight, so many epochs are that many of each dataset, whatever its size and batches."""
    sizes = {"a": 40, "b": 9, "c": 2}
    batch_size = {"a": 8, "b": 4, "c": 4} if homogeneous else dict.fromkeys(sizes, 3)
    sets = {name: dataset(size, batch_size=batch_size[name]) for name, size in sizes.items()}
    batches = planned(sets, steps=None, epochs=2.0, size_exponent=1.0, homogeneous=homogeneous, batch_size=3)
    for name, size in sizes.items():
        seen = Counter(row for part in parts_of(batches, name) for row in part.rows.tolist())
        assert seen == dict.fromkeys(range(size), 2)


@pytest.mark.parametrize("homogeneous", [True, False])
@given(
    shapes=st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.1, 0.5, 1.0, 3.0])), min_size=1, max_size=4),
    epochs=st.sampled_from([1.0, 2.0]),
)
@settings(max_examples=40, deadline=None)
def test_an_epoch_goes_by_weight(homogeneous: bool, shapes: list[tuple[int, float]], epochs: float) -> None:  # noqa: FBT001 - pytest hands it over
    """With exponent 1 an epoch is the heaviest datasets once and the others by weight: rows seen are weight x rows."""
    sets = {f"d{number}": dataset(4 * size, weight=weight) for number, (size, weight) in enumerate(shapes)}
    heaviest = max(weight for _, weight in shapes)
    batches = planned(sets, steps=None, epochs=epochs, size_exponent=1.0, homogeneous=homogeneous)
    for name, rows in sets.items():
        seen = sum(len(part.rows) for part in parts_of(batches, name))
        # The steps are a whole number, and so are a dataset's.
        assert abs(seen - epochs * rows.weight / heaviest * len(rows.queries)) < 2 * 4


def test_the_ratios_of_a_mixture_are_kept() -> None:
    """Of datasets of weight 1, 0.1 and 0.5 an epoch has all rows, a tenth and half of them."""
    sets = {"all": dataset(400), "tenth": dataset(400, weight=0.1), "half": dataset(400, weight=0.5)}
    batches = planned(sets, steps=None, epochs=1.0, size_exponent=1.0)
    assert [sum(len(part.rows) for part in parts_of(batches, name)) for name in sets] == [400, 40, 200]
    assert len(batches) == 160


def test_weights_change_no_number_of_steps_that_is_given() -> None:
    """Steps that the recipe names are as many whatever the weights are."""
    assert len(planned({"a": dataset(40), "b": dataset(40, weight=0.1)}, size_exponent=1.0)) == 12


def test_the_exponent_zero_goes_by_weight_alone() -> None:
    """With exponent 0 a large dataset has the steps of a small one of its weight, with 0.5 something between."""
    sets = {"large": dataset(64), "small": dataset(4)}
    shares = [len(parts_of(planned(sets, steps=20, size_exponent=e), "large")) for e in (0.0, 0.5, 1.0)]
    assert shares == [10, 16, 19]


@pytest.mark.parametrize("left_out", [Rows(1.0, np.array([], int), np.array([], int), 4), dataset(5, weight=0.0)])
def test_no_rows_or_no_weight_means_no_batch(left_out: Rows) -> None:
    """A dataset without rows or without weight gets no step and changes no other batch."""
    assert whole(planned({"a": dataset(9), "none": left_out})) == whole(planned({"a": dataset(9)}))
    assert planned({"none": left_out}) == []


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 3)), min_size=1, max_size=4), st.integers(1, 9))
def test_mixed_batches_are_full_and_go_through_their_datasets(shapes: list[tuple[int, int]], steps: int) -> None:
    """Every mixed batch is full, datasets have their share of the rows, and no row is seen twice more than another."""
    sets = {f"d{number}": dataset(rows, weight=weight) for number, (rows, weight) in enumerate(shapes)}
    batches = planned(sets, steps=steps, homogeneous=False)
    assert [sum(len(part.rows) for part in batch.parts) for batch in batches] == [4] * steps
    share = quotas({name: rows.weight for name, rows in sets.items()}, 4 * steps)
    for name, rows in sets.items():
        parts = parts_of(batches, name)
        assert sum(len(part.rows) for part in parts) == share[name]
        seen = Counter(row for part in parts for row in part.rows.tolist())
        counts = [seen[row] for row in range(len(rows.queries))]
        assert max(counts) - min(counts) <= 1
        epochs = Counter((part.epoch, row) for part in parts for row in part.rows.tolist())
        assert max(epochs.values(), default=1) == 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 9), st.integers(0, 99))
def test_negatives_are_drawn_without_replacement(stored: list[int], wanted: int, seed: int) -> None:
    """Each row draws what is wanted or all it has, distinct, ascending and within what is stored."""
    for count, drawn in zip(stored, draw(np.array(stored), wanted, rng(seed)).tolist(), strict=True):
        found, rest = drawn[: min(wanted, count)], drawn[min(wanted, count) :]
        assert sorted(set(found)) == found
        assert all(0 <= one < count for one in found)
        assert set(rest) <= {-1}


def test_rows_drawn_at_once_change_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negatives are the same whether rows are drawn in one go or a few at a time."""
    stored = np.array([5, 0, 3, 9, 9, 1, 7])
    expected = draw(stored, 4, rng(1))
    monkeypatch.setattr(plans, "_DRAWN_AT_ONCE", 2)
    np.testing.assert_array_equal(draw(stored, 4, rng(1)), expected)


def test_an_epoch_draws_other_negatives() -> None:
    """The same row draws anew in the next epoch, evenly over what is stored."""
    parts = parts_of(planned({"small": dataset(4, stored=10)}, steps=200), "small")
    drawn = Counter(one for part in parts for one in part.negatives.ravel().tolist())
    assert set(drawn) == set(range(10))
    assert min(drawn.values()) > 0.8 * max(drawn.values())
