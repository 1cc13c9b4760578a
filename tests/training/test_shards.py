"""Shards to rows that are numbers of texts."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from embedder.errors import StudentError, TableError
from embedder.training.numbered import Lists, numbered, starts
from embedder.training.shards import TrainingSet, read_shards, together
from tests.training_sets import passage, query, row, rows, student, training_set, write_shards


def texts_of(one: TrainingSet, lists: Lists, number: int) -> list[str]:
    """Return the texts of a row's list."""
    return one.said(lists.values[lists.starts[number] : lists.starts[number + 1]])


def test_equal_strings_have_one_number() -> None:
    """Strings are numbered in the order of appearance over all chunks and columns, encoded ones and empty ones too."""
    encoded = pa.array(["b", "a", "b"]).dictionary_encode()
    found, numbers = numbered({"x": [encoded.slice(1), pa.array([], pa.string())], "y": [pa.array(["c", "b"])]})
    said = found.to_pylist()
    assert [said[one] for one in numbers["x"]] == ["a", "b"]
    assert [said[one] for one in numbers["y"]] == ["c", "b"]
    assert sorted(said) == ["a", "b", "c"]


def test_lists_are_looked_up_by_row() -> None:
    """All that some rows have comes back with the place of its row, in the order asked for."""
    lists = Lists(np.array([5, 6, 7, 8], np.int32), starts([1, 0, 3]))
    owners, places = lists.places(np.array([2, 1, 0]))
    assert owners.tolist() == [0, 0, 0, 2]
    assert lists.values[places].tolist() == [6, 7, 8, 5]


def test_shards_of_a_dataset_are_one_set(tmp_path: Path) -> None:
    """The shards of a dataset are read as one set in their order, with what their metadata say."""
    write_shards(tmp_path, "one", weight="2.5")
    write_shards(tmp_path, "two", "sts", instruct_passages="true")
    one, two = read_shards(tmp_path)
    assert (one.name, one.task, one.weight, one.instruct_passages) == ("one", "retrieval", 2.5, False)
    assert (two.name, two.task, two.weight, two.instruct_passages) == ("two", "sts", 1.0, True)
    for number, expected in enumerate(rows()):
        assert one.said(one.queries[[number]]) == [expected["query"]]
        assert one.said(one.positives[[number]]) == [expected["positive"]]
        assert texts_of(one, one.negatives, number) == expected["negatives"]
        assert texts_of(one, one.known, number) == [expected["positive"]]
    assert len(one) == 24


def test_a_text_has_one_number_in_all_sets(tmp_path: Path) -> None:
    """Datasets that share texts say so by number, and each text is kept once."""
    write_shards(tmp_path, "one")
    write_shards(tmp_path, "two")
    one, two = read_shards(tmp_path)
    assert one.texts is two.texts
    assert len(set(one.texts.to_pylist())) == len(one.texts)
    np.testing.assert_array_equal(one.positives, two.positives)
    other, third = together([training_set([row(1, [2])], "a"), training_set([row(3, [1])], "b")])
    assert third.said(third.negatives.values) == other.said(other.positives) == [passage(1)]


def test_what_is_known_of_a_query_has_a_text_or_is_left_out() -> None:
    """Known passages are those whose text a row of the dataset has, as positive or negative; order is that of rows."""
    first = row(1, [2], positive_ids=["p001", "p004", "p099"], masked_ids=["p005", "p098"])
    one = training_set([first, row(4, [5])])
    assert sorted(texts_of(one, one.known, 0)) == sorted([passage(1), passage(4), passage(5)])
    assert texts_of(one, one.known, 1) == [passage(4)]


def test_rows_of_a_query_are_known_by_its_id() -> None:
    """A plan is told which rows are of one query, and how many negatives each has."""
    outline = training_set([row(1, [2]), row(1, [3, 4], positive_id="p009"), row(5, [])]).outline(student().recipe)
    assert outline.queries[0] == outline.queries[1] != outline.queries[2]
    assert outline.stored.tolist() == [1, 2, 0]
    assert outline.batch_size == 8


def test_a_datasets_batch_size_is_its_own() -> None:
    """The recipe's batch size holds for a dataset that has none of its own."""
    recipe = student(datasets={"rooms": {"batch_size": 3}}).recipe
    assert training_set(rows(4)).outline(recipe).batch_size == 3
    assert training_set(rows(4), "walls").outline(recipe).batch_size == 8


def test_missing_scores_are_nan() -> None:
    """A null score, and a whole null list of them, are NaN; rows that lack one are told."""
    content = [
        row(1, [2, 3], negative_scores=[0.5, None]),
        row(4, [5], positive_judge_score=0.25, negative_judge_scores=[0.75]),
        row(6, []),
    ]
    one = training_set(content)
    np.testing.assert_array_equal(one.scores["teacher"].negatives, [0.5, np.nan, 0.5])
    np.testing.assert_array_equal(one.scores["judge"].negatives, [np.nan, np.nan, 0.75])
    np.testing.assert_array_equal(one.scores["judge"].positives, [np.nan, 0.25, np.nan])
    assert one.unscored("teacher").tolist() == [True, False, False]
    assert one.unscored("judge").tolist() == [True, False, True]


def test_no_shards_is_one_line(tmp_path: Path) -> None:
    """A folder without shards names the stage that writes them."""
    with pytest.raises(StudentError, match="no shards to train on; run"):
        read_shards(tmp_path)


def test_a_damaged_shard_is_refused_by_name(tmp_path: Path) -> None:
    """A shard that is no Parquet is one line with its path."""
    write_shards(tmp_path, "one")
    (tmp_path / "one-00001.parquet").write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(TableError, match=r"one-00001\.parquet: not a readable"):
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


def test_queries_of_shards_are_the_made_up_ones() -> None:
    """The number of a query's text leads back to it."""
    one = training_set([row(7, [8])])
    assert one.said(one.queries) == [query(7)]
