"""Which rows make each step's batch: fixed by the seed, the weights and the recipe alone, whoever carries it out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

from embedder.params.recipe import Recipe
from embedder.seeds import rng

Ints = NDArray[np.int64]
Places = NDArray[np.int32]

# Rows whose negatives are drawn at once: it bounds the memory, and changes no draw.
_DRAWN_AT_ONCE = 65_536


@dataclass(frozen=True)
class Rows:
    """What a plan must know of a dataset: its rows in their stored order.

    Attributes:
        weight: the dataset's share of the steps, in proportion to the others'.
        queries: [rows] the query of each row, numbered; a query with several positives has several rows.
        stored: [rows] how many negatives are stored for each.
        batch_size: the most rows of one of its batches.
    """

    weight: float
    queries: Ints
    stored: Ints
    batch_size: int


@dataclass(frozen=True)
class Part:
    """Rows of one dataset and one epoch in a batch.

    Attributes:
        dataset: its name.
        epoch: how often the dataset has been gone through before, from 0.
        rows: [rows] places in the dataset's rows.
        negatives: [rows, most] places in each row's stored negatives, ascending; -1 at the end of a row with fewer.
    """

    dataset: str
    epoch: int
    rows: Ints
    negatives: Places


@dataclass(frozen=True)
class Batch:
    """The rows of one step, counted from 0: one part where batches are of one dataset."""

    step: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Epoch:
    """One time through a dataset: its batches, and [rows of the dataset, wanted] the negatives each row draws."""

    dataset: str
    number: int
    batches: list[Ints]
    negatives: Places

    def part(self, rows: Ints) -> Part:
        drawn = self.negatives[rows]
        return Part(self.dataset, self.number, rows, drawn[:, : np.count_nonzero((drawn >= 0).any(axis=0))])


def plan(datasets: Mapping[str, Rows], recipe: Recipe) -> list[Batch]:
    """Plan all steps.

    Each dataset has its exact share of the steps (of the rows, where batches are mixed), in seeded order. Each epoch
    of a dataset uses every row once, or `rows_per_query` of each query, in batches of nearly equal size, so that none
    is tiny and no row is left over.

    Args:
        datasets: by name; one without rows or weight gets no step.
        recipe: how many steps of what. An epoch has the batches of every dataset once, those of one that has half the
            largest weight counted half.

    Returns:
        One batch a step; none without a dataset.
    """
    usable = {name: rows for name, rows in sorted(datasets.items()) if len(rows.queries) and rows.weight > 0}
    if not usable:
        return []
    sizes = {name: _size(rows, recipe) for name, rows in usable.items()}
    shares = {name: rows.weight * sizes[name] ** recipe.size_exponent for name, rows in usable.items()}
    heaviest = max(rows.weight for rows in usable.values())
    weighed = sum(rows.weight / heaviest * sizes[name] for name, rows in usable.items())
    once = weighed / (1 if recipe.homogeneous else recipe.batch_size)
    steps = recipe.steps or max(1, round((recipe.epochs or 0) * once))
    return (_homogeneous if recipe.homogeneous else _mixed)(usable, shares, steps, recipe)


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


def rows_of_epoch(name: str, rows: Rows, epoch: int, recipe: Recipe) -> list[Ints]:
    """Which rows of a dataset an epoch goes through, batch by batch."""
    return partition(rows.queries, rows.batch_size, rng(recipe.seed, name, str(epoch), "rows"), recipe.rows_per_query)


def partition(
    queries: Ints, batch_size: int, random: np.random.Generator, rows_per_query: int | None = None
) -> list[Ints]:
    """Deal rows into the fewest batches of at most `batch_size`, whose sizes differ by at most 1.

    Queries come in random order, each query's rows next to each other, and are dealt like cards: so a query is twice
    in a batch only if it has more rows than there are batches. Of a query with more than `rows_per_query` rows so many
    are drawn.
    """
    turn = random.permutation(queries.max() + 1)[queries]
    dealt = np.lexsort((random.random(len(queries)), turn))
    if rows_per_query:
        starts = np.flatnonzero(np.diff(turn[dealt], prepend=-1))
        within = np.arange(len(dealt)) - np.repeat(starts, np.diff(starts, append=len(dealt)))
        dealt = dealt[within < rows_per_query]
    batches = -(-len(dealt) // batch_size)
    return [dealt[start::batches] for start in range(batches)]


def draw(stored: Ints, wanted: int, random: np.random.Generator) -> Places:
    """Draw `wanted` of each row's `stored` negatives without replacement, all where fewer are stored.

    Returns:
        [rows, wanted] places from 0, ascending, then -1.
    """
    most = int(stored.max(initial=0))
    drawn = np.full((len(stored), wanted), -1, dtype=np.int32)
    for start in range(0, len(stored), _DRAWN_AT_ONCE):
        numbers = stored[start : start + _DRAWN_AT_ONCE, None]
        keys = random.random((len(numbers), most))
        keys[np.arange(most) >= numbers] = np.inf
        places = np.argsort(keys, axis=1)[:, :wanted]
        places[places >= numbers] = most
        places.sort(axis=1)
        drawn[start : start + len(numbers), : places.shape[1]] = np.where(places < most, places, -1)
    return drawn


def _size(rows: Rows, recipe: Recipe) -> int:
    """What it takes to go through a dataset once: batches, or rows where batches are mixed."""
    length = len(rows.queries)
    if recipe.rows_per_query:
        length = int(np.minimum(np.bincount(rows.queries), recipe.rows_per_query).sum())
    return -(-length // rows.batch_size) if recipe.homogeneous else length


def _homogeneous(usable: Mapping[str, Rows], shares: Mapping[str, float], steps: int, recipe: Recipe) -> list[Batch]:
    share = quotas(shares, steps)
    order = [name for name in usable for _ in range(share[name])]
    rng(recipe.seed, "order").shuffle(order)
    parts = {name: _dealt(_epochs(name, rows, recipe)) for name, rows in usable.items()}
    return [Batch(step, (next(parts[name]),)) for step, name in enumerate(order)]


def _mixed(usable: Mapping[str, Rows], shares: Mapping[str, float], steps: int, recipe: Recipe) -> list[Batch]:
    """Deal the places of all batches to the datasets, then fill each dataset's places with its rows, epoch by epoch."""
    share = quotas(shares, steps * recipe.batch_size)
    places = np.repeat(np.arange(len(usable)), [share[name] for name in usable])
    rng(recipe.seed, "order").shuffle(places)
    dealt = places.reshape(steps, -1)
    filled = [
        _poured(_epochs(name, rows, recipe), np.count_nonzero(dealt == number, axis=1).tolist())
        for number, (name, rows) in enumerate(usable.items())
    ]
    return [Batch(step, tuple(chain(*parts))) for step, parts in enumerate(zip(*filled, strict=True))]


def _epochs(name: str, rows: Rows, recipe: Recipe) -> Iterator[_Epoch]:
    for number in count():
        negatives = draw(rows.stored, recipe.num_negatives, rng(recipe.seed, name, str(number), "negatives"))
        yield _Epoch(name, number, rows_of_epoch(name, rows, number, recipe), negatives)


def _dealt(epochs: Iterator[_Epoch]) -> Iterator[Part]:
    """Yield the batches of epoch after epoch."""
    for epoch in epochs:
        for rows in epoch.batches:
            yield epoch.part(rows)


def _poured(epochs: Iterator[_Epoch], counts: Sequence[int]) -> Iterator[list[Part]]:
    """Yield the next so many rows of a dataset, for each of `counts`: one part, and one more after an epoch's end."""
    epoch = next(epochs)
    left = np.concatenate(epoch.batches)
    for wanted in counts:
        taken, missing = [], wanted
        while missing:
            if not len(left):
                epoch = next(epochs)
                left = np.concatenate(epoch.batches)
            taken.append(epoch.part(left[:missing]))
            left, missing = left[missing:], missing - min(missing, len(left))
        yield taken
