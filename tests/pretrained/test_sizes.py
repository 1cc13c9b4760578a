"""How large a model is and in which dtypes, read off its files."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open

from embedder.errors import ModelError
from embedder.pretrained.sizes import dtypes, parameters, tensors
from tests import models


@pytest.mark.parametrize("make", [models.make_bert, models.make_mistral])
def test_parameters_are_counted_without_embeddings(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """What is multiplied for each token is counted: layers and pooler, and no table that is looked up."""
    from transformers import AutoModel

    loaded = AutoModel.from_pretrained(make(tmp_path / "model"))
    tables = [weight for name, weight in loaded.named_parameters() if "embed" in name]
    assert tables
    assert parameters(tmp_path / "model") == loaded.num_parameters() - sum(weight.numel() for weight in tables)


def test_a_head_that_guesses_words_is_no_part(tmp_path: Path) -> None:
    """Weights saved with `lm_head`, which no vector comes of, count what those without it do."""
    import transformers

    folder = models.make_mistral(tmp_path / "model")
    config = transformers.AutoConfig.from_pretrained(folder, tie_word_embeddings=False)
    transformers.MistralForCausalLM(config).save_pretrained(tmp_path / "causal")
    with safe_open(tmp_path / "causal" / "model.safetensors", framework="numpy") as file:
        assert "lm_head.weight" in file.keys()  # noqa: SIM118 - no mapping
    assert parameters(tmp_path / "causal") == parameters(folder)
    whole, causal = (sorted(one.form for one in tensors(at)) for at in (folder, tmp_path / "causal"))
    assert whole == causal


def test_linear_layers_are_told_from_tables(tmp_path: Path) -> None:
    """Matrices that tokens are multiplied with are linear; tables, vectors, and the pooler are not."""
    found = {one.name for one in tensors(models.make_bert(tmp_path / "model")) if one.linear}
    assert found
    assert all(name.startswith("encoder.layer.") and name.endswith(".weight") for name in found)
    assert not any("LayerNorm" in name for name in found)


def test_what_is_not_here_has_no_size(tmp_path: Path) -> None:
    """A folder without weights, or none at all, counts nothing; a broken file is named."""
    assert parameters(tmp_path) == parameters(tmp_path / "nowhere") == 0
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"model\.safetensors: no readable safetensors"):
        parameters(tmp_path)


def test_dtypes_are_those_of_the_file(tmp_path: Path) -> None:
    """The numbers on disk have the dtype they were saved in; no folder has none, and a broken file is named."""
    assert dtypes(models.make_mistral(tmp_path / "half", "bfloat16")) == {"BF16"}
    assert dtypes(models.make_mistral(tmp_path / "whole")) == {"F32"}
    assert dtypes(tmp_path / "nowhere") == set()
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"model\.safetensors: no readable safetensors"):
        dtypes(tmp_path)
