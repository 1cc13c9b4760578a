"""Strings as numbers: equal ones have one, so that rows of any length are compared and looked up as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Lists:
    """A list of numbers for each row.

    Attributes:
        values: one row's after another's.
        starts: [rows + 1] where each row's begin; the last one is how many there are.
    """

    values: Numbers
    starts: Ints

    @property
    def counts(self) -> Ints:
        """How many each row has."""
        return np.diff(self.starts)

    def places(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return all that some rows have: places in `rows`, and places in `values`."""
        counts = self.counts[rows]
        owners = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        return owners, self.starts[rows][owners] + within


def starts(counts: ArrayLike) -> Ints:
    """Where lists of so many values begin that stand one after another, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)])


def numbered(columns: Mapping[str, Sequence[pa.Array]]) -> tuple[pa.LargeStringArray, dict[str, Numbers]]:
    """Number the strings of some columns, equal ones alike, in the order in which they first appear.

    Args:
        columns: in chunks, dictionary-encoded or not; each has one at least.

    Returns:
        The distinct strings, and the numbers of each column.
    """
    chunks = {
        name: [one if pa.types.is_dictionary(one.type) else one.dictionary_encode() for one in column]
        for name, column in columns.items()
    }
    said = [chunk.dictionary.cast(pa.large_string()) for column in chunks.values() for chunk in column]
    distinct = pa.chunked_array(said).dictionary_encode().combine_chunks()
    numbers, ends = distinct.indices.to_numpy(), np.cumsum([len(one) for one in said])
    own = iter(np.split(numbers, ends[:-1]))
    found = {name: [next(own)[chunk.indices.to_numpy()] for chunk in column] for name, column in chunks.items()}
    return distinct.dictionary, {name: np.concatenate(column) for name, column in found.items()}
