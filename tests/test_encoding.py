"""Texts to vectors."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import encoding
from embedder.errors import ModelError
from embedder.pretrained.loading import load
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
    forward = encoding.forward

    def counted(model: "SentenceTransformer", features: dict[str, torch.Tensor], **how: bool) -> torch.Tensor:
        seen.append(len(features["input_ids"]))
        return forward(model, features, **how)

    monkeypatch.setattr(encoding, "forward", counted)
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


def test_a_dropped_end_token_is_found(tmp_path: Path) -> None:
    """A last-token model whose tokenizer.json adds no EOS is refused with the flag that mends it."""
    entry = models.options(models.make_mistral(tmp_path / "m"), pooling="last_token")
    students_model.build_base(entry, [], tmp_path)
    with pytest.raises(ModelError, match=r"must start with BOS .* and end with EOS .*set add_eos: true"):
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


def _load(folder: Path, shape: str, dtype: str) -> "SentenceTransformer":
    """Load a tiny model of a shape that the property below speaks of."""
    maker, pooling = {
        "bert-mean": (models.make_bert, "mean"),
        "bert-cls": (models.make_bert, "cls"),
        "bert-projected": (models.make_projected, "mean"),
        "mistral-last": (models.make_mistral, "last_token"),
    }[shape]
    entry = models.options(maker(folder), pooling=pooling, dtype=dtype, add_eos=pooling == "last_token")
    return load(entry, 48, "cpu", "model")


_TEXTS = [
    " ".join((models.WORDS * 5)[start : start + count]) for start, count in itertools.product(range(6), range(12))
]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", ["bert-mean", "bert-cls", "bert-projected", "mistral-last"])
def test_a_vector_depends_on_its_text_alone(tmp_path: Path, shape: str, dtype: str) -> None:
    """A text's vector is the same bits whatever is encoded with it, in what order, batches and threads."""
    model = _load(tmp_path, shape, dtype)
    threads = torch.get_num_threads()
    alone = {text: encoding.encode(model, [text])[0] for text in _TEXTS}

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sampled_from(_TEXTS), min_size=1), st.integers(1, 4096), st.integers(1, 2))
    def holds(some: list[str], batch_tokens: int, count: int) -> None:
        torch.set_num_threads(count)
        vectors = encoding.encode(model, some, batch_tokens=batch_tokens)
        assert (vectors == np.stack([alone[text] for text in some])).all()

    try:
        holds()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("shape", ["bert-mean", "bert-cls", "bert-projected", "mistral-last"])
def test_float32_vectors_are_the_librarys(tmp_path: Path, shape: str) -> None:
    """In float32 the vectors of every pooling are those of SentenceTransformer.encode."""
    model = _load(tmp_path, shape, "float32")
    expected = model.encode(_TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(encoding.encode(model, _TEXTS), expected, atol=1e-5)


def test_raw_vectors_are_the_models(tmp_path: Path) -> None:
    """Without normalising a vector is what the modules make; of a model without Normalize, not of length 1."""
    model = load(models.options(models.make_bert(tmp_path), normalise=False), 48, "cpu", "model")
    vectors = encoding.encode(model, _TEXTS, normalise=False)
    np.testing.assert_allclose(vectors, model.encode(_TEXTS), atol=1e-5)
    assert (np.abs(np.linalg.norm(vectors, axis=1) - 1) > 0.1).all()


def test_texts_are_tokenized_ahead_in_order(
    fresh: "Callable[[], SentenceTransformer]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut into small parts that a thread tokenizes, texts have the vectors that they have in one part."""
    model = fresh()
    expected = encoding.encode(model, texts())
    monkeypatch.setattr(encoding, "_TOKENIZED_AT_ONCE", 3)
    assert (encoding.encode(model, texts()) == expected).all()


def test_threads_do_not_change_each_others_length(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Two threads that tokenize with one model and different limits get what each gets alone."""
    model, some = fresh(), texts()
    alone = [encoding.tokenize(model, some, "", length) for length in (4, 7)]
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda length: encoding.tokenize(model, some, "", length), [4, 7] * 20))
    assert found == alone * 20


def test_progress_counts_texts(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Whoever shows progress is told how many more distinct texts are done, batch by batch."""
    told: list[int] = []
    encoding.encode(fresh(), [*texts()[:9], texts()[0]], batch_tokens=64, done=told.append)
    assert sum(told) == 9
    assert len(told) > 1
