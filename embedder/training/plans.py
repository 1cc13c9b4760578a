"""Which rows make each step's batch: fixed by the seed, the weights and the recipe alone, whoever carries it out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from embedder.seeds import rng

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """What a plan must know of a dataset: its rows in their stored order.

    Attributes:
        weight: the dataset's share of the steps, in proportion to the others'.
        query_ids: [rows] the query of each row; a query with several positives has several rows.
        stored: [rows] how many negatives are stored for each.
        batch_size: the most rows of one of its batches.
    """

    weight: float
    query_ids: Sequence[str]
    stored: Sequence[int]
    batch_size: int


@dataclass(frozen=True)
class Part:
    """The rows of one dataset in a batch.

    Attributes:
        dataset: its name.
        epoch: how often the dataset has been gone through before, from 0; of the first row, where an epoch ends within.
        rows: indices into the dataset's rows.
        negatives: of each row, indices into its stored negatives, ascending; fewer than wanted where fewer are stored.
    """

    dataset: str
    epoch: int
    rows: Ints
    negatives: tuple[Ints, ...]


@dataclass(frozen=True)
class Batch:
    """The rows of one step, counted from 0: one part where batches are of one dataset."""

    step: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Mixture:
    """How datasets are mixed; the keys of the recipe of the same names say what they mean."""

    steps: int | None
    epochs: float | None
    batch_size: int
    homogeneous: bool
    size_exponent: float
    rows_per_query: int | None
    num_negatives: int
    seed: int


def plan(datasets: Mapping[str, Rows], mixture: Mixture) -> list[Batch]:
    """Plan all steps.

    Each dataset has its exact share of the steps (of the rows, where batches are mixed), in seeded order. Each epoch
    of a dataset uses every row once, or `rows_per_query` of each query, in batches of nearly equal size, so that none
    is tiny and no row is left over.

    Args:
        datasets: by name; one without rows or weight gets no step.
        mixture: how many steps of what.

    Returns:
        One batch a step; none without a dataset.
    """
    usable = {name: rows for name, rows in sorted(datasets.items()) if len(rows.query_ids) and rows.weight > 0}
    if not usable:
        return []
    lengths = {name: _epoch_length(rows, mixture) for name, rows in usable.items()}
    steps = mixture.steps or max(1, round((mixture.epochs or 0) * _steps_of_an_epoch(usable, lengths, mixture)))
    shares = {
        name: rows.weight * (lengths[name] / rows.batch_size) ** mixture.size_exponent for name, rows in usable.items()
    }
    return (_homogeneous if mixture.homogeneous else _mixed)(usable, shares, steps, mixture)


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


def partition(
    query_ids: Sequence[str], batch_size: int, random: np.random.Generator, rows_per_query: int | None = None
) -> list[Ints]:
    """Deal rows into the fewest batches of at most `batch_size`, whose sizes differ by at most 1.

    Queries come in random order, each query's rows next to each other, and are dealt like cards: so a query is twice
    in a batch only if it has more rows than there are batches. Of a query with more than `rows_per_query` rows so many
    are drawn.
    """
    _, queries = np.unique(np.asarray(query_ids), return_inverse=True)
    place = random.permutation(queries.max() + 1)
    dealt = np.lexsort((random.random(len(queries)), place[queries]))
    if rows_per_query:
        starts = np.flatnonzero(np.diff(place[queries[dealt]], prepend=-1))
        within = np.arange(len(dealt)) - np.repeat(starts, np.diff(starts, append=len(dealt)))
        dealt = dealt[within < rows_per_query]
    count = -(-len(dealt) // batch_size)
    return [dealt[start::count] for start in range(count)]


def draw(stored: Sequence[int], wanted: int, random: np.random.Generator) -> list[Ints]:
    """Draw `wanted` of each row's `stored` negatives without replacement, all where fewer are stored."""
    numbers = np.asarray(stored, dtype=np.int64)
    keys = random.random((len(numbers), numbers.max(initial=0)))
    keys[np.arange(keys.shape[1]) >= numbers[:, None]] = np.inf
    ranked = np.argsort(keys, axis=1, kind="stable")
    return [np.sort(row[: min(wanted, n)]) for row, n in zip(ranked, numbers, strict=True)]


def _epoch_length(rows: Rows, mixture: Mixture) -> int:
    if not mixture.rows_per_query:
        return len(rows.query_ids)
    _, counts = np.unique(np.asarray(rows.query_ids), return_counts=True)
    return int(np.minimum(counts, mixture.rows_per_query).sum())


def _steps_of_an_epoch(usable: Mapping[str, Rows], lengths: Mapping[str, int], mixture: Mixture) -> int:
    """How many batches it takes to go through every dataset once."""
    if not mixture.homogeneous:
        return -(-sum(lengths.values()) // mixture.batch_size)
    return sum(-(-lengths[name] // rows.batch_size) for name, rows in usable.items())


def _homogeneous(usable: Mapping[str, Rows], shares: Mapping[str, float], steps: int, mixture: Mixture) -> list[Batch]:
    share = quotas(shares, steps)
    order = [name for name in usable for _ in range(share[name])]
    rng(mixture.seed, "order").shuffle(order)
    batches = {name: _epochs(name, rows, rows.batch_size, mixture) for name, rows in usable.items()}
    return [Batch(step, (next(batches[name]),)) for step, name in enumerate(order)]


def _mixed(usable: Mapping[str, Rows], shares: Mapping[str, float], steps: int, mixture: Mixture) -> list[Batch]:
    """Deal the places of all batches to the datasets, then fill each dataset's places with its rows, epoch by epoch."""
    names = list(usable)
    share = quotas(shares, steps * mixture.batch_size)
    places = np.repeat(np.arange(len(names)), [share[name] for name in names])
    rng(mixture.seed, "order").shuffle(places)
    batches = {name: _row_by_row(_epochs(name, rows, rows.batch_size, mixture)) for name, rows in usable.items()}
    return [Batch(step, tuple(_filled(names, part, batches))) for step, part in enumerate(places.reshape(steps, -1))]


def _filled(names: Sequence[str], places: Ints, rows: Mapping[str, Iterator[tuple[int, int, Ints]]]) -> Iterator[Part]:
    for number, count in zip(*np.unique(places, return_counts=True), strict=True):
        name = names[number]
        taken = list(islice(rows[name], int(count)))
        yield Part(name, taken[0][0], np.array([row for _, row, _ in taken]), tuple(drawn for _, _, drawn in taken))


def _row_by_row(parts: Iterator[Part]) -> Iterator[tuple[int, int, Ints]]:
    for part in parts:
        for row, negatives in zip(part.rows.tolist(), part.negatives, strict=True):
            yield part.epoch, row, negatives


def _epochs(name: str, rows: Rows, batch_size: int, mixture: Mixture) -> Iterator[Part]:
    """Epoch after epoch of one dataset, batch by batch."""
    epoch = 0
    while True:
        negatives = draw(rows.stored, mixture.num_negatives, rng(mixture.seed, name, str(epoch), "negatives"))
        random = rng(mixture.seed, name, str(epoch), "rows")
        for batch in partition(rows.query_ids, batch_size, random, mixture.rows_per_query):
            yield Part(name, epoch, batch, tuple(negatives[row] for row in batch))
        epoch += 1
