"""Tests of embedder.judges.cross_encoder with a random BERT."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sentence_transformers import CrossEncoder

from embedder import judges, layout
from embedder.errors import JudgeError
from embedder.judges import Pairs, cross_encoder
from embedder.judges.options import Judging
from embedder.pairs import cross_encoder as model_pairs
from embedder.params.base import describe
from embedder.revisions import content_hash, file_hashes
from tests.judges import entries
from tests.teachers import pair_models
from tests.teachers.pair_models import QUERIES, TEXTS


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder."""
    return pair_models.cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _entry(folder: Path, **changes: object) -> dict[str, Any]:
    return {
        "kind": "cross-encoder",
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "licence": "CC0-1.0",
        "dtype": "float32",
        "query_prompt": "",
        "max_length": 48,
        "threshold": None,
        "threshold_percentile": 5.0,
        "action": "drop",
        "top": None,
        **changes,
    }


def _judge(folder: Path, **changes: object) -> judges.Judge:
    options = cross_encoder.Options.model_validate(_entry(folder, **changes))
    return judges.build(options, entries.SUBJECT, entries.RUNTIME)


def _pairs() -> Pairs:
    both = [(query, text) for query in QUERIES for text in TEXTS]
    queries, texts = zip(*both, strict=True)
    return Pairs([f"q{i}" for i in range(len(both))], ["p"] * len(both), queries, texts)


def test_scores_are_the_librarys_logits(model: Path) -> None:
    """Pairs of all queries at once have the logits that CrossEncoder.predict gives, within 1e-5."""
    library = CrossEncoder(str(model), device="cpu", max_length=48)
    pairs = _pairs()
    expected = library.predict(list(zip(pairs.queries, pairs.passages, strict=True)), activation_fn=torch.nn.Identity())
    assert np.abs(_judge(model).ask(pairs).scores - expected).max() < 1e-5


def test_the_instruction_fills_the_prompt(model: Path) -> None:
    """`{instruction}` in the prompt is the dataset's."""
    library = CrossEncoder(str(model), device="cpu", max_length=48)
    found = _judge(model, query_prompt="{instruction} : ").ask(Pairs(["q"], ["p"], ["mu"], ["alpha beta"]))
    assert (
        np.abs(found.scores - library.predict([("Find it. : mu", "alpha beta")], activation_fn=torch.nn.Identity()))
        < 1e-5
    )


def test_stored_scores_need_no_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run, or one that was killed, computes what is missing and no more; thresholds cost nothing."""
    pairs = _pairs()
    assert (_judge(model).cost(pairs).stored, layout.VECTORS.exists()) == (0, False)
    first = _judge(model).ask(pairs).scores

    def refuse(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(model_pairs, "load", refuse)
    judge = _judge(model, threshold=0.0, threshold_percentile=None, action="relabel", top=3)
    assert judge.cost(pairs) == judges.Cost(len(pairs), len(pairs), 0)
    assert judge.ask(pairs).scores.tolist() == first.tolist()
    assert judge.identity() == _judge(model).identity()


def test_no_pairs_need_no_model(tmp_path: Path) -> None:
    """Where nothing is asked, the model need not be there."""
    folder = tmp_path / "none"
    found = _judge(folder, revision="0" * 64).ask(Pairs([], [], [], []))
    assert found.scores.tolist() == []


@pytest.mark.parametrize(
    ("threshold", "percentile"), [(None, None), (0.5, 5.0), (None, 101.0), (None, -1.0), ("high", None)]
)
def test_there_is_one_threshold(model: Path, threshold: object, percentile: object) -> None:
    """Either a score or a percentile says what is relevant, and never both."""
    with pytest.raises(ValidationError) as caught:
        cross_encoder.Options.model_validate(_entry(model, threshold=threshold, threshold_percentile=percentile))
    assert "threshold" in describe(caught.value)


def _rules(threshold: float | None, percentile: float | None) -> Judging:
    written = {"threshold": threshold, "threshold_percentile": percentile, "action": "drop", "top": None}
    return Judging.model_validate(written)


def test_a_percentile_is_of_the_positives() -> None:
    """0 is the lowest score of a positive, 100 the highest, between them as numpy has it; a number is itself."""
    scores = np.array([3.0, 1.0, 2.0], np.float32)
    assert [_rules(None, share).relevant_from(scores) for share in (0.0, 50.0, 75.0, 100.0)] == [1.0, 2.0, 2.5, 3.0]
    assert _rules(0.7, None).relevant_from(scores) == np.float32(0.7)


def test_a_percentile_of_nothing_is_refused() -> None:
    """Without a scored positive there is no percentile, and the message says what to write."""
    with pytest.raises(JudgeError, match="write a threshold"):
        _rules(None, 5.0).relevant_from(np.empty(0, np.float32))
    assert _rules(2.0, None).relevant_from(np.empty(0, np.float32)) == 2.0
