"""What a pretrained model's entry says."""

from pathlib import Path

import pytest

from embedder.pretrained.loading import attention, identity
from tests import models

COMMIT, CONTENT = "a" * 40, "b" * 64


def test_a_revision_is_a_commit_or_a_content_hash(tmp_path: Path) -> None:
    """A branch name is no revision."""
    with pytest.raises(ValueError, match="revision"):
        models.options(tmp_path, revision="main")


def test_a_hub_models_identity_is_its_name_and_commit(tmp_path: Path) -> None:
    """A Hub model is told from others by name and commit, with those of its adapter."""
    entry = models.options(tmp_path, name="a/b", revision=COMMIT, adapter={"name": "c/d", "revision": COMMIT})
    assert identity(entry) == {"name": "a/b", "revision": COMMIT, "adapter_name": "c/d", "adapter_revision": COMMIT}


def test_a_folders_identity_is_its_content(tmp_path: Path) -> None:
    """Two folders of one name and other contents differ, a moved one does not."""
    here, there = (models.options(tmp_path, name=name, revision=CONTENT) for name in ("here", "there"))
    assert identity(here) == identity(there) == {"content": CONTENT}
    assert identity(models.options(tmp_path, name="here", revision="c" * 64)) != identity(here)
    adapted = models.options(tmp_path, revision=CONTENT, adapter={"name": "x", "revision": "d" * 64})
    assert identity(adapted) == {"content": CONTENT, "adapter_content": "d" * 64}


def test_attention_is_padding_free_on_a_gpu_in_16_bits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flash attention needs its package, a GPU, and a 16-bit dtype."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    cases = [("cuda", "bfloat16"), ("cuda:1", "float16"), ("cuda", "float32"), ("cpu", "bfloat16")]
    assert [attention(*case) for case in cases] == ["flash_attention_2", "flash_attention_2", "sdpa", "sdpa"]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert attention("cuda", "bfloat16") == "sdpa"
