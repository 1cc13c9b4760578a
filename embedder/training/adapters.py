"""LoRA adapters on every linear layer of a student's transformer, through PEFT."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder.params.recipe import Lora

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def adapt(model: "SentenceTransformer", lora: Lora, origin: str, revision: str | None) -> Any:  # noqa: ANN401 - PEFT ships no types
    """Freeze `model` and put float32 adapters into its transformer, in place.

    Only adapters are trained. Where the base is bfloat16, adapters of its dtype would hardly move: an update of a
    small learning rate is less than their last bit.

    Args:
        model: a loaded student; its forward pass goes through the adapters from here on.
        lora: r, alpha, dropout.
        origin: what the adapter's config calls its base.
        revision: the base's commit, or None.

    Returns:
        The PeftModel around the transformer, to save and to merge.
    """
    from peft import LoraConfig, get_peft_model

    model.requires_grad_(False)
    transformer: Any = model[0].model
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=linear_layers(transformer),
        task_type="FEATURE_EXTRACTION",
    )
    with warnings.catch_warnings():
        # PEFT 0.21 asks transformers 5.23 by an old name.
        warnings.simplefilter("ignore", FutureWarning)
        adapted = get_peft_model(transformer, config, revision=revision)
    adapted.peft_config["default"].base_model_name_or_path = origin
    _check_dtypes(model)
    return adapted


def linear_layers(transformer: Any) -> list[str]:  # noqa: ANN401 - any torch module, walked by name
    """Name all linear layers but a pooler's: no pooling reads it, so its adapter would get no gradient."""
    from torch.nn import Linear

    names = [name for name, layer in transformer.named_modules() if isinstance(layer, Linear)]
    return [name for name in names if "pooler" not in name.split(".")]


def save_adapter(adapted: Any, folder: Path) -> None:  # noqa: ANN401 - a PeftModel, see `adapt`
    """Write the adapter as a PeftModel folder, the same bytes for the same weights."""
    # Embeddings are frozen. Left to find that out, PEFT would ask the Hub for the base's config.
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    # PEFT writes the layer names in the order of a set, and a card that names folders of this machine.
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    text = json.dumps(config, indent=2, sort_keys=True)
    (folder / "adapter_config.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)


def _check_dtypes(model: "SentenceTransformer") -> None:
    import torch

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained or any(parameter.dtype != torch.float32 for parameter in trained):
        raise RuntimeError(f"adapters must be float32: {sorted({str(p.dtype) for p in trained}) or 'there are none'}")
