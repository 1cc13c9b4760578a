"""An existing model as a student."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from embedder import encoding
from embedder.errors import ModelError, StudentError
from embedder.students import build_base, load_student, weights_of
from tests import models


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """The folder of a random BERT."""
    return models.make_bert(tmp_path / "bert")


def test_the_base_is_a_record(bert: Path, tmp_path: Path) -> None:
    """The base of a local model is its name, revision, licence and file hashes, never its weights."""
    entry = models.options(bert)
    build_base(entry, [], tmp_path)
    record = json.loads((tmp_path / "model" / "record.json").read_text())
    assert (record["name"], record["revision"], record["licence"]) == (str(bert), entry.revision, "CC0-1.0")
    assert record["files"].keys() == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_hub_model_is_recorded_without_network(tmp_path: Path) -> None:
    """A Hub id is recorded by its commit alone."""
    entry = models.options(tmp_path, name="organisation/model", revision="a" * 40)
    build_base(entry, [], tmp_path)
    assert json.loads((tmp_path / "model" / "record.json").read_text())["files"] == {}


@pytest.mark.parametrize(("name", "place"), [("cls", 0), ("mean", slice(None))])
def test_vectors_are_pooled_as_the_entry_says(bert: Path, tmp_path: Path, name: str, place: int | slice) -> None:
    """The vector is the first token's output, or the mean of all, of the model transformers loads."""
    entry = models.options(bert, pooling=name)
    build_base(entry, [], tmp_path)
    tokens = AutoTokenizer.from_pretrained(bert)("alpha beta gamma", return_tensors="pt")
    with torch.no_grad():
        output = AutoModel.from_pretrained(bert)(**tokens).last_hidden_state[0, place].reshape(-1, 16).mean(dim=0)
    expected = torch.nn.functional.normalize(output, dim=0).numpy()
    found = encoding.encode(load_student(entry, tmp_path, "cpu"), ["alpha beta gamma", "delta"])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_last_token_is_eos(tmp_path: Path) -> None:
    """A last-token model's vector is the output at its EOS, although tokenizer.json adds none."""
    folder = models.make_mistral(tmp_path / "mistral")
    entry = models.options(folder, pooling="last_token", add_eos=True)
    build_base(entry, [], tmp_path)
    plain = AutoTokenizer.from_pretrained(folder)("alpha")["input_ids"]
    with torch.no_grad():
        output = AutoModel.from_pretrained(folder)(torch.tensor([[*plain, 2]])).last_hidden_state[0, -1]
    expected = torch.nn.functional.normalize(output, dim=0).numpy()
    found = encoding.encode(load_student(entry, tmp_path, "cpu"), ["alpha", "alpha beta gamma"])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("normalise", [True, False])
def test_dtype_length_and_normalisation_are_the_entrys(bert: Path, tmp_path: Path, *, normalise: bool) -> None:
    """The model has the entry's dtype and maximum length, and ends with Normalize only if it says so."""
    entry = models.options(bert, dtype="bfloat16", normalise=normalise)
    build_base(entry, [], tmp_path)
    model = load_student(entry, tmp_path, "cpu")
    assert (model.dtype, model.max_seq_length) == (torch.bfloat16, 32)
    assert (type(model[-1]).__name__ == "Normalize") == normalise


def test_a_changed_folder_is_refused(bert: Path, tmp_path: Path) -> None:
    """A folder whose content is not that of the revision is refused, with the hash it has, at base and at load."""
    entry = models.options(bert)
    build_base(entry, [], tmp_path)
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 0.1}))
    actual = models.options(bert).revision
    for step in (lambda: build_base(entry, [], tmp_path), lambda: load_student(entry, tmp_path, "cpu")):
        with pytest.raises(ModelError, match=f"its content hash is {actual}, not revision {entry.revision}"):
            step()


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    """A content hash as revision of a folder that is not there is refused."""
    entry = models.options(tmp_path, name=str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match=r"no such folder: .*; a Hub id has a commit of 40 hex"):
        build_base(entry, [], tmp_path)


