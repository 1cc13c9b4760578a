"""Models that are broken, or lack weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertForMaskedLM, BertForSequenceClassification, PreTrainedModel

from embedder.errors import EmbedderError, ModelError
from embedder.pretrained.intact import intact
from embedder.pretrained.loading import load
from tests import models
from tests.teachers import pair_models


def _load(folder: Path) -> Any:  # noqa: ANN401 - a loaded model
    return load(models.options(folder), 32, "cpu", "teacher 'x'")


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    """A checkpoint without a layer is named with how many weights it lacks, and not filled with random numbers."""
    folder = models.without(models.make_bert(tmp_path / "bert"), "encoder.layer.1.")
    with pytest.raises(
        ModelError, match=r"teacher 'x': .*bert lacks 16 of its weights, encoder\.layer\.1\.\S+ the first"
    ):
        _load(folder)


def test_weights_that_nothing_reads_may_be_missing(tmp_path: Path) -> None:
    """A model without a head does without its pooler, and as well from a checkpoint whose names have a prefix."""
    whole = _load(models.make_bert(tmp_path / "whole")).encode(["alpha beta"])
    assert (_load(models.without(models.make_bert(tmp_path / "bert"), "pooler.")).encode(["alpha beta"]) == whole).all()
    _load(pair_models.bert(tmp_path / "masked", BertForMaskedLM))
    _load(pair_models.bert(tmp_path / "classifier", BertForSequenceClassification))


@pytest.mark.parametrize("spoil", models.SPOILING)
def test_a_broken_model_is_one_line(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Weights that are cut off or garbled, and a config of other shapes or types, are refused in one line."""
    folder = models.make_bert(tmp_path / "bert")
    spoil(folder)
    with pytest.raises(ModelError, match=f"cannot be loaded from {folder}") as caught:
        _load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [MemoryError, torch.OutOfMemoryError, KeyboardInterrupt, EmbedderError])
def test_what_is_no_fault_of_the_model_passes(tmp_path: Path, kind: type[BaseException]) -> None:
    """Too little memory, an interrupt and errors that say it themselves keep their kind, and the library is restored."""
    before = vars(PreTrainedModel)["from_pretrained"]
    with pytest.raises(kind) as caught, intact(tmp_path, "teacher 'x'"):
        raise kind("it")
    assert caught.type is kind
    assert vars(PreTrainedModel)["from_pretrained"] is before
