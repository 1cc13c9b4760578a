"""Texts to vectors."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embedder import encoding
from embedder.errors import StudentError
from embedder.students import model as students_model
from tests import models
from tests.training_sets import texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentence_transformers import SentenceTransformer


def test_vectors_are_the_librarys(fresh: "Callable[[], SentenceTransformer]") -> None:
    """The vectors are what SentenceTransformer.encode returns, of length 1, in the order of the texts."""
    model, some = fresh(), texts()[:40][::-1]
    vectors = encoding.encode(model, some, batch_tokens=64)
    np.testing.assert_allclose(vectors, model.encode(some, normalize_embeddings=True), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors.dtype == np.float32


def test_equal_texts_are_encoded_once(
    fresh: "Callable[[], SentenceTransformer]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text given thrice passes the model once and has one vector."""
    seen: list[int] = []
    forward = encoding._forward

    def counted(model: "SentenceTransformer", ids: list[list[int]]) -> torch.Tensor:
        seen.append(len(ids))
        return forward(model, ids)

    monkeypatch.setattr(encoding, "_forward", counted)
    vectors = encoding.encode(fresh(), ["red door", "blue boat", "red door", "red door"])
    assert sum(seen) == 2
    assert (vectors[[2, 3]] == vectors[0]).all()


def test_the_prompt_counts_against_the_length(fresh: "Callable[[], SentenceTransformer]") -> None:
    """A prompt stands before each text and takes from its tokens; a limit beyond the model's is the model's."""
    model = fresh()
    (cut,) = encoding.tokenize(model, ["red door " * 40], "where is ", 10)
    whole = model.tokenizer("where is " + "red door " * 40)["input_ids"]
    assert cut == [*whole[:9], model.tokenizer.sep_token_id]
    assert [len(one) for one in encoding.tokenize(model, ["red door " * 40], max_length=999)] == [32]


def test_no_texts_are_no_vectors(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Without texts there are no vectors and no error."""
    assert encoding.encode(fresh(), []).shape == (0, 0)


def test_a_text_without_words_has_a_direction(fresh: "Callable[[], SentenceTransformer]") -> None:
    """An empty text has a finite vector of length 1."""
    assert np.linalg.norm(encoding.encode(fresh(), [""])) == pytest.approx(1)


def test_embed_has_gradients_and_the_same_vectors(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Vectors with gradients equal those without, whatever the batches."""
    model, some = fresh(), texts()[:9]
    vectors = encoding.embed(model, encoding.tokenize(model, some), batch_tokens=32)
    assert vectors.requires_grad
    np.testing.assert_allclose(vectors.detach().numpy(), encoding.encode(model, some), atol=1e-6)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 120))
def test_batches_cover_all_texts_within_the_budget(lengths: list[int], budget: int) -> None:
    """Every text is in one batch, and a batch of several stays within the budget when padded."""
    batches = list(encoding._batches([[0] * length for length in lengths], budget))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


def test_a_dropped_end_token_is_found(tmp_path: Path) -> None:
    """A last-token model whose tokenizer.json adds no EOS is refused with the flag that mends it."""
    entry = models.options(models.make_mistral(tmp_path / "m"), pooling="last_token")
    students_model.build_base(entry, [], tmp_path)
    with pytest.raises(StudentError, match=r"must start with BOS .* and end with EOS .*set add_eos: true"):
        encoding.encode(students_model.load(entry, tmp_path, "cpu"), ["alpha"])


def test_truncated_rows_keep_both_ends(tmp_path: Path) -> None:
    """With add_eos every row starts with BOS and ends with EOS, cut rows too, and padding changes no vector."""
    entry = models.options(models.make_mistral(tmp_path / "m"), pooling="last_token", add_eos=True, max_length=16)
    students_model.build_base(entry, [], tmp_path)
    model = students_model.load(entry, tmp_path, "cpu")
    some = ["a", "alpha beta", "alpha beta gamma delta epsilon zeta"]
    ids = encoding.tokenize(model, some, "Q: ", 8)
    assert {(one[0], one[-1]) for one in ids} == {(1, 2)}
    assert [len(one) for one in ids] == [6, 8, 8]
    together = encoding.encode(model, some, "Q: ")
    alone = np.concatenate([encoding.encode(model, [one], "Q: ") for one in some])
    np.testing.assert_allclose(together, alone, atol=1e-5)
