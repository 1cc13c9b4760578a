"""Which row holds the vector of a text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedder.vectors.index import Index
from embedder.vectors.keys import text_keys

NUMBERS = st.lists(st.integers(0, 30).map(str), max_size=12)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8))
def test_an_index_is_a_dictionary_of_first_rows(steps: list[tuple[list[str], list[str]]]) -> None:
    """However keys are added and looked for in between, each has the row at which it was first added, or -1."""
    index, first, rows = Index(), dict[str, int](), 0
    for added, asked in steps:
        index.add(text_keys(added))
        for text in added:
            first.setdefault(text, rows)
            rows += 1
        assert index.rows == rows
        np.testing.assert_array_equal(index.find(text_keys(asked)), [first.get(text, -1) for text in asked])
