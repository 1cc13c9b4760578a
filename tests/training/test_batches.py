"""A planned batch to texts, each once, and to the mask."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.prompts import Prompts
from embedder.texts import normalise
from embedder.training.batches import IN_BATCH, Texts, compose, in_batch
from embedder.training.plans import Batch, Part
from embedder.training.shards import TrainingSet, together
from tests.training_sets import passage, query, row, student, training_set

TASKS = ["retrieval", "reranking", "sts", "classification", "clustering"]
PLAIN = Prompts("", "")


def whole(one: TrainingSet, negatives: int = 2) -> Part:
    """Return a part of all rows and their first negatives."""
    places = np.arange(min(negatives, one.negatives.counts.max()))
    return Part(one.name, 0, np.arange(len(one)), np.where(places < one.negatives.counts[:, None], places, -1))


def composed(*sets: TrainingSet, prompts: dict[str, Prompts] | None = None, **recipe: Any) -> Texts:  # noqa: ANN401 - values of a recipe
    """Compose one batch of all rows of some sets, in that order."""
    read = {one.name: one for one in together(sets)}
    filled = dict.fromkeys(read, PLAIN) | (prompts or {})
    return compose(read, filled, student(**recipe).recipe, Batch(0, tuple(whole(read[one.name]) for one in sets)))


def one_set(content: list[dict[str, Any]], task: str = "retrieval") -> Texts:
    """Compose one batch of all rows of one dataset."""
    return composed(training_set(content, task=task))


def allowed(texts: Texts, index: int) -> set[str]:
    """Return the passages that count for a row."""
    return {texts.passages[column] for column in np.flatnonzero(texts.allowed[index])}


def said(*numbers: int) -> set[str]:
    """Return the passages of some numbers."""
    return {passage(number) for number in numbers}


def test_a_passage_is_one_column() -> None:
    """A passage that is one row's positive and two others' negative is encoded once and is one column."""
    texts = one_set([row(1, [2, 3]), row(2, [3, 4]), row(5, [2, 3])])
    assert sorted(texts.passages) == sorted(said(1, 2, 3, 4, 5))
    assert [texts.passages[target] for target in texts.targets] == [passage(number) for number in (1, 2, 5)]
    listed = [[texts.passages[column] for column in columns] for columns in texts.listed]
    assert listed[1] == [passage(2), passage(3), passage(4)]


def test_every_column_is_listed_by_a_row() -> None:
    """Columns are numbered by what rows list, so that nothing is encoded that no row brings."""
    texts = one_set([row(1, [2, 3]), row(4, [5])])
    assert set(texts.listed.ravel()) == set(range(len(texts.passages)))
    assert texts.listed[1].tolist() == [texts.targets[1], texts.passages.index(passage(5)), texts.targets[1]]


def test_the_batch_counts_in_retrieval() -> None:
    """For a retrieval query every passage of the batch counts: its own negatives and the other rows'."""
    assert one_set([row(1, [2, 3]), row(4, [5])]).allowed.all()


@pytest.mark.parametrize("task", ["classification", "clustering"])
def test_only_own_negatives_count_in_label_tasks(task: str) -> None:
    """For a label task's query its positive and its own negatives count, nothing of another row."""
    texts = one_set([row(1, [2, 3]), row(4, [5])], task)
    assert (allowed(texts, 0), allowed(texts, 1)) == (said(1, 2, 3), said(4, 5))


def test_a_dataset_can_do_without_the_batch() -> None:
    """A retrieval dataset with in_batch_negatives: false is treated like a label task."""
    without = {"rooms": {"in_batch_negatives": False}}
    texts = composed(training_set([row(1, [2, 3]), row(4, [5])]), datasets=without)
    assert (allowed(texts, 0), allowed(texts, 1)) == (said(1, 2, 3), said(4, 5))


def test_other_positives_and_masked_passages_do_not_count() -> None:
    """A passage of another row that is a positive of the query, or masked for it, does not count for it alone."""
    first = row(1, [2], positive_ids=["p001", "p004"], masked_ids=["p005"])
    texts = one_set([first, row(4, [5, 6])])
    assert (allowed(texts, 0), allowed(texts, 1)) == (said(1, 2, 6), said(1, 2, 4, 5, 6))


