"""Adapters, merged into their base."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from embedder import encoding
from embedder.errors import ModelError
from embedder.pretrained.loading import load
from embedder.students.model import Options
from tests import models

TEXTS = ["alpha beta", "gamma", "delta epsilon zeta eta theta"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The folder of a random Mistral."""
    return models.make_mistral(tmp_path / "base")


def _entry(base: Path, adapter: Path, **changes: object) -> Options:
    return models.options(base, pooling="last_token", add_eos=True, adapter=models.adapter(adapter), **changes)


def test_an_adapter_is_merged(base: Path, tmp_path: Path) -> None:
    """The vectors are those of PEFT's model around the base, not the base's."""
    adapter = models.make_adapter(base, tmp_path / "adapter")
    model = load(_entry(base, adapter), 64, "cpu", "model")
    (ids,) = encoding.tokenize(model, ["alpha beta"])
    with torch.no_grad():
        adapted = PeftModel.from_pretrained(AutoModel.from_pretrained(base), adapter)
        hidden = adapted(torch.tensor([ids])).last_hidden_state[0, -1]
    found = encoding.encode(model, ["alpha beta", "gamma"])
    np.testing.assert_allclose(found[0], torch.nn.functional.normalize(hidden, dim=0).numpy(), atol=1e-5)
    plain = load(models.options(base, pooling="last_token", add_eos=True), 64, "cpu", "model")
    assert not np.allclose(found, encoding.encode(plain, ["alpha beta", "gamma"]), atol=1e-2)


def test_a_merged_model_is_cast_last(base: Path, tmp_path: Path) -> None:
    """In 16 bits the model is the one merged in float32, saved, and loaded in 16 bits."""
    adapter = models.make_adapter(base, tmp_path / "adapter")
    model = load(_entry(base, adapter, dtype="bfloat16"), 64, "cpu", "model")
    merged = tmp_path / "merged"
    load(_entry(base, adapter), 64, "cpu", "model").save(str(merged), create_model_card=False)
    again = load(models.options(merged, pooling="last_token", add_eos=True, dtype="bfloat16"), 64, "cpu", "model")
    assert (encoding.encode(model, TEXTS) == encoding.encode(again, TEXTS)).all()


def test_a_pickled_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    """An adapter whose weights are no safetensors is not loaded."""
    adapter = models.make_adapter(base, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"has no adapter_model.safetensors"):
        load(_entry(base, adapter), 64, "cpu", "model")


def test_an_adapter_of_another_architecture_is_refused(base: Path, tmp_path: Path) -> None:
    """An adapter of a BERT is not put into a Mistral."""
    adapter = models.make_adapter(models.make_bert(tmp_path / "bert"), tmp_path / "adapter")
    with pytest.raises(ModelError, match=r"its adapter .* (cannot be merged|has not the layers of this base)"):
        load(_entry(base, adapter), 64, "cpu", "model")


def test_an_adapter_that_would_change_nothing_is_refused(base: Path, tmp_path: Path) -> None:
    """Weights under other names, which PEFT would leave out with a warning, are refused."""
    adapter = models.make_adapter(base, tmp_path / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    renamed = {name.replace("base_model.model.", "base_model.model.model."): one for name, one in weights.items()}
    save_file(renamed, adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"has not the layers of this base: \d+ too many, \d+ too few"):
        load(_entry(base, adapter), 64, "cpu", "model")


def test_a_broken_adapter_is_one_line(base: Path, tmp_path: Path) -> None:
    """An adapter whose config names no kind is refused in one line."""
    adapter = models.make_adapter(base, tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text(json.dumps({}))
    with pytest.raises(ModelError, match="cannot be merged"):
        load(_entry(base, adapter), 64, "cpu", "model")


def test_an_adapter_that_is_cut_off_is_one_line(base: Path, tmp_path: Path) -> None:
    """An adapter whose weights end too soon is refused in one line."""
    adapter = models.make_adapter(base, tmp_path / "adapter")
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match="cannot be merged"):
        load(_entry(base, adapter), 64, "cpu", "model")
