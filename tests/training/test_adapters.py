"""What of a student is trained."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedder import encoding
from embedder.errors import StudentError
from embedder.padding import padded
from embedder.params.models import Student
from embedder.params.recipe import Lora
from embedder.students import build_base
from embedder.training.adapters import adapt, linear_layers, load_base, save_adapter, targeted, with_adapters
from tests import models
from tests.training_sets import student

LORA = {"r": 2, "alpha": 4, "dropout": 0.0, "targets": "all-linear"}
TEXTS = ["alpha beta gamma", "delta"]

Made = tuple[SentenceTransformer, Student]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    """Make a random BERT with a pooler in bfloat16, or a Mistral, and its entry with some of the recipe."""

    def _make(kind: str = "bert", dtype: str = "bfloat16", **recipe: object) -> Made:
        folder = tmp_path / kind
        if kind == "bert":
            entry = models.options(folder if folder.exists() else models.make_bert(folder), dtype=dtype)
        else:
            path = folder if folder.exists() else models.make_mistral(folder)
            entry = models.options(path, pooling="last_token", add_eos=True, dtype=dtype)
        build_base(entry, [], tmp_path)
        whole = student(entry.model_dump(), **({"lora": LORA} | recipe))
        return load_base(whole, tmp_path, "cpu"), whole

    return _make


def gradients(model: SentenceTransformer, seed: int = 0) -> dict[str, torch.Tensor]:
    """Send a made-up loss back through a model in training, and return its gradients."""
    model.train()
    model.zero_grad()
    torch.manual_seed(seed)
    ids = encoding.tokenize(model, TEXTS)
    vectors = encoding.forward(model, padded(ids, max(map(len, ids)), model.tokenizer.pad_token_id or 0))
    (vectors * torch.linspace(-1, 1, vectors.shape[1])).sum().backward()  # type: ignore[no-untyped-call]
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


def test_all_linear_layers_but_the_pooler_are_adapted(make: Callable[..., Made]) -> None:
    """Each of the six linear layers of each block has an adapter, the pooler has none, the rest is frozen."""
    model, entry = make()
    adapt(model, entry)
    adapted = {name.rpartition(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A" in name}
    assert len(adapted) == 12
    assert not any("pooler" in name for name in adapted)
    assert all(("lora_" in name) == parameter.requires_grad for name, parameter in model.named_parameters())


def test_only_named_layers_are_adapted(make: Callable[..., Made]) -> None:
    """Targets are the ends of names, cut at dots: `query` and `output.dense` are three layers of a block."""
    model, entry = make(lora=LORA | {"targets": ["query", "output.dense"]})
    adapt(model, entry)
    adapted = {name.rpartition(".lora_A")[0].partition("layer.")[2] for name, _ in model.named_parameters()} - {""}
    parts = ("attention.self.query", "attention.output.dense", "output.dense")
    assert adapted == {f"{block}.{part}" for block in (0, 1) for part in parts}


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["qury"], r"ends with 'qury'; near it are query"),
        (["query", "uery"], r"ends with 'uery'; near it are query"),
        (["q_proj"], r"ends with 'q_proj'; near it are query, key, value, dense"),
        (["pooler.dense"], r"ends with 'pooler.dense'; near it are dense"),
    ],
)
def test_a_target_that_is_no_layer_is_one_line(make: Callable[..., Made], targets: Sequence[str], said: str) -> None:
    """A target that ends no layer's name, or the pooler's alone, is met with the names near it."""
    model, entry = make(lora=LORA | {"targets": targets})
    with pytest.raises(StudentError, match=said):
        adapt(model, entry)


def test_a_model_without_linear_layers_is_one_line() -> None:
    """Where there is nothing to adapt it is said."""
    with pytest.raises(StudentError, match="no linear layer to put an adapter on"):
        targeted([], "all-linear")


@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
def test_what_is_trained_is_float32(make: Callable[..., Made], lora: object) -> None:
    """Adapters are float32 over a bfloat16 base; where all weights are trained, they are float32 themselves."""
    model, entry = make(lora=lora)
    adapt(model, entry)
    dtypes = {(parameter.requires_grad, parameter.dtype) for parameter in model.parameters()}
    frozen = torch.bfloat16 if lora else torch.float32
    assert dtypes == {(True, torch.float32), (False, frozen)}
    assert entry.model.dtype == "bfloat16"  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["bert", "mistral"])
@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
def test_all_that_is_trained_gets_a_gradient(make: Callable[..., Made], lora: object, kind: str) -> None:
    """No trained parameter is beside the path to the vector, so sums over processes are whole."""
    model, entry = make(kind, dtype="float32", lora=lora)
    adapt(model, entry)
    assert gradients(model).keys() == {name for name, one in model.named_parameters() if one.requires_grad}


def test_full_tuning_leaves_the_pooler_alone(make: Callable[..., Made]) -> None:
    """Without adapters all weights but the pooler's are trained, and there is no PeftModel."""
    model, entry = make(lora=None)
    assert adapt(model, entry) is None
    assert {name.split(".")[-2] for name, one in model.named_parameters() if not one.requires_grad} == {"dense"}
    assert all(one.requires_grad != ("pooler" in name) for name, one in model.named_parameters())


