"""Token ids of a batch, and its pieces."""

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedder import encoding
from embedder.training.grad_cache import Pieces
from embedder.training.loop import Work
from embedder.training.plans import plan
from embedder.training.prepared import prepared
from embedder.training.tokens import cut, tokens
from tests.training.test_batches import PLAIN, composed
from tests.training_sets import row, rows, student, training_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentence_transformers import SentenceTransformer


def test_each_text_leads_to_its_own_ids(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Queries and passages are found by place, cut to their own lengths; ids are distinct and sorted by length."""
    model, recipe = fresh(), student(query_length=5, passage_length=9).recipe
    texts = composed(training_set(rows(6)))
    found = tokens(model, texts, recipe)
    assert [list(found.ids[place]) for place in found.queries] == encoding.tokenize(model, texts.queries, "", 5)
    assert [list(found.ids[place]) for place in found.passages] == encoding.tokenize(model, texts.passages, "", 9)
    assert sorted(set(found.ids), key=lambda one: (len(one), one)) == found.ids


def test_equal_ids_are_encoded_once(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Two rows of one query, and a passage that says what a query says, are one text of the model."""
    again = row(1, [2], positive_id="p009", positive="where is the green apple")
    found = tokens(fresh(), composed(training_set([row(1, [2]), again])), student(passage_length=8).recipe)
    assert found.queries[0] == found.queries[1]
    assert found.queries[0] in found.passages


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_pieces_hold_all_texts_within_the_budget(lengths: list[int], most: int) -> None:
    """Pieces are the texts in order; each is within the budget with its padding, or one text; none could be larger."""
    lengths = sorted(lengths)
    pieces = cut(lengths, most)
    assert [place for piece in pieces for place in piece] == list(range(len(lengths)))
    assert all(len(piece) == 1 or lengths[piece[-1]] * len(piece) <= most for piece in pieces)
    for piece in pieces[:-1]:
        assert lengths[piece.stop] * (len(piece) + 1) > most


def test_batches_are_prepared_in_order(fresh: "Callable[[], SentenceTransformer]") -> None:
    """A thread prepares the batches of a plan from any step on: texts and tokens are those of the step."""
    model, recipe, one = fresh(), student().recipe, training_set(rows())
    work = Work(
        plan({"rooms": one.outline(recipe)}, recipe), {"rooms": one}, {"rooms": PLAIN}, recipe, Pieces(64, 64, 0)
    )
    every = list(prepared(model, work))
    assert [found.batch.step for found in every] == list(range(6))
    later = list(prepared(model, work, 4))
    assert [found.batch.step for found in later] == [4, 5]
    assert later[0].tokens.ids == every[4].tokens.ids
    expected = tokens(model, later[1].texts, recipe)
    np.testing.assert_array_equal(later[1].tokens.passages, expected.passages)
    assert later[1].texts.queries == [one.said(one.queries[[number]])[0] for number in work.batches[5].parts[0].rows]
