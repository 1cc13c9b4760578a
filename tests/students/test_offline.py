"""The offline student's base."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sentence_transformers import SentenceTransformer

from embedder import encoding
from embedder.errors import StudentError
from embedder.revisions import file_hashes
from embedder.students import build_base, load_student
from embedder.students.offline import Options, inverse_document_frequency, lsa
from tests.training_sets import passage, query, student, texts

OPTIONS = student().model


def test_frequencies_are_counted_in_texts() -> None:
    """A piece in every text weighs nothing, and a rarer one more, however often a text repeats it."""
    counts = sparse.csr_matrix(np.array([[1.0, 0, 9], [2, 0, 0], [3, 1, 0], [4, 1, 0]]))
    weights = inverse_document_frequency(counts)
    np.testing.assert_allclose(weights, [0, np.log(5 / 3), np.log(5 / 2)])


def test_pieces_of_the_same_texts_have_near_vectors() -> None:
    """Pieces that occur in the same texts get one direction, pieces of other texts another."""
    block = np.kron(np.eye(3), np.ones((6, 2)))
    vectors = lsa(sparse.csr_matrix(block), np.ones(6), 3, 0)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.testing.assert_allclose(cosines, np.kron(np.eye(3), np.ones((2, 2))), atol=1e-5)


def test_signs_are_fixed_and_unseen_pieces_have_a_direction() -> None:
    """Each component is positive where it is largest, and a piece in no text is not 0."""
    random = np.random.default_rng(1)
    counts = sparse.csr_matrix(random.integers(0, 3, (40, 12)) * (np.arange(12) != 5))
    vectors = lsa(counts.astype(float), np.ones(12), 4, 0)
    seen = np.delete(vectors, 5, axis=0)
    assert (np.take_along_axis(seen, np.abs(seen).argmax(axis=0)[None], axis=0) > 0).all()
    assert np.linalg.norm(vectors[5]) > 0.1


def test_a_base_finds_passages_without_training(base_folder: Path) -> None:
    """Without any training a query is nearer to a passage of its words than to most others."""
    model = load_student(OPTIONS, base_folder, "cpu")
    queries = encoding.encode(model, [query(number) for number in range(72)])
    passages = encoding.encode(model, [passage(number) for number in range(72)])
    similarities = queries @ passages.T
    ranks = (similarities > np.diag(similarities)[:, None]).sum(axis=1)
    assert np.median(ranks) < 12


def test_it_loads_by_path_and_has_no_pooler(base_folder: Path) -> None:
    """The folder loads with SentenceTransformer(path), has four modules, the asked-for shape and no pooler."""
    model = SentenceTransformer(str(base_folder / "model"), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "WordWeights", "Pooling", "Normalize"]
    assert not any("pooler" in name for name, _ in model.named_parameters())
    assert model.max_seq_length == 32
    assert model.config is not None
    assert model.config.n_layers == 1


def test_two_builds_are_equal_bytes(base_folder: Path, tmp_path: Path) -> None:
    """The same texts and options give the same bytes in every file."""
    build_base(OPTIONS, texts(), tmp_path)
    assert file_hashes(tmp_path) == file_hashes(base_folder)


def test_another_seed_is_another_base(base_folder: Path, tmp_path: Path) -> None:
    """The seed changes weights and not the vocabulary."""
    other = Options.model_validate(OPTIONS.model_dump() | {"seed": 2})
    build_base(other, texts(), tmp_path)
    one, two = file_hashes(base_folder), file_hashes(tmp_path)
    assert one["model/tokenizer.json"] == two["model/tokenizer.json"]
    assert one["model/model.safetensors"] != two["model/model.safetensors"]


def test_too_few_texts_are_one_line(tmp_path: Path) -> None:
    """Fewer texts than dimensions are refused with both numbers."""
    with pytest.raises(StudentError, match="has 3 train texts and needs more than its hidden size 16"):
        build_base(OPTIONS, texts()[:3], tmp_path)


def test_a_missing_base_is_one_line(tmp_path: Path) -> None:
    """Loading before building names the stage that builds."""
    with pytest.raises(StudentError, match=r"no offline student; build it with `python -m stages.base`"):
        load_student(OPTIONS, tmp_path, "cpu")


def test_heads_must_divide_the_hidden_size() -> None:
    """A hidden size that the heads do not divide is refused when params are read."""
    with pytest.raises(ValueError, match="hidden 16 must be a multiple of heads 3"):
        Options.model_validate(OPTIONS.model_dump() | {"heads": 3})
