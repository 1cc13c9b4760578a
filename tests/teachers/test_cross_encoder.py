"""Tests of embedder.teachers.cross_encoder with a random BERT."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import BertModel

from embedder import layout
from embedder.errors import ModelError
from embedder.pairs import cross_encoder as pairs
from embedder.pairs import local
from embedder.teachers import cross_encoder, rescoring
from tests.teachers import fakes, pair_models
from tests.teachers.pair_models import QUERIES, TEXTS

pytestmark = pytest.mark.usefixtures("table_kind", "_project")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder."""
    return pair_models.cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


@pytest.fixture
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _entry(folder: Path, **changes: object) -> dict[str, Any]:
    written = {"kind": "cross-encoder", "query_prompt": "", "max_length": 48, **changes}
    return pair_models.entry(folder, **written)


def _scores(folder: Path, texts: list[str] = TEXTS, queries: list[str] = QUERIES, **changes: object) -> Any:  # noqa: ANN401 - float32 [queries, texts]
    options = cross_encoder.Options.model_validate(_entry(folder, **changes))
    teacher = cross_encoder.build(options, fakes.corpus(texts), fakes.RUNTIME)
    rows = fakes.rows(teacher, fakes.queries(queries, 2))
    return np.array([[row[p][0] for p in range(len(texts))] for row in rows], np.float32)


def test_scores_are_the_librarys_logits(model: Path) -> None:
    """Every pair has the logit that CrossEncoder.predict gives it without a sigmoid, within 1e-5."""
    library = CrossEncoder(str(model), device="cpu", max_length=48)
    pairs = [(query, text) for query in QUERIES for text in TEXTS]
    expected = library.predict(pairs, activation_fn=torch.nn.Identity()).reshape(len(QUERIES), -1)
    assert np.abs(_scores(model) - expected).max() < 1e-5
    assert expected.std() > 0.01


def test_a_score_does_not_depend_on_its_company(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, in blocks of 7 pairs, in units of 5, and all together, a pair has the same score bit for bit."""
    together = _scores(model)
    with monkeypatch.context() as patch:
        patch.setattr(layout, "VECTORS", Path("others"))
        patch.setattr(rescoring, "_PAIRS", 7)
        patch.setattr(pairs, "_PAIRS", 5)
        assert (_scores(model) == together).all()
        patch.setattr(layout, "VECTORS", Path("alone"))
        first = fakes.table([[1.0]])
        for text in (0, 5, 17, 40, 70):
            alone = _scores(model, [TEXTS[text]], QUERIES[:1], first=first, top=1)
            assert (alone[0, 0] == together[0, text]).all()


def test_the_prompt_stands_before_the_query(model: Path) -> None:
    """The template is filled with the dataset's instruction and put before the query."""
    library = CrossEncoder(str(model), device="cpu", max_length=48)
    prompted = _scores(model, TEXTS[:3], query_prompt="{instruction} : ", first=fakes.table([[1.0] * 3] * 4), top=3)
    pairs = [(f"Find it. : {QUERIES[0]}", text) for text in TEXTS[:3]]
    assert np.abs(prompted[0] - library.predict(pairs, activation_fn=torch.nn.Identity())).max() < 1e-5


def test_batches_are_full_and_of_one_width(model: Path) -> None:
    """Each batch has 16 rows and the width of its texts' own next multiple of 8, cut to the limit."""
    library = CrossEncoder(str(model), device="cpu")
    pairs = [("alpha", text) for text in TEXTS]
    seen: list[int] = []
    for part, rows, padding in local.batches(library, pairs, 44, ""):
        features = library.preprocess(rows, processing_kwargs=padding)
        width = features["input_ids"].shape[1]
        lengths = features["attention_mask"].sum(dim=1)
        assert len(rows) == 16
        assert ((lengths > width - 8) | (width == 44)).all()
        assert width % 8 == 0 or width == 44
        seen += part.tolist()
    assert sorted(seen) == list(range(len(pairs)))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda folder: pair_models.cross_encoder(folder, labels=3), "has 3 labels"),
        (lambda folder: pair_models.bert(folder, BertModel), "is saved as BertModel"),
        (pair_models.multi_vector, "is saved as MultiVectorEncoder"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, made: Any, said: str) -> None:  # noqa: ANN401 - a function of a folder
    """A model of another kind, which the library would give random weights, and one of several labels are named."""
    folder = made(tmp_path / "other")
    with pytest.raises(ModelError, match=said):
        _scores(folder)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    """A folder whose content is not that of its revision is named."""
    with pytest.raises(ModelError, match="not revision 0000"):
        _scores(pair_models.cross_encoder(tmp_path / "other"), revision="0" * 64)


def test_options_of_another_teacher_are_a_bug() -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    with pytest.raises(TypeError, match="not options of cross-encoder"):
        cross_encoder.build(fakes.Options.model_validate(fakes.table([])), fakes.corpus([]), fakes.RUNTIME)
