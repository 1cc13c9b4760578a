"""Facts about the cosines that teachers give: on small models made on the spot, against sentence-transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder import encoding, teachers
from embedder.errors import EmbedderError, TableError
from embedder.locking import locked
from embedder.params.runtime import Runtime
from embedder.revisions import content_hash, file_hashes
from embedder.search import pairs
from embedder.teachers import Corpus, Queries, dense, fusion
from embedder.teachers.rescoring import Rescored, RescorerOptions
from tests.models import WORDS, make_bert
from tests.teachers import fakes, pair_models

CPU = Runtime(device="cpu")
PAIRS = np.random.default_rng(5).integers(0, 90, (2, 400))


def _texts(count: int, seed: int) -> list[str]:
    draws = np.random.default_rng(seed)
    made = {" ".join(draws.choice(WORDS, draws.integers(2, 20))) for _ in range(3 * count)}
    return sorted(made)[:count]


TEXTS = _texts(90, 1)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small BERT."""
    return make_bert(tmp_path / "model")


def _entry(folder: Path, **changes: object) -> dict[str, Any]:
    return {
        "kind": "dense",
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "adapter": None,
        "licence": "CC0-1.0",
        "pooling": "cls",
        "query_prompt": "alpha: ",
        "passage_prompt": "beta: ",
        "query_length": 24,
        "passage_length": 32,
        "dtype": "float32",
        "normalise": False,
        "add_eos": False,
        "dimensions": 16,
        "parameters": 10_000,
        "index": {"kind": "exact"},
        "agreement_sample": 0,
        **changes,
    }


def _corpus() -> Corpus:
    return Corpus([f"{i:04}" for i in range(len(TEXTS))], TEXTS)


def _asked(teacher: teachers.Teacher) -> teachers.Teacher:
    queries = _texts(4, 2)
    list(teacher.score(Queries([f"q{i}" for i in range(4)], queries, np.full(4, 5), [np.array([3, 80])] * 4)))
    return teacher


def _dense(folder: Path, **changes: object) -> dense.Dense:
    return dense.build(dense.Options.model_validate(_entry(folder, **changes)), _corpus(), CPU)


def _expected(folder: Path, prompt: str = "beta: ") -> NDArray[np.float64]:
    """The cosines of sentence-transformers' own vectors, in numpy."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(folder), processor_kwargs={"model_max_length": 32})
    model = SentenceTransformer(modules=[transformer, Pooling(16, "cls")], device="cpu")
    vectors = np.asarray(model.encode(TEXTS, prompt=prompt), np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray((unit @ unit.T)[PAIRS[0], PAIRS[1]])


def _cosines(teacher: teachers.Teacher) -> dict[str, NDArray[np.float32]]:
    return {name: compare(*PAIRS) for name, compare in teachers.cosines(teacher).items()}


@pytest.mark.parametrize("normalise", [False, True])
def test_cosines_equal_brute_force_and_read_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, normalise: bool
) -> None:
    """They equal numpy on sentence-transformers' vectors to 1e-6, also where lengths differ, and encode no text."""
    teacher = _asked(_dense(folder, normalise=normalise))
    monkeypatch.setattr(encoding, "encode", lambda *_: pytest.fail("a text is encoded"))
    found = _cosines(teacher)
    assert list(found) == [""]
    np.testing.assert_allclose(found[""], _expected(folder), atol=1e-6)


def test_cosines_have_the_same_bytes_for_any_shards_and_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the size of a shard nor the number of threads changes a bit."""
    teacher, found = _asked(_dense(folder)), []
    monkeypatch.setattr(pairs, "_PAIRS", 4)
    for size, cores in ((2**28, 1), (64, 1), (64 * 7, 4), (2**28, 4)):
        monkeypatch.setattr(dense, "_SHARD_BYTES", size)
        monkeypatch.setattr(pairs, "cores", lambda cores=cores: cores)
        found.append(_cosines(teacher)[""].tobytes())
    assert len(set(found)) == 1


def test_cosines_of_16_bits_are_those_of_the_stored_vectors(folder: Path) -> None:
    """A bfloat16 model's are near float32's, and a passage's with itself is 1."""
    found = _asked(_dense(folder, dtype="bfloat16", normalise=True))
    np.testing.assert_allclose(_cosines(found)[""], _expected(folder), atol=0.05)
    itself = teachers.cosines(found)[""](np.arange(90), np.arange(90))
    assert itself.tolist() == [1] * 90