def test_the_record_must_be_of_the_entry(bert: Path, tmp_path: Path) -> None:
    """A missing record, or one of another model, names the stage that writes it."""
    entry = models.options(bert)
    with pytest.raises(StudentError, match=r"no record of the student's base; run `python -m stages.base`"):
        load_student(entry, tmp_path, "cpu")
    build_base(models.options(tmp_path, name="organisation/model", revision="a" * 40), [], tmp_path)
    with pytest.raises(StudentError, match=r"is of organisation/model, not .*; run `python -m stages.base` again"):
        load_student(entry, tmp_path, "cpu")


def test_the_record_pins_the_adapter(bert: Path, tmp_path: Path) -> None:
    """A base made with another adapter than the entry's is refused."""
    build_base(models.options(bert), [], tmp_path)
    adapter = models.adapter(models.make_adapter(bert, tmp_path / "adapter"))
    with pytest.raises(StudentError, match=r"run `python -m stages.base` again"):
        load_student(models.options(bert, adapter=adapter), tmp_path, "cpu")


def test_weights_may_be_of_another_dtype_than_is_computed_in(bert: Path, tmp_path: Path) -> None:
    """A student that computes in bfloat16 is loaded in float32 where that is asked for, unrounded."""
    entry = models.options(bert, dtype="bfloat16")
    build_base(entry, [], tmp_path)
    whole = load_student(entry, tmp_path, "cpu", "float32")
    plain = AutoModel.from_pretrained(bert)
    found = {name.removeprefix("0.model."): one for name, one in whole.named_parameters()}
    assert all(torch.equal(found[name], one) for name, one in plain.named_parameters())
    assert entry.dtype == "bfloat16"


def test_float16_is_not_for_training(bert: Path) -> None:
    """A student of 16-bit floats without bfloat16's range is refused where it is named."""
    with pytest.raises(ValueError, match="float16 loses small gradients in training; write bfloat16 or float32"):
        models.options(bert, dtype="float16")


def test_an_adapters_base_is_the_models_folder(bert: Path, tmp_path: Path) -> None:
    """What an adapter is put on is the folder of the entry, checked against its revision and the record."""
    entry = models.options(bert)
    with pytest.raises(StudentError, match="no record of the student's base"):
        weights_of(entry, tmp_path)
    build_base(entry, [], tmp_path)
    assert weights_of(entry, tmp_path) == bert
    (bert / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="its content hash is"):
        weights_of(entry, tmp_path)


def test_what_an_adapter_cannot_be_put_on_is_said(bert: Path, tmp_path: Path) -> None:
    """Rounded weights, weights in a subfolder and merged adapters have no folder that an adapter can name."""
    rounded = models.options(bert, dtype="bfloat16")
    build_base(rounded, [], tmp_path)
    with pytest.raises(StudentError, match=r"its weights are F32 and would be rounded to bfloat16 .*merged: true"):
        weights_of(rounded, tmp_path)
    adapter = models.adapter(models.make_adapter(bert, tmp_path / "adapter"))
    adapted = models.options(bert, adapter=adapter)
    build_base(adapted, [], tmp_path)
    with pytest.raises(StudentError, match=r"itself a model with an adapter.*; set finetune.merged: true"):
        weights_of(adapted, tmp_path)
    (bert / "0_Transformer").mkdir()
    listed = [
        {"type": f"sentence_transformers.sentence_transformer.modules.{kind}", "path": path}
        for kind, path in (("Transformer", "0_Transformer"), ("Pooling", "1_Pooling"))
    ]
    (bert / "modules.json").write_text(json.dumps(listed))
    deep = models.options(bert)
    build_base(deep, [], tmp_path)
    with pytest.raises(StudentError, match=r"its weights lie in 0_Transformer, .*; set finetune.merged: true"):
        weights_of(deep, tmp_path)
