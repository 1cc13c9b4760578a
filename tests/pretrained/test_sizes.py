"""How large a model is, read off its files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from embedder.errors import ModelError
from embedder.pretrained.sizes import parameters
from tests import models


@pytest.mark.parametrize("make", [models.make_bert, models.make_mistral])
def test_parameters_are_counted_without_embeddings(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """What is multiplied for each token is counted: layers and pooler, and no table that is looked up."""
    from transformers import AutoModel

    loaded = AutoModel.from_pretrained(make(tmp_path / "model"))
    tables = [weight for name, weight in loaded.named_parameters() if "embed" in name]
    assert tables
    assert parameters(tmp_path / "model") == loaded.num_parameters() - sum(weight.numel() for weight in tables)


def test_what_is_not_here_has_no_size(tmp_path: Path) -> None:
    """A folder without weights, or none at all, counts nothing; a broken file is named."""
    assert parameters(tmp_path) == parameters(tmp_path / "nowhere") == 0
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"model\.safetensors: no readable safetensors"):
        parameters(tmp_path)
