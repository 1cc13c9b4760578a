"""The texts a base may be built from."""

from typing import Any

import pyarrow as pa

from embedder.train_texts import Ingested, train_texts
from tests import tables


def dataset(**changes: object) -> Ingested:
    """Return a dataset with two train and one dev query, of three passages one the dev query's positive."""
    parts: dict[str, Any] = {
        "queries": tables.queries({"q1": "how to sort", "q2": "how to read"}, {"q3": "how to write"}),
        "corpus": tables.corpus({"p1": "Sorting.", "p2": "Reading.", "p3": "Writing."}),
        "dev_positives": pa.array(["p3"]),
        "weight": 1.0,
    }
    return Ingested(**(parts | changes))


def test_dev_queries_and_their_positives_are_held_out() -> None:
    """A dev query and its positive are not seen; a passage judged irrelevant for it is."""
    texts, counts = train_texts({"docs": dataset()})
    assert texts == ["Reading.", "Sorting.", "how to read", "how to sort"]
    assert counts == {"docs": {"used": 4, "held_out": 2, "repeated": 0}}


def test_a_text_held_out_in_one_dataset_is_held_out_in_all() -> None:
    """A train text that says what another dataset's dev set says, up to case and space, is not seen."""
    other = dataset(
        queries=tables.queries({"a": "HOW  to write"}),
        corpus=tables.corpus({"b": "writing.", "c": "Sorting.", "d": "New."}),
        dev_positives=pa.array([], pa.string()),
    )
    texts, counts = train_texts({"docs": dataset(), "other": other})
    assert texts == ["New.", "Reading.", "Sorting.", "how to read", "how to sort"]
    assert counts["other"] == {"used": 1, "held_out": 2, "repeated": 1}


def test_nothing_is_learnt_from_what_is_evaluated_only() -> None:
    """Of a dataset without weight no text is seen, and what it is measured on is held out of the others."""
    texts, counts = train_texts({"docs": dataset(), "other": dataset(weight=0.0, queries=tables.queries({"a": "new"}))})
    assert texts == ["Reading.", "Sorting.", "how to read", "how to sort"]
    assert counts["other"] == {"no_weight": 4}
    measured = dataset(weight=0.0, queries=tables.queries({}, {"a": "How to sort"}))
    assert "how to sort" not in train_texts({"docs": dataset(), "other": measured})[0]


def test_the_counts_add_up() -> None:
    """Every query and passage is used, held out or repeated."""
    data = dataset()
    _, counts = train_texts({"one": data, "two": data})
    for name in ("one", "two"):
        assert sum(counts[name].values()) == data.queries.num_rows + data.corpus.num_rows
    assert counts["two"]["used"] == 0