def test_cosines_are_read_under_the_lock(folder: Path) -> None:
    """Another process that works on the store is waited for by the person, not raced."""
    teacher = _asked(_dense(folder))
    with locked(Path("data/cache/vectors")), pytest.raises(EmbedderError, match="held by process"):
        _cosines(teacher)
    assert _cosines(teacher)


def test_cosines_before_the_scoring_say_what_to_do(folder: Path) -> None:
    """Without stored vectors nothing is encoded: the error names the way."""
    with pytest.raises(TableError, match="have no vector; encode them first"):
        _cosines(_dense(folder))


@pytest.mark.usefixtures("table_kind")
def test_each_dense_member_of_a_fusion_has_its_own(folder: Path) -> None:
    """Members with vectors are named; one of words has none; a rescorer within has its first teacher's."""
    other = make_bert(folder.parent / "other")
    bm25 = {"kind": "bm25", "method": "lucene", "k1": 1.5, "b": 0.75, "delta": 0.5, "stem": False, "stop_words": False}
    crossed = pair_models.entry(pair_models.cross_encoder(folder.parent / "cross"), first=_entry(other), top=4)
    crossed |= {"kind": "cross-encoder", "query_prompt": "", "max_length": 32}
    members: list[dict[str, Any]] = [
        {"name": "plain", "quota": 1, "teacher": _entry(folder)},
        {"name": "words", "quota": 1, "teacher": bm25},
        {"name": "prompted", "quota": 1, "teacher": _entry(folder, passage_prompt="mu: ")},
        {"name": "crossed", "quota": 1, "teacher": crossed},
    ]
    options = fusion.Options.model_validate({"kind": "fusion", "method": "union", "k": None, "members": members})
    found = _cosines(_asked(fusion.build(options, _corpus(), CPU)))
    assert list(found) == ["plain", "prompted", "crossed"]
    np.testing.assert_allclose(found["plain"], _expected(folder), atol=1e-6)
    np.testing.assert_allclose(found["prompted"], _expected(folder, "mu: "), atol=1e-6)
    np.testing.assert_array_equal(found["crossed"], found["plain"])


class _Zero:
    """Scores every pair 0."""

    def identity(self) -> dict[str, object]:
        return {}

    def score(self, queries: Sequence[str], _: Sequence[str]) -> list[NDArray[np.float32]]:
        return [np.zeros(len(queries), np.float32)]

    def report(self) -> dict[str, object]:
        return {}


@pytest.mark.usefixtures("table_kind")
def test_a_rescorer_has_its_first_teachers_and_others_none(folder: Path) -> None:
    """Over a dense teacher they are that one's; over one without vectors, and of BM25 itself, there are none."""
    first = _entry(folder)
    rescored = Rescored(RescorerOptions.model_validate({"first": first, "top": 5}), _corpus(), CPU, _Zero())  # type: ignore[arg-type]
    assert {name: one.tobytes() for name, one in _cosines(_asked(rescored)).items()} == {
        "": _cosines(_asked(_dense(folder)))[""].tobytes()
    }
    table = fakes.table([[float(i) for i in range(90)]] * 4)
    over = Rescored(RescorerOptions.model_validate({"first": table, "top": 5}), _corpus(), CPU, _Zero())  # type: ignore[arg-type]
    assert _cosines(_asked(over)) == {}
    assert teachers.cosines(teachers.build(fakes.Options.model_validate(table), _corpus())) == {}
