"""What answers dev queries."""

from embedder.held_out import dev_positives
from tests import tables

QUERIES = tables.queries({"train": "a"}, {"dev": "b"})


def test_positives_of_dev_queries_are_held_out() -> None:
    """Only passages relevant to a dev query are, each once; those judged irrelevant for it are not."""
    qrels = tables.qrels([("train", "p1", 1.0), ("dev", "p2", 1.0), ("dev", "p3", 0.0)])
    assert dev_positives(QUERIES, qrels, tables.entry()).to_pylist() == ["p2"]


def test_label_tasks_hold_nothing_out() -> None:
    """A label answers train and dev queries alike."""
    qrels = tables.qrels([("train", "label", 1.0), ("dev", "label", 1.0)])
    assert dev_positives(QUERIES, qrels, tables.entry("classification")).to_pylist() == []