def test_word_weights_stay_what_they_were(fresh: Callable[[], SentenceTransformer]) -> None:
    """The offline student's word weights are not trained: a saved model has them as they were given."""
    model = fresh()
    adapt(model, student(lora=None))
    assert [one.requires_grad for one in model[1].parameters()] == [False]
    assert all(one.requires_grad for one in model[0].parameters())


def test_new_adapters_change_no_vector(make: Callable[..., Made]) -> None:
    """An untrained adapter leaves the model what it was."""
    model, entry = make()
    before = encoding.encode(model, TEXTS)
    adapt(model, entry)
    np.testing.assert_allclose(encoding.encode(model, TEXTS), before, atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "mistral"])
@pytest.mark.parametrize("lora", [LORA | {"dropout": 0.3}, None], ids=["lora", "full"])
def test_gradient_checkpointing_changes_no_gradient(make: Callable[..., Made], lora: object, kind: str) -> None:
    """Activations that are computed again, dropout included, give the gradients of kept ones, bit for bit."""
    found = []
    for checkpointing in (False, True):
        model, entry = make(kind, dtype="float32", lora=lora, gradient_checkpointing=checkpointing)
        torch.manual_seed(1)
        adapt(model, entry)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter.data)
        found.append(gradients(model))
    kept, again = found
    assert kept.keys() == again.keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_activations_are_computed_again(make: Callable[..., Made]) -> None:
    """With gradient checkpointing a layer runs twice in a step, without it once."""
    counts = []
    for checkpointing in (False, True):
        model, entry = make(dtype="float32", gradient_checkpointing=checkpointing)
        adapt(model, entry)
        calls: list[int] = []
        layer = model.get_submodule("0.model.encoder.layer.0.intermediate")
        layer.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        gradients(model)
        counts.append(len(calls))
    assert counts == [1, 2]


def test_a_model_that_cannot_checkpoint_is_one_line(make: Callable[..., Made], monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without gradient checkpointing is met with what to do."""
    model, entry = make(gradient_checkpointing=True)
    monkeypatch.setattr(type(model[0].model), "supports_gradient_checkpointing", False)
    with pytest.raises(StudentError, match="BertModel cannot compute its activations again; set it to false"):
        adapt(model, entry)


@pytest.mark.parametrize(("r", "parameters"), [(8, 20_971_520), (16, 41_943_040)])
def test_the_seven_b_model_has_the_published_number_of_parameters(r: int, parameters: int) -> None:
    """LoRA on the linear layers of a Mistral-7B in bfloat16 has SFR's number of parameters at r = 8, E5's at 16."""
    from transformers import MistralConfig, MistralModel

    lora = Lora(r=r, alpha=16, dropout=0.1, targets="all-linear")
    with torch.device("meta"):
        mistral: Any = MistralModel(MistralConfig())
        mistral.to(torch.bfloat16).requires_grad_(requires_grad=False)
        names = {name.rpartition(".")[2] for name in linear_layers(mistral)}
        with_adapters(mistral, lora, "mistralai/Mistral-7B-v0.1", "a" * 40)
    trained = [one for one in mistral.parameters() if one.requires_grad]
    assert sum(one.numel() for one in trained) == parameters
    assert {one.dtype for one in trained} == {torch.float32}
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_a_saved_adapter_names_its_base_and_no_folder(make: Callable[..., Made], tmp_path: Path) -> None:
    """The folder holds a sorted config that names the base as params do, and the weights; no card, no local path."""
    model, _ = make()
    adapted = with_adapters(model[0].model, Lora.model_validate(LORA), "organisation/bert", "a" * 40)
    save_adapter(adapted, tmp_path / "adapter")
    files = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    text = (tmp_path / "adapter" / "adapter_config.json").read_text()
    config = json.loads(text)
    assert (config["base_model_name_or_path"], config["revision"]) == ("organisation/bert", "a" * 40)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert str(tmp_path) not in text


def test_without_an_adapter_the_folder_says_so(tmp_path: Path) -> None:
    """Where all weights were tuned the folder of the adapter is there, and says that there is none."""
    save_adapter(None, tmp_path / "adapter")
    assert [path.name for path in (tmp_path / "adapter").iterdir()] == ["README.md"]
    assert "all weights were tuned" in (tmp_path / "adapter" / "README.md").read_text()


_SAVE = """
import sys, torch
from pathlib import Path
from transformers import BertConfig, BertModel
from embedder.params.recipe import Lora
from embedder.training.adapters import save_adapter, with_adapters
torch.manual_seed(0)
bert = BertModel(BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=5, num_attention_heads=2, intermediate_size=8))
save_adapter(with_adapters(bert, Lora(r=1, alpha=1, dropout=0.0, targets="all-linear"), "b", None), Path(sys.argv[1]))
"""


def test_an_adapters_bytes_do_not_depend_on_the_order_of_sets(tmp_path: Path) -> None:
    """Two processes with other hash seeds write the same bytes, where PEFT shortens a long list of layers too."""
    root = Path(__file__).resolve().parents[2]
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        subprocess.run([sys.executable, "-c", _SAVE, str(tmp_path / seed)], env=environment, check=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
