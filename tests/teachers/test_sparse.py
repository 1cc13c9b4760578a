"""Tests of embedder.teachers.sparse with a random BERT."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SparseEncoder
from transformers import BertModel

from embedder import layout
from embedder.errors import ModelError
from embedder.teachers import encoded_pairs, rescoring, sparse
from tests.teachers import fakes, pair_models
from tests.teachers.pair_models import QUERIES, TEXTS

pytestmark = [
    pytest.mark.usefixtures("table_kind", "_project"),
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder."""
    return pair_models.sparse(tmp_path_factory.mktemp("sparse"))


@pytest.fixture
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _scores(folder: Path, texts: list[str] = TEXTS, queries: list[str] = QUERIES, **changes: object) -> Any:  # noqa: ANN401 - float32 [queries, texts]
    read = {"query_prompt": "", "passage_prompt": "", "query_length": 16, "passage_length": 48}
    options = sparse.Options.model_validate(pair_models.entry(folder, kind="sparse", **read | changes))
    teacher = sparse.build(options, fakes.corpus(texts), fakes.RUNTIME)
    rows = fakes.rows(teacher, fakes.queries(queries, 2))
    return np.array([[row[p][0] for p in range(len(texts))] for row in rows], np.float32)


def _expected(folder: Path, texts: list[str], before_query: str = "", before_passage: str = "") -> Any:  # noqa: ANN401 - as above
    library = SparseEncoder(str(folder), device="cpu")
    cut = {"text": {"max_length": 16}}, {"text": {"max_length": 48}}
    asked = library.encode_query([before_query + one for one in QUERIES], processing_kwargs=cut[0])
    answered = library.encode_document([before_passage + one for one in texts], processing_kwargs=cut[1])
    return (asked.to_dense().double() @ answered.to_dense().double().T).float().numpy()


def test_scores_are_the_librarys(model: Path) -> None:
    """Every pair has the library's score, within 1e-5 of its size."""
    expected = _expected(model, TEXTS)
    assert np.allclose(_scores(model), expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.01


def test_prompts_stand_before_the_texts(model: Path) -> None:
    """Queries get the instruction in their template, passages what the entry says."""
    first = fakes.table([[1.0] * 5] * 4)
    found = _scores(model, TEXTS[:5], query_prompt="{instruction} : ", passage_prompt="mu : ", first=first, top=5)
    assert np.allclose(found, _expected(model, TEXTS[:5], "Find it. : ", "mu : "), rtol=1e-5, atol=1e-5)


def test_a_score_does_not_depend_on_its_company(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of 7 pairs, in units of 5, alone, and all together, a pair has the same score bit for bit."""
    together = _scores(model)
    with monkeypatch.context() as patch:
        patch.setattr(layout, "VECTORS", Path("others"))
        patch.setattr(rescoring, "_PAIRS", 7)
        patch.setattr(encoded_pairs, "_PAIRS", 5)
        assert (_scores(model) == together).all()
        patch.setattr(layout, "VECTORS", Path("alone"))
        for text in (0, 5, 17, 40, 70):
            alone = _scores(model, [TEXTS[text]], QUERIES[:1], first=fakes.table([[1.0]]), top=1)
            assert (alone[0, 0] == together[0, text]).all()


def test_each_text_is_encoded_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several units of one block no distinct text comes twice."""
    seen: list[tuple[str, str]] = []
    real = encoded_pairs.encode

    def counted(library: Any, side: Any, texts: list[str], *rest: Any, **how: Any) -> Any:  # noqa: ANN401 - passed on
        seen.extend((side.task, text) for text in texts)
        return real(library, side, texts, *rest, **how)

    monkeypatch.setattr(sparse, "encode", counted)
    monkeypatch.setattr(encoded_pairs, "_PAIRS", 5)
    _scores(model)
    assert len(seen) == len(set(seen)) == len(QUERIES) + len(TEXTS)


def test_other_models_are_refused(tmp_path: Path) -> None:
    """A plain encoder, which the library would give a random head, is named."""
    with pytest.raises(ModelError, match="is saved as BertModel"):
        _scores(pair_models.bert(tmp_path / "other", BertModel))


def test_options_of_another_teacher_are_a_bug() -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    with pytest.raises(TypeError, match="not options of sparse"):
        sparse.build(fakes.Options.model_validate(fakes.table([])), fakes.corpus([]), fakes.RUNTIME)


def test_the_product_is_over_shared_dimensions() -> None:
    """Dimensions that one side lacks add nothing."""
    one = sparse.Weights(np.array([1, 4, 7]), np.array([2.0, 3.0, 5.0]))
    other = sparse.Weights(np.array([0, 4, 7]), np.array([100.0, 10.0, 0.5]))
    assert sparse.inner_product(one, other) == 32.5
