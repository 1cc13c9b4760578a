"""Pretrained models: where they come from, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from embedder import encoding
from embedder.errors import ModelError
from embedder.pretrained.loading import check, load
from embedder.revisions import file_hashes
from tests import models

TEXTS = ["alpha beta", "gamma", "delta epsilon zeta eta theta"]


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """The folder of a random BERT."""
    return models.make_bert(tmp_path / "bert")


def test_a_check_returns_the_folders_files(bert: Path, tmp_path: Path) -> None:
    """What is checked is a local folder, by the hashes of its files; a Hub id is not asked for."""
    assert check(models.options(bert), "model") == file_hashes(bert)
    assert check(models.options(tmp_path, name="a/b", revision="a" * 40), "model") == {}


def test_a_weighted_mean_weighs_by_position(bert: Path) -> None:
    """With weighted_mean the n-th token counts n times."""
    model = load(models.options(bert, pooling="weighted_mean", normalise=False), 32, "cpu", "model")
    (ids,) = encoding.tokenize(model, ["alpha beta gamma"])
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(bert)(torch.tensor([ids])).last_hidden_state[0]
    weights = torch.arange(1, len(ids) + 1, dtype=torch.float32)[:, None]
    expected = ((hidden * weights).sum(dim=0) / weights.sum()).numpy()
    found = encoding.encode(model, ["alpha beta gamma", "delta"], normalise=False)[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_dtype_may_be_another_than_the_entrys(bert: Path) -> None:
    """A caller that compares dtypes loads the entry's model in float32; without a length it reads all it can."""
    model = load(models.options(bert, dtype="bfloat16"), None, "cpu", "model", "float32")
    assert (model.dtype, model.max_seq_length) == (torch.float32, 64)


def test_a_model_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hub id without cache and network is refused by name."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    entry = models.options(tmp_path, name="organisation/model", revision="a" * 40)
    with pytest.raises(ModelError, match=r"teacher 'x': organisation/model at a{40} cannot be had from the Hub"):
        load(entry, 32, "cpu", "teacher 'x'")


def test_pickled_weights_are_refused(bert: Path) -> None:
    """A folder whose weights are no safetensors is not loaded."""
    weights = AutoModel.from_pretrained(bert).state_dict()
    (bert / "model.safetensors").unlink()
    torch.save(weights, bert / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"cannot be loaded from .*safetensors"):
        load(models.options(bert), 32, "cpu", "model")


def test_an_adapter_is_no_model(bert: Path, tmp_path: Path) -> None:
    """A folder that is an adapter is refused, for its base would come unpinned."""
    folder = models.make_adapter(bert, tmp_path / "adapter")
    with pytest.raises(ModelError, match="is an adapter; name its base"):
        load(models.options(folder), 32, "cpu", "model")


def test_a_missing_folder_and_a_changed_one_are_one_line(bert: Path, tmp_path: Path) -> None:
    """A folder that is not there, or whose content is another, is refused; an adapter's too."""
    with pytest.raises(ModelError, match="no such folder"):
        check(models.options(tmp_path, name=str(tmp_path / "nothing")), "model")
    entry = models.options(bert, adapter={"name": str(bert), "revision": "b" * 64})
    for step in (lambda: check(entry, "model"), lambda: load(entry, 32, "cpu", "model")):
        with pytest.raises(ModelError, match=r"model: adapter '.*': its content hash is"):
            step()
