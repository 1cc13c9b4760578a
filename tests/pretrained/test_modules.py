"""What a sentence-transformers folder lists."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedder import encoding
from embedder.errors import ModelError
from embedder.pretrained.loading import load
from embedder.pretrained.modules import normalises, parts_of, pooling_of
from tests import models

TEXTS = ["alpha beta", "gamma delta epsilon"]


@pytest.fixture
def projected(tmp_path: Path) -> Path:
    """The folder of a BERT with two Dense modules."""
    return models.make_projected(tmp_path)


def _list(folder: Path, types: list[str]) -> None:
    listing = [{"idx": i, "name": str(i), "path": f"{i}_part" if i else "", "type": t} for i, t in enumerate(types)]
    (folder / "modules.json").write_text(json.dumps(listing))


def test_all_modules_of_a_folder_are_built(projected: Path) -> None:
    """A folder's vectors are those that the library makes of it, Dense modules included."""
    model = load(models.options(projected, pooling="mean"), None, "cpu", "model")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
    expected = SentenceTransformer(str(projected), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(encoding.encode(model, TEXTS), expected, atol=1e-5)


def test_the_entry_decides_on_normalising_and_dtype(projected: Path) -> None:
    """A Normalize that the entry does not want is left out, and every module has the entry's dtype."""
    model = load(models.options(projected, pooling="mean", normalise=False, dtype="bfloat16"), None, "cpu", "model")
    assert [type(module).__name__ for module in model][-1] == "Dense"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert encoding.encode(model, TEXTS, normalise=False).shape == (2, 8)


def test_the_offline_students_folder_loads(base_folder: Path) -> None:
    """The offline student, whose pooling weighs tokens, can be loaded as a pretrained model."""
    folder = base_folder / "model"
    model = load(models.options(folder, pooling="mean"), None, "cpu", "model")
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(encoding.encode(model, TEXTS), expected, atol=1e-5)


def test_a_folder_says_its_pooling_and_whether_it_normalises(projected: Path, tmp_path: Path) -> None:
    """Pooling is read in the words of params.yaml; a folder without modules.json says nothing."""
    assert (pooling_of(projected, "model"), normalises(projected, "model")) == ("mean", True)
    (projected / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_lasttoken": True}))
    assert pooling_of(projected, "model") == "last_token"
    assert (pooling_of(tmp_path, "model"), normalises(tmp_path, "model")) == (None, False)


@pytest.mark.parametrize(
    ("types", "said"),
    [
        (["sentence_transformers.models.Transformer", "custom_st.Transformer"], "has a module custom_st.Transformer"),
        (["sentence_transformers.models.Transformer", "sentence_transformers.models.LSTM"], "has a module LSTM"),
        (["sentence_transformers.models.Pooling"], "must start with its one Transformer"),
        (["sentence_transformers.models.Transformer"], "pools by nothing, not by cls"),
    ],
)
def test_other_modules_are_refused(tmp_path: Path, types: list[str], said: str) -> None:
    """A folder with modules of its own, or of kinds that are not known, is not loaded."""
    folder = models.make_bert(tmp_path / "bert")
    _list(folder, types)
    with pytest.raises(ModelError, match=said):
        load(models.options(folder), None, "cpu", "student 'x'")


def test_another_pooling_than_the_entrys_is_refused(projected: Path) -> None:
    """A folder that pools by mean is not loaded as one that pools by CLS."""
    with pytest.raises(ModelError, match="student 'x': pools by mean, not by cls; correct `pooling`"):
        load(models.options(projected), None, "cpu", "student 'x'")


@pytest.mark.parametrize("text", ["{", "[1]", '[{"type": "x"}]', '{"a": 1}'])
def test_a_broken_listing_is_one_line(tmp_path: Path, text: str) -> None:
    """A modules.json that lists no modules is refused in one line."""
    (tmp_path / "modules.json").write_text(text)
    with pytest.raises(ModelError, match="is no list of modules"):
        parts_of(tmp_path, "model")


def test_a_module_outside_its_folder_is_refused(tmp_path: Path) -> None:
    """A module's folder cannot point out of the model's."""
    listing = [{"path": "../elsewhere", "type": "sentence_transformers.models.Transformer"}]
    (tmp_path / "modules.json").write_text(json.dumps(listing))
    with pytest.raises(ModelError, match="lies outside its folder"):
        parts_of(tmp_path, "model")


def test_pickled_projections_are_refused(projected: Path) -> None:
    """A Dense module whose weights are no safetensors is not loaded."""
    (projected / "2_Dense" / "model.safetensors").rename(projected / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"its Dense module has no model.safetensors"):
        load(models.options(projected, pooling="mean"), None, "cpu", "model")


def test_broken_projections_are_one_line(projected: Path) -> None:
    """A Dense module whose weights are cut off is named."""
    path = projected / "2_Dense" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match=r"its Dense module: cannot be loaded from .*2_Dense"):
        load(models.options(projected, pooling="mean"), None, "cpu", "model")
