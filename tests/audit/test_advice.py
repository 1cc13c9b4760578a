"""Advice of the loaders, as an audit can follow it."""

import pytest

from embedder.audit.advice import advised


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "x: if quotes are text in this file, set quoting: false",
            "x: if quotes are text in this file, give --no-quoting",
        ),
        ("x: use one of .csv or say format: in its source", "x: use one of .csv"),
        ("x: no such file; correct source.files or path", "x: no such file; correct SOURCE"),
        ("x: has no a; name its files: source.splits: {train: NAME}", "x: has no a; correct the names of its files"),
        ("x: is empty", "x: is empty"),
    ],
)
def test_no_advice_names_an_entry(message: str, said: str) -> None:
    """What a loader says of entries of params.yaml is said of options, the rest as it is."""
    assert advised(message) == said
