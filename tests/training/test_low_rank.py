"""Facts about adapters that are computed in few passes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModel

from embedder.training.low_rank import fuse
from tests.models import make_mistral


def _adapted(folder: Path, dropout: float = 0.0, dtype: torch.dtype = torch.float32) -> Any:  # noqa: ANN401 - PEFT's
    """Load a Mistral with adapters that are far from zero."""
    torch.manual_seed(2)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=dropout, target_modules="all-linear")
    made = get_peft_model(AutoModel.from_pretrained(folder, dtype=dtype), config)
    for name, weight in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.3)
    return made.train()


def _passed(adapted: Any, bfloat16: bool) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401, FBT001
    """Run both passes; return the vectors and all gradients."""
    ids = torch.arange(60).view(4, 15) + 3
    torch.manual_seed(5)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        found = adapted(input_ids=ids).last_hidden_state.float()
    (found * torch.linspace(-1, 1, found.numel()).view_as(found)).sum().backward()
    gradients = [one.grad.flatten() for _, one in sorted(adapted.named_parameters()) if one.requires_grad]
    return found.detach(), torch.cat(gradients)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_vectors_and_gradients_are_those_of_peft(tmp_path: Path, dropout: float) -> None:
    """In float32 vectors and gradients are PEFT's up to rounding, with dropout too."""
    make_mistral(tmp_path)
    plain, fused = _adapted(tmp_path, dropout), _adapted(tmp_path, dropout)
    fuse(fused)
    for one, other in zip(_passed(plain, False), _passed(fused, False), strict=True):
        assert float((one - other).norm() / one.norm()) < 1e-5


def test_under_autocast_gradients_are_float32_and_near_those_of_float32(tmp_path: Path) -> None:
    """With a bfloat16 base the adapters' gradients are float32 and as far from the exact ones as PEFT's are."""
    make_mistral(tmp_path)
    exact = _passed(_adapted(tmp_path), False)[1]
    plain, fused = (_adapted(tmp_path, dtype=torch.bfloat16) for _ in range(2))
    fuse(fused)
    off = [float((_passed(one, True)[1] - exact).norm() / exact.norm()) for one in (plain, fused)]
    assert all(one.grad.dtype == torch.float32 for one in fused.parameters() if one.requires_grad)
    assert off[1] < 1.5 * off[0]


def test_the_gradient_flows_on_to_the_input_and_through_the_base(tmp_path: Path) -> None:
    """Where the input itself is trained it gets PEFT's gradient."""
    make_mistral(tmp_path)
    found = []
    for fused in (False, True):
        adapted = _adapted(tmp_path)
        if fused:
            fuse(adapted)
        given = torch.linspace(-1, 1, 2 * 5 * 16).view(2, 5, 16).requires_grad_()
        adapted(inputs_embeds=given).last_hidden_state.square().sum().backward()
        assert given.grad is not None
        found.append(given.grad)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)


def test_merging_and_unmerging_are_those_of_peft(tmp_path: Path) -> None:
    """Merged weights are PEFT's bit for bit, safely merged or not, and unmerging goes back."""
    make_mistral(tmp_path)
    for safe in (False, True):
        plain, fused = _adapted(tmp_path), _adapted(tmp_path)
        fuse(fused)
        base = {name: one.clone() for name, one in fused.named_parameters() if "base_layer" in name}
        fused.base_model.merge_adapter(safe_merge=safe)
        fused.base_model.unmerge_adapter()
        for name, one in fused.named_parameters():
            if name in base:
                torch.testing.assert_close(one, base[name], rtol=0, atol=1e-6)
        merged = [one.merge_and_unload(safe_merge=safe).state_dict() for one in (plain, _fresh(tmp_path))]
        assert all(torch.equal(one, merged[1][name]) for name, one in merged[0].items())


def test_without_the_adapter_the_base_is_left(tmp_path: Path) -> None:
    """Disabled adapters leave the base's vectors, bit for bit, and nothing of the base is written to."""
    make_mistral(tmp_path)
    fused = _adapted(tmp_path)
    fuse(fused)
    ids = torch.arange(20).view(2, 10) + 3
    with torch.no_grad():
        first = fused(input_ids=ids).last_hidden_state
        with fused.disable_adapter():
            base = fused(input_ids=ids).last_hidden_state
        assert torch.equal(fused(input_ids=ids).last_hidden_state, first)
    plain = AutoModel.from_pretrained(tmp_path).train()
    assert torch.equal(plain(input_ids=ids).last_hidden_state, base)
    assert not torch.equal(first, base)


def _fresh(folder: Path) -> Any:  # noqa: ANN401 - PEFT's
    made = _adapted(folder)
    fuse(made)
    return made