def test_a_rows_own_negative_that_is_masked_does_not_count() -> None:
    """A drawn negative that is a positive of the query or masked for it is no negative, in no loss."""
    texts = one_set([row(1, [2, 3], masked_ids=["p002"]), row(4, [2])], "clustering")
    assert (allowed(texts, 0), allowed(texts, 1)) == (said(1, 3), said(4, 2))
    assert [texts.passages[column] for column in texts.listed[0]] == [passage(1), passage(1), passage(3)]


def test_what_does_not_count_is_counted() -> None:
    """Own negatives that are masked, and pairs of a row and another row's passage, are counted apart."""
    first = row(1, [2, 3], positive_ids=["p001", "p004"], masked_ids=["p002", "p006"])
    for task, pairs in (("retrieval", 2), ("classification", 0)):
        texts = one_set([first, row(4, [5, 6]), row(7, [8])], task)
        assert (texts.masked_own, texts.masked_in_batch) == (1, pairs)
    texts = one_set([row(1, [2, 3]), row(4, [5])])
    assert (texts.masked_own, texts.masked_in_batch) == (0, 0)


def test_two_rows_of_a_query_do_not_count_against_each_other() -> None:
    """Where a query has two positives in one batch, each row counts its own positive and not the other."""
    both = ["p001", "p002"]
    second = row(1, [3], positive_id="p002", positive=passage(2), positive_ids=both)
    texts = one_set([row(1, [3], positive_ids=both), second])
    assert (allowed(texts, 0), allowed(texts, 1)) == (said(1, 3), said(2, 3))


@pytest.mark.parametrize("task", ["sts", "classification"])
def test_a_passage_that_says_the_query_does_not_count(task: str) -> None:
    """Where queries are passages too, a passage that says the query does not count for it, be it its own negative."""
    loud = query(1).upper()
    first = row(1, [2, 9])
    first["negatives"][1] = loud
    texts = one_set([first, row(4, [5], positive=loud)], task)
    assert loud not in allowed(texts, 0)
    assert loud in allowed(texts, 1)


def test_what_is_right_in_one_dataset_is_masked_in_another() -> None:
    """In a mixed batch a text that is a positive or masked for a row is masked under any dataset's id and prompt."""
    first = row(1, [2, 4], positive_ids=["p001", "p003"], masked_ids=["p005"])
    # Rows that bring the texts of p003 and p005 into the first dataset's shards.
    rest = [row(3, [5])]
    other = [row(8, [3, 5], negative_ids=["x3", "x5"]), row(9, [1], negative_ids=["x1"])]
    sets = training_set([first, *rest]), training_set(other, "walls")
    for prompt in ("", "passage: "):
        texts = composed(*sets, prompts={"walls": Prompts("", prompt)})
        assert {text.removeprefix(prompt) for text in allowed(texts, 0)} == said(1, 2, 4, 8, 9)
        assert texts.passages[texts.targets[0]] == passage(1)
        assert {prompt + passage(number) for number in (3, 5, 8, 9, 1)} <= set(texts.passages)


def test_label_rows_neither_give_nor_take_in_a_mixed_batch() -> None:
    """In a mixed batch a label task's passages count for no other row, and no other row's for its rows."""
    texts = composed(training_set([row(1, [2])]), training_set([row(3, [4]), row(5, [6])], "walls", "classification"))
    assert [allowed(texts, index) for index in range(3)] == [said(1, 2), said(3, 4), said(5, 6)]


def test_prompts_and_temperatures_are_the_datasets() -> None:
    """Each row has its dataset's prompts and temperature; one text after two prompts is two passages."""
    prompts = {"rooms": Prompts("Q: ", "P: "), "walls": Prompts("ask ", "")}
    sets = training_set([row(1, [2])]), training_set([row(3, [2])], "walls")
    texts = composed(*sets, prompts=prompts, temperature=0.5, datasets={"walls": {"temperature": 0.25}})
    assert texts.queries == [f"Q: {query(1)}", f"ask {query(3)}"]
    assert set(texts.passages) == {f"P: {passage(1)}", f"P: {passage(2)}", passage(3), passage(2)}
    assert texts.temperature.tolist() == [[0.5], [0.25]]
    assert texts.allowed.all()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(TASKS), st.sampled_from(TASKS))
