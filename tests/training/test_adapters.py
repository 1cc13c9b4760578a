"""LoRA adapters in a student."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from embedder import encoding
from embedder.adapters import adapt, linear_layers, save_adapter
from embedder.params.models import Lora
from embedder.students import model as students_model
from tests import models

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LORA = Lora(r=2, alpha=4, dropout=0.0)


@pytest.fixture
def bert(tmp_path: Path) -> "SentenceTransformer":
    """A random BERT with a pooler, in bfloat16."""
    entry = models.options(models.make_bert(tmp_path / "bert"), dtype="bfloat16")
    students_model.build_base(entry, [], tmp_path)
    return students_model.load(entry, tmp_path, "cpu")


def test_all_linear_layers_but_the_pooler_are_adapted(bert: "SentenceTransformer") -> None:
    """Each of the six linear layers of each block has an adapter, the pooler has none, the rest is frozen."""
    adapt(bert, LORA, "bert", None)
    adapted = {name.rpartition(".lora_A")[0] for name, _ in bert.named_parameters() if ".lora_A" in name}
    assert len(adapted) == 12
    assert not any("pooler" in name for name in adapted)
    assert all(("lora_" in name) == parameter.requires_grad for name, parameter in bert.named_parameters())


def test_adapters_are_float32_over_a_bfloat16_base(bert: "SentenceTransformer") -> None:
    """What is trained is float32 although the base is bfloat16."""
    adapt(bert, LORA, "bert", None)
    dtypes = {parameter.requires_grad: parameter.dtype for parameter in bert.parameters()}
    assert dtypes == {True: torch.float32, False: torch.bfloat16}


def test_new_adapters_change_no_vector(bert: "SentenceTransformer") -> None:
    """An untrained adapter leaves the model what it was."""
    before = encoding.encode(bert, ["alpha beta", "gamma"])
    adapt(bert, LORA, "bert", None)
    np.testing.assert_allclose(encoding.encode(bert, ["alpha beta", "gamma"]), before, atol=1e-6)


def test_every_adapter_gets_a_gradient(bert: "SentenceTransformer") -> None:
    """No adapter is beside the path to the vector."""
    adapt(bert, LORA, "bert", None)
    vectors = encoding.embed(bert, encoding.tokenize(bert, ["alpha beta", "gamma"]))
    vectors[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in bert.parameters() if parameter.requires_grad)


def test_the_seven_b_model_has_sfrs_number_of_parameters() -> None:
    """LoRA with r = 8 on the linear layers of a Mistral-7B has the 20,971,520 parameters of the published recipe."""
    from transformers import MistralConfig, MistralModel

    with torch.device("meta"):
        mistral = MistralModel(MistralConfig())
    layers = [mistral.get_submodule(name) for name in linear_layers(mistral)]
    sizes = [layer.in_features + layer.out_features for layer in layers if isinstance(layer, torch.nn.Linear)]
    assert 8 * sum(sizes) == 20_971_520


def test_a_saved_adapter_names_its_base_and_no_folder(bert: "SentenceTransformer", tmp_path: Path) -> None:
    """The folder holds a sorted config that names the base as params do, and the weights; no card, no local path."""
    adapted = adapt(bert, LORA, "organisation/bert", "a" * 40)
    save_adapter(adapted, tmp_path / "adapter")
    files = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    text = (tmp_path / "adapter" / "adapter_config.json").read_text()
    config = json.loads(text)
    assert (config["base_model_name_or_path"], config["revision"]) == ("organisation/bert", "a" * 40)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert str(tmp_path) not in text
