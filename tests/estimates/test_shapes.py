"""How large a student is, before it is loaded or even here."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from embedder import layout
from embedder.errors import StudentError
from embedder.estimates.shapes import KNOWN, Shape, shape_of
from embedder.estimates.training import trained_parameters
from embedder.params.base import Model
from embedder.params.load import load
from embedder.params.models import Student
from embedder.params.recipe import Lora
from embedder.revisions import content_hash, file_hashes
from embedder.students import offline
from embedder.training.adapters import linear_layers, targeted
from tests import models, project

PARAMS = load(project.ROOT / layout.PARAMS)


def lora(r: int, targets: Any = "all-linear") -> Lora:  # noqa: ANN401 - as params.yaml has it
    """Return adapters."""
    return Lora(r=r, alpha=16, dropout=0.0, targets=targets)


def test_mistral_trains_what_the_recipe_says() -> None:
    """Adapters of r = 8 on all linear layers of Mistral-7B are 20,971,520 parameters, of r = 16 twice as many."""
    shape = KNOWN["intfloat/e5-mistral-7b-instruct"]
    assert trained_parameters(shape, lora(8)) == 20_971_520
    assert trained_parameters(shape, lora(16)) == 41_943_040
    assert trained_parameters(shape, None) == shape.parameters == 7_110_660_096
    assert trained_parameters(shape, lora(8, ["q_proj"])) == 32 * 8 * (4_096 + 4_096)
    assert trained_parameters(shape, lora(8, ["q_proj", "v_proj"])) == 3_407_872


def test_a_target_that_is_no_layer_is_one_line() -> None:
    """A forecast refuses the target that training would refuse, and names what is near it."""
    with pytest.raises(StudentError, match="no linear layer's name ends with 'q_prok'; near it are q_proj"):
        trained_parameters(KNOWN["mistralai/Mistral-7B-v0.1"], lora(8, ["q_prok"]))


def test_weights_are_what_teachers_entries_say_without_norms() -> None:
    """What tokens are multiplied with is, to a twentieth, `parameters` of the teachers of the same names."""
    teachers = [one.model_dump() for one in PARAMS.teachers.values()]
    found = {one["name"]: one["parameters"] for one in teachers if one.get("name") in KNOWN}
    assert len(found) >= 3
    for name, parameters in found.items():
        assert KNOWN[name].weights == pytest.approx(parameters, rel=0.05)


@pytest.mark.parametrize("name", sorted(PARAMS.students))
def test_every_student_of_params_yaml_has_a_shape(name: str) -> None:
    """A forecast of a student that ships needs no download."""
    shape = shape_of(PARAMS.students[name].model)
    assert shape is not None
    assert 0 < shape.weights < shape.parameters
    assert shape.causal == (getattr(PARAMS.students[name].model, "pooling", "") == "last_token")


def sides(model: Any) -> dict[str, tuple[int, int]]:  # noqa: ANN401 - a model of transformers
    """Return the linear layers of a model by name: inputs and outputs."""
    layers = dict(model.named_modules())
    return {name: (layers[name].in_features, layers[name].out_features) for name in linear_layers(model)}


def ends(names: Iterable[str]) -> list[str]:
    """Return what targets can be: the last one, two or three parts of any name."""
    return sorted({".".join(name.split(".")[-parts:]) for name in names for parts in (1, 2, 3)})


@pytest.mark.parametrize("name", ["Mistral", "Bert", "Qwen3", "ModernBert", "Gemma3Text"])
def test_known_shapes_are_those_of_the_architectures(name: str) -> None:
    """A model of the same config on the meta device has the table's parameters and layers; any end of a name counts alike."""
    import torch
    import transformers

    mistral: dict[str, Any] = {"vocab_size": 32_000}
    configs: dict[str, tuple[str, dict[str, Any], int]] = {
        "Mistral": ("intfloat/e5-mistral-7b-instruct", mistral, 0),
        "Bert": ("BAAI/bge-base-en-v1.5", {}, 0),
        "Qwen3": (
            "Qwen/Qwen3-Embedding-0.6B",
            {"vocab_size": 151_669, "hidden_size": 1_024, "intermediate_size": 3_072, "num_hidden_layers": 28}
            | {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128},
            0,
        ),
        "ModernBert": ("Alibaba-NLP/gte-modernbert-base", {}, 0),
        "Gemma3Text": (
            "google/embeddinggemma-300m",
            {"vocab_size": 262_144, "hidden_size": 768, "intermediate_size": 1_152, "num_hidden_layers": 24}
            | {"num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 256},
            2 * 768 * 3_072,  # two Dense modules after pooling
        ),
    }
    known, options, heads = configs[name]
    with torch.device("meta"):
        model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**options))
    shape, layers = KNOWN[known], sides(model)
    assert shape.parameters - heads == model.num_parameters()
    assert {one.name: (one.inputs, one.outputs) for one in shape.linear} == layers
    for target in ends(layers):
        found = sum(8 * sum(layers[layer]) for layer in targeted(list(layers), [target]))
        assert trained_parameters(shape, lora(8, [target])) == found


def test_the_offline_students_shape_is_that_of_what_is_built() -> None:
    """Of its options: parameters and adapted layers of the DistilBERT that stage base would build."""
    import numpy as np

    options = PARAMS.students["offline"].model
    assert isinstance(options, offline.Options)
    model = offline.near_identity(options, np.ones((options.vocabulary, options.hidden), np.float32))
    shape = shape_of(options)
    assert shape is not None
    assert shape.parameters == model.num_parameters()
    assert {one.name: (one.inputs, one.outputs) for one in shape.linear} == sides(model)


def _student(folder: Path, pooling: str) -> Model:
    entry = PARAMS.students["bge-base"].model.model_dump() | {
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "pooling": pooling,
    }
    return Student.model_validate({"model": entry, "recipe": PARAMS.students["bge-base"].recipe.model_dump()}).model


@pytest.mark.parametrize(
    ("make", "pooling"), [(models.make_bert, "cls"), (models.make_mistral, "last_token")], ids=["bert", "mistral"]
)
def test_a_folders_shape_is_read_off_its_files(make: Callable[[Path], Path], pooling: str, tmp_path: Path) -> None:
    """Of a local model: all its parameters, the layers that adapters go on, and its attention."""
    from transformers import AutoModel

    folder = make(tmp_path / "model")
    loaded = AutoModel.from_pretrained(folder)
    shape = shape_of(_student(folder, pooling))
    assert isinstance(shape, Shape)
    assert shape.parameters == loaded.num_parameters()
    assert {one.name: (one.inputs, one.outputs) for one in shape.linear} == sides(loaded)
    heads = loaded.config.num_attention_heads
    assert shape.attention == loaded.config.num_hidden_layers * heads * (loaded.config.hidden_size // heads)
    assert shape.causal == (pooling == "last_token")


def test_nobody_knows_what_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was never downloaded, or a folder that is not there, has no shape; nothing is fetched for one."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    entry = PARAMS.students["bge-base"].model
    assert shape_of(entry.model_copy(update={"name": "somebody/nothing"})) is None
    assert shape_of(entry.model_copy(update={"name": str(tmp_path / "none"), "revision": "a" * 64})) is None