def test_the_mask_is_its_definition(data: st.DataObject, task: str, other: str) -> None:
    """The mask equals the rule applied to every pair of a row and a passage, in mixed batches too."""
    content: dict[str, list[dict[str, Any]]] = {"rooms": [], "walls": []}
    for number in data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=7, unique=True)):
        others = st.lists(st.sampled_from([one for one in range(10) if one != number]), max_size=3, unique=True)
        positives = [f"p{one:03}" for one in data.draw(others)]
        masked = [f"p{one:03}" for one in data.draw(others)]
        name = data.draw(st.sampled_from(["rooms", "walls"]))
        changes = {"positive_ids": [f"p{number:03}", *positives], "masked_ids": masked}
        content[name].append(row(number, data.draw(others), **changes))
    tasks = {"rooms": task, "walls": other}
    found = {name: sorted(one, key=lambda one: str(one["query_id"])) for name, one in content.items() if one}
    texts = composed(*(training_set(one, name, tasks[name]) for name, one in found.items()))
    every = [(name, one) for name, rows in found.items() for one in rows]
    shards = {name: {text for one in rows for text in _texts(one)} for name, rows in found.items()}

    def known(name: str, one: dict[str, Any]) -> set[str]:
        refused = {passage(int(known[1:])) for known in [*one["positive_ids"], *one["masked_ids"]]}
        return refused & shards[name]

    def own(name: str, one: dict[str, Any]) -> set[str]:
        return {one["positive"], *one["negatives"][:2]} - (known(name, one) - {one["positive"]})

    shared = {text for name, one in every if tasks[name] in IN_BATCH for text in own(name, one)}
    left_out = 0
    for (index, (name, one)), (column, text) in product(enumerate(every), enumerate(texts.passages)):
        counts = text in own(name, one) or (tasks[name] in IN_BATCH and text in shared)
        close = text in known(name, one) or normalise(text) == normalise(one["query"])
        expected = text == one["positive"] or (counts and not close)
        assert texts.allowed[index, column] == expected
        left_out += counts and not expected
    drawn = sum(len(one["negatives"][:2]) for _, one in every)
    assert texts.masked_in_batch == left_out
    assert texts.masked_own == drawn - sum(len(own(name, one)) - 1 for name, one in every)


def _texts(one: dict[str, Any]) -> list[str]:
    return [one["positive"], *one["negatives"]]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    """Rows in another order have the same passages, and each row the same ones that count."""
    one = training_set([row(n, [n + 1, n + 2], masked_ids=[f"p{n + 3:03}"]) for n in range(6)])
    texts = [
        compose({"rooms": one}, {"rooms": PLAIN}, student().recipe, Batch(0, (Part("rooms", 0, rows, drawn),)))
        for rows in (np.arange(6), np.array(order))
        for drawn in [np.tile(np.array([0, 1], np.int32), (6, 1))]
    ]
    assert texts[0].passages == texts[1].passages
    np.testing.assert_array_equal(texts[0].allowed[order], texts[1].allowed)
    np.testing.assert_array_equal(texts[0].listed[order], texts[1].listed)


def test_shares_are_the_softmax_of_scores() -> None:
    """What is distilled is the softmax of a row's scores over its positive and own negatives that count."""
    content = [
        row(1, [2, 3], positive_score=2.0, negative_scores=[1.0, 0.0]),
        row(4, [5], positive_score=1.0, negative_scores=[1.0]),
        row(6, [7, 8], positive_score=1.0, negative_scores=[1.0, 3.0], masked_ids=["p008"]),
        row(9, [7, 2], positive_score=1.0, negative_scores=[None, 3.0]),
    ]
    learning: dict[str, Any] = {"losses": {"listwise": 1.0}, "distilled": {"scores": "teacher", "temperature": 0.5}}
    wanted = composed(training_set(content), **learning).wanted
    weights = np.exp([4.0, 2.0, 0.0])
    assert wanted is not None
    np.testing.assert_allclose(wanted, [weights / weights.sum(), [0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0]], rtol=1e-6)
    judged = learning | {"distilled": {"scores": "judge", "temperature": 0.5}}
    none = composed(training_set(content), **judged).wanted
    assert none is not None
    assert not none.any()


def test_label_tasks_never_have_the_batch() -> None:
    """Whether other rows count is the task's, unless the recipe says no."""
    recipe = student(datasets={"rooms": {"in_batch_negatives": False}}).recipe
    made = [in_batch(training_set([row(1, [2])], task=task), student().recipe) for task in TASKS]
    assert made == [True, True, True, False, False]
    assert not in_batch(training_set([row(1, [2])]), recipe)
