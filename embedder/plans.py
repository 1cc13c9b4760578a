"""Which rows of which dataset make each step's batch: fixed by the seed, the weights and the recipe alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.seeds import rng


@dataclass(frozen=True)
class Rows:
    """What a plan must know of a dataset: its rows in their stored order.

    Attributes:
        weight: the dataset's share of the steps, in proportion to the others'.
        query_ids: [rows] the query of each row; a query with several positives has several rows.
        stored: [rows] how many negatives are stored for each.
    """

    weight: float
    query_ids: Sequence[str]
    stored: Sequence[int]


@dataclass(frozen=True)
class Batch:
    """The rows of one step, all of one dataset.

    Attributes:
        step: from 0.
        dataset: its name.
        epoch: how often the dataset has been gone through before, from 0.
        rows: indices into the dataset's rows.
        negatives: of each row, indices into its stored negatives, ascending; fewer than wanted where fewer are stored.
    """

    step: int
    dataset: str
    epoch: int
    rows: tuple[int, ...]
    negatives: tuple[tuple[int, ...], ...]


def plan(datasets: Mapping[str, Rows], *, steps: int, batch_size: int, num_negatives: int, seed: int) -> list[Batch]:
    """Plan all steps.

    Every batch is of one dataset; each dataset has its exact share of the steps, in seeded order. Each epoch of a
    dataset uses every row once, in batches of nearly equal size, so that none is tiny and no row is left over.

    Args:
        datasets: by name; one without rows or weight gets no step.
        steps: how many batches.
        batch_size: the most rows of a batch; a smaller dataset's batches are all it has.
        num_negatives: how many of a row's stored negatives are drawn, anew in each epoch.
        seed: of everything drawn.
    """
    # A plan this size fits in memory. Written to Parquet, it would let a run resume at any step and processes share
    # it: each takes its slice of `rows`.
    usable = {name: rows for name, rows in sorted(datasets.items()) if rows.query_ids and rows.weight > 0}
    share = quotas({name: rows.weight for name, rows in usable.items()}, steps)
    order = [name for name in usable for _ in range(share[name])]
    rng(seed, "order").shuffle(order)
    batches = {name: _batches(name, rows, batch_size, num_negatives, seed) for name, rows in usable.items()}
    return [Batch(step, name, *next(batches[name])) for step, name in enumerate(order)]


def quotas(weights: Mapping[str, float], steps: int) -> dict[str, int]:
    """Share `steps` in proportion to `weights` by largest remainder; ties go to the first name.

    Returns:
        Whole numbers that add up to `steps`, or nothing without weights.
    """
    total = sum(weights.values())
    exact = {name: steps * weight / total for name, weight in weights.items()}
    share = {name: int(value) for name, value in exact.items()}
    short = sorted(exact, key=lambda name: (share[name] - exact[name], name))[: steps - sum(share.values())]
    return {name: share[name] + (name in short) for name in weights}


def partition(query_ids: Sequence[str], batch_size: int, random: np.random.Generator) -> list[NDArray[np.int64]]:
    """Deal all rows into the fewest batches of at most `batch_size`, whose sizes differ by at most 1.

    Queries come in random order, each query's rows next to each other, and are dealt like cards: so a query is twice
    in a batch only if it has more rows than there are batches.
    """
    _, queries = np.unique(np.asarray(query_ids), return_inverse=True)
    place = random.permutation(queries.max() + 1)
    dealt = np.lexsort((random.random(len(queries)), place[queries]))
    count = -(-len(dealt) // batch_size)
    return [dealt[start::count] for start in range(count)]


def draw(stored: Sequence[int], wanted: int, random: np.random.Generator) -> list[tuple[int, ...]]:
    """Draw `wanted` of each row's `stored` negatives without replacement, all where fewer are stored."""
    numbers = np.asarray(stored, dtype=np.int64)
    keys = random.random((len(numbers), numbers.max(initial=0)))
    keys[np.arange(keys.shape[1]) >= numbers[:, None]] = np.inf
    ranked = np.argsort(keys, axis=1, kind="stable")
    return [tuple(sorted(row[: min(wanted, n)].tolist())) for row, n in zip(ranked, numbers, strict=True)]


def _batches(
    name: str, rows: Rows, batch_size: int, wanted: int, seed: int
) -> Iterator[tuple[int, tuple[int, ...], tuple[tuple[int, ...], ...]]]:
    """Epoch after epoch of one dataset: (epoch, rows, negatives) of each batch."""
    epoch = 0
    while True:
        negatives = draw(rows.stored, wanted, rng(seed, name, str(epoch), "negatives"))
        for batch in partition(rows.query_ids, batch_size, rng(seed, name, str(epoch), "rows")):
            chosen = tuple(batch.tolist())
            yield epoch, chosen, tuple(negatives[row] for row in chosen)
        epoch += 1
