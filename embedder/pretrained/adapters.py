"""PEFT adapters, merged into the weights they were trained on."""

import warnings
from pathlib import Path
from typing import Any

from embedder.errors import ModelError

_WEIGHTS = "adapter_model.safetensors"


def merge(transformer: Any, path: Path, what: str) -> Any:  # noqa: ANN401 - transformers' models, and PEFT ships no types
    """Merge the adapter in the folder `path` into a float32 model.

    Args:
        transformer: a transformers model.
        path: what `PeftModel.save_pretrained` wrote.
        what: the words before an error: "teacher 'x'".

    Returns:
        The model with other weights.

    Raises:
        ModelError: the adapter has no safetensors, or is none of this model's.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    if not (path / _WEIGHTS).is_file():
        raise ModelError(f"{what}: its adapter {path} has no {_WEIGHTS}; only safetensors are read")
    try:
        with warnings.catch_warnings():
            # PEFT 0.21 asks transformers 5.23 by an old name, and only warns of layers that are not the model's.
            warnings.simplefilter("ignore")
            adapted = PeftModel.from_pretrained(transformer, str(path))
        _check_layers(adapted, path, what)
        return adapted.merge_and_unload()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError) as error:
        raise ModelError(f"{what}: its adapter {path} cannot be merged ({error}); is it of this base?") from error


def _check_layers(adapted: Any, path: Path, what: str) -> None:  # noqa: ANN401 - a PeftModel
    """An adapter of another architecture would load without an error, and change nothing."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(path / _WEIGHTS, framework="pt") as file:
        written = set(file.keys())
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if written != wanted:
        raise ModelError(
            f"{what}: its adapter {path} has not the layers of this base: "
            f"{len(written - wanted)} too many, {len(wanted - written)} too few; name the base it was trained on"
        )
