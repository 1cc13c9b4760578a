"""Shards to batches: texts once, and the mask."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.batches import IN_BATCH, Texts, compose, read_shards
from embedder.errors import StudentError
from embedder.plans import Batch
from tests.training_sets import passage, query, row, training_set, write_shards


def composed(content: list[dict[str, Any]], task: str = "retrieval", negatives: int = 2) -> Texts:
    """Compose one batch of all rows and their first negatives."""
    chosen = tuple(tuple(range(min(negatives, len(one["negative_ids"])))) for one in content)
    batch = Batch(0, "rooms", 0, tuple(range(len(content))), chosen)
    return compose(training_set(content, task=task), batch)


def allowed(texts: Texts, number: int) -> set[str]:
    """Return the passages that count for the query of that number."""
    index = texts.queries.index(query(number))
    return {texts.passages[column] for column in np.flatnonzero(texts.allowed[index])}


def test_a_passage_is_one_column() -> None:
    """A passage that is one row's positive and two others' negative is encoded once and is one column."""
    texts = composed([row(1, [2, 3]), row(2, [3, 4]), row(5, [2, 3])])
    assert texts.passages == [passage(number) for number in (1, 2, 3, 4, 5)]
    assert [texts.passages[target] for target in texts.targets] == [passage(number) for number in (1, 2, 5)]


def test_the_batch_counts_in_retrieval() -> None:
    """For a retrieval query every passage of the batch counts: its own negatives and the other rows'."""
    texts = composed([row(1, [2, 3]), row(4, [5])])
    assert texts.allowed.all()


@pytest.mark.parametrize("task", ["classification", "clustering"])
def test_only_own_negatives_count_in_label_tasks(task: str) -> None:
    """For a label task's query its positive and its own negatives count, nothing of another row."""
    texts = composed([row(1, [2, 3]), row(4, [5])], task)
    assert allowed(texts, 1) == {passage(number) for number in (1, 2, 3)}
    assert allowed(texts, 4) == {passage(number) for number in (4, 5)}


def test_other_positives_and_masked_passages_do_not_count() -> None:
    """A passage of another row that is a positive of the query, or masked for it, does not count for it alone."""
    first = row(1, [2], positive_ids=["p001", "p004"], masked_ids=["p005"])
    texts = composed([first, row(4, [5, 6])])
    assert allowed(texts, 1) == {passage(number) for number in (1, 2, 6)}
    assert allowed(texts, 4) == {passage(number) for number in (1, 2, 4, 5, 6)}


def test_two_rows_of_a_query_do_not_count_against_each_other() -> None:
    """Where a query has two positives in one batch, each row counts its own positive and not the other."""
    both = ["p001", "p002"]
    second = row(1, [3], positive_id="p002", positive=passage(2), positive_ids=both)
    texts = composed([row(1, [3], positive_ids=both), second])
    assert [set(np.flatnonzero(mask)) for mask in texts.allowed] == [{0, 2}, {1, 2}]


def test_a_passage_that_says_the_query_does_not_count() -> None:
    """Where queries are passages too, another row's passage that says the query itself does not count for it."""
    texts = composed([row(1, [2]), row(4, [5], positive=query(1).upper())], "sts")
    assert query(1).upper() not in allowed(texts, 1)
    assert query(1).upper() in allowed(texts, 4)


@settings(max_examples=40)
@given(st.data(), st.sampled_from(["retrieval", "reranking", "sts", "classification", "clustering"]))
def test_the_mask_is_its_definition(data: st.DataObject, task: str) -> None:
    """The mask equals the rule applied to every pair of a row and a passage."""
    numbers = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True))
    content = []
    for number in numbers:
        others = st.lists(st.sampled_from([one for one in range(10) if one != number]), max_size=3, unique=True)
        positives = [f"p{one:03}" for one in data.draw(others)]
        masked = [f"p{one:03}" for one in data.draw(others)]
        content.append(row(number, data.draw(others), positive_ids=[f"p{number:03}", *positives], masked_ids=masked))
    content.sort(key=lambda one: str(one["query_id"]))
    texts = composed(content, task)
    for (index, one), (column, text) in product(enumerate(content), enumerate(texts.passages)):
        refused = {passage(int(name[1:])) for name in [*one["positive_ids"], *one["masked_ids"]]}
        counts = task in IN_BATCH or text in one["negatives"][:2]
        expected = text == one["positive"] or (counts and text not in refused)
        assert texts.allowed[index, column] == expected


def test_shards_of_a_dataset_are_one_set(tmp_path: Path) -> None:
    """The shards of a dataset are read as one set in their order, with what their metadata say."""
    write_shards(tmp_path, "one", weight="2.5")
    write_shards(tmp_path, "two", "sts", instruct_passages="true")
    one, two = read_shards(tmp_path)
    assert (one.name, one.task, one.weight, one.instruct_passages) == ("one", "retrieval", 2.5, False)
    assert (two.name, two.task, two.weight, two.instruct_passages) == ("two", "sts", 1.0, True)
    assert one.outline().query_ids == [f"q{number:03}" for number in range(24)]
    assert set(one.outline().stored) == {3}


def test_no_shards_is_one_line(tmp_path: Path) -> None:
    """A folder without shards names the stage that writes them."""
    with pytest.raises(StudentError, match="no shards to train on; run"):
        read_shards(tmp_path)


def test_shards_that_disagree_are_refused(tmp_path: Path) -> None:
    """Two shards of one dataset with different weights are refused by name."""
    write_shards(tmp_path, "one")
    (tmp_path / "one-00001.parquet").rename(tmp_path / "kept")
    write_shards(tmp_path, "one", weight="3.0")
    (tmp_path / "one-00001.parquet").unlink()
    (tmp_path / "kept").rename(tmp_path / "one-00001.parquet")
    with pytest.raises(StudentError, match="'one' disagree on weight"):
        read_shards(tmp_path)
