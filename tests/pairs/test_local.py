"""Tests of embedder.pairs.local with random BERTs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from embedder import layout
from embedder.errors import ModelError
from embedder.pairs import local
from embedder.pairs.cross_encoder import load, scores
from embedder.teachers import cross_encoder, multi_vector, sparse
from embedder.teachers.encoded_pairs import Side
from tests import models
from tests.teachers import fakes, pair_models

pytestmark = pytest.mark.usefixtures("table_kind")


QUERY, PASSAGE = Side("query", "", 16), Side("document", "", 16)
LENGTHS = {"query_prompt": "", "passage_prompt": "", "query_length": 16, "passage_length": 16}


def _cross_encoder(folder: Path) -> object:
    entry = pair_models.entry(folder, kind="cross-encoder", query_prompt="", max_length=48)
    return load(cross_encoder.Options.model_validate(entry), "cpu", "")


def _multi_vector(folder: Path) -> object:
    entry = pair_models.entry(folder, kind="multi-vector", **LENGTHS)
    return multi_vector.load(multi_vector.Options.model_validate(entry), "cpu", QUERY, PASSAGE)


def _sparse(folder: Path) -> object:
    entry = pair_models.entry(folder, kind="sparse", **LENGTHS)
    return sparse.load(sparse.Options.model_validate(entry), "cpu", QUERY, PASSAGE)


@pytest.mark.parametrize(
    ("make", "lacking", "read"),
    [
        (pair_models.cross_encoder, ("classifier.weight",), _cross_encoder),
        (pair_models.cross_encoder, ("bert.pooler.",), _cross_encoder),
        (pair_models.sparse, ("cls.predictions.transform.",), _sparse),
        (pair_models.multi_vector, ("encoder.layer.0.",), _multi_vector),
    ],
)
def test_a_rescorers_missing_weights_are_refused(
    tmp_path: Path, make: Callable[[Path], Path], lacking: tuple[str, ...], read: Callable[[Path], object]
) -> None:
    """A rescorer lacks neither a layer nor a part of its head, of which a classifier's pooler is one; whole it loads."""
    folder = make(tmp_path / "model")
    read(folder)
    with pytest.raises(ModelError, match=r"lacks \d+ of its weights"):
        read(models.without(folder, *lacking))


@pytest.mark.parametrize("spoil", models.SPOILING)
def test_a_broken_rescorer_is_one_line(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Weights that are cut off or garbled, and a config of other shapes or types, are refused in one line."""
    folder = pair_models.cross_encoder(tmp_path / "model")
    spoil(folder)
    with pytest.raises(ModelError, match=f"cannot be loaded from {folder}") as caught:
        _cross_encoder(folder)
    assert "\n" not in str(caught.value)


def test_scores_are_kept_under_what_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another way of reading, of this program's or of a library's, has another space."""
    monkeypatch.chdir(tmp_path)
    entry = pair_models.entry(
        pair_models.cross_encoder(tmp_path / "model"), kind="cross-encoder", query_prompt="", max_length=48
    )
    options = cross_encoder.Options.model_validate(entry)

    def spaces() -> int:
        list(scores(options, "", fakes.RUNTIME, "rescore").score(["mu"], ["alpha"]))
        return len(list(layout.VECTORS.iterdir()))

    assert [spaces(), spaces()] == [1, 1]
    monkeypatch.setattr(local, "_READING", 2)
    assert spaces() == 2
    monkeypatch.setattr(local, "version", lambda name: "0" if name == "tokenizers" else "1")
    assert spaces() == 3
    monkeypatch.setattr(local, "version", lambda _: "1")
    assert spaces() == 4
