"""What of a student is trained: LoRA adapters on its transformer, through PEFT, or all of its weights."""

import json
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from embedder.errors import StudentError
from embedder.params.models import Student
from embedder.params.recipe import Lora
from embedder.saving import dtype_of
from embedder.students import load_student

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.students import StudentOptions

_NONE = """There is no adapter: all weights were tuned (`lora: null` in the recipe), and `model/` beside this folder holds them.
"""


def load_base(student: Student, base_folder: Path, device: str) -> "SentenceTransformer":
    """Load a student to be tuned, or to be compared with what was: its weights in `saving.dtype_of`.

    Where all weights are tuned they are float32, whatever they compute in: an update of a small learning rate is less
    than the last bit of a 16-bit weight.

    Args:
        student: its options and recipe.
        base_folder: what the stage base wrote.
        device: a torch device: "cpu", "cuda".

    Raises:
        StudentError: the base is missing, or was built by other options.
        ModelError: a pretrained model cannot be had, or is not what its entry says.
    """
    return load_student(student.model, base_folder, device, dtype_of(student))


def adapt(model: "SentenceTransformer", student: Student) -> Any:  # noqa: ANN401 - PEFT ships no types
    """Put float32 adapters into a student and freeze the rest, or have all its weights trained; in place.

    A pooler is never trained: nothing reads it, so it would get no gradient.

    Args:
        model: a loaded student; its forward pass goes through the adapters from here on.
        student: its options and recipe.

    Returns:
        The PeftModel around the transformer, to save and to merge; None where all weights are trained.

    Raises:
        StudentError: no linear layer has a name that the recipe's targets ask for, or the model cannot compute its
            activations again.
    """
    recipe, options = student.recipe, cast("StudentOptions", student.model)
    transformer: Any = model[0].model
    if recipe.gradient_checkpointing:
        _checkpoint(transformer)
    if recipe.lora is None:
        _train_all(model)
        adapted = None
    else:
        model.requires_grad_(False)
        adapted = with_adapters(transformer, recipe.lora, options.origin, getattr(options, "revision", None))
    _check_dtypes(model)
    return adapted


def with_adapters(transformer: Any, lora: Lora, origin: str, revision: str | None) -> Any:  # noqa: ANN401 - PEFT ships no types
    """Put adapters into a transformer, in place: float32 ones, for a base in 16 bits would make them hardly move.

    Args:
        transformer: a model of transformers.
        lora: r, alpha, dropout, targets.
        origin: what the adapter's config calls its base.
        revision: the base's commit, or None.

    Returns:
        The PeftModel around it.

    Raises:
        StudentError: a target is the end of no linear layer's name.
    """
    from peft import LoraConfig, get_peft_model

    from embedder.training.low_rank import fuse

    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targeted(linear_layers(transformer), lora.targets),
        task_type="FEATURE_EXTRACTION",
    )
    with warnings.catch_warnings():
        # PEFT 0.21 asks transformers 5.23 by an old name.
        warnings.simplefilter("ignore", FutureWarning)
        adapted = get_peft_model(transformer, config, revision=revision)
    adapted.peft_config["default"].base_model_name_or_path = origin
    fuse(adapted)
    return adapted


def linear_layers(transformer: Any) -> list[str]:  # noqa: ANN401 - any torch module, walked by name
    """Name all linear layers but a pooler's."""
    from torch.nn import Linear

    return [name for name, layer in transformer.named_modules() if isinstance(layer, Linear) and not _of_pooler(name)]


def targeted(layers: Sequence[str], targets: str | Sequence[str]) -> list[str]:
    """Choose the layers that adapters are put on.

    Args:
        layers: the full names of all linear layers.
        targets: all-linear, or the last parts of names: `q_proj`, `self_attn.q_proj`.

    Returns:
        Full names, in the order of `layers`.

    Raises:
        StudentError: there are no layers, or a target is the end of none.
    """
    if not layers:
        raise StudentError("recipe.lora: the model has no linear layer to put an adapter on; set lora: null")
    if isinstance(targets, str):
        return list(layers)
    for target in targets:
        if not any(_ends(name, target) for name in layers):
            known = dict.fromkeys(name.rpartition(".")[2] for name in layers)
            close = get_close_matches(target.rpartition(".")[2], known, cutoff=0.5) or known
            raise StudentError(
                f"recipe.lora.targets: no linear layer's name ends with '{target}'; near it are {', '.join(close)}"
            )
    return [name for name in layers if any(_ends(name, target) for target in targets)]


def save_adapter(adapted: Any, folder: Path) -> None:  # noqa: ANN401 - a PeftModel, see `adapt`
    """Write the adapter as a PeftModel folder, the same bytes for the same weights; words where there is none."""
    if adapted is None:
        folder.mkdir()
        (folder / "README.md").write_text(_NONE, encoding="utf-8")
        return
    # Embeddings are frozen. Left to find that out, PEFT would ask the Hub for the base's config.
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    # PEFT writes the layer names in the order of a set, and a card that names folders of this machine.
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config["target_modules"] = sorted(config["target_modules"])
    text = json.dumps(config, indent=2, sort_keys=True)
    (folder / "adapter_config.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)


def _checkpoint(transformer: Any) -> None:  # noqa: ANN401 - a model of transformers
    if not transformer.supports_gradient_checkpointing:
        raise StudentError(
            f"recipe.gradient_checkpointing: {type(transformer).__name__} cannot compute its activations again; "
            "set it to false and lower finetune.mini_batch_tokens"
        )
    with warnings.catch_warnings():
        # Its new name is newer than the oldest transformers that will do.
        warnings.simplefilter("ignore", FutureWarning)
        # The reentrant kind gets no gradient where the embeddings are frozen.
        transformer.gradient_checkpointing_enable({"use_reentrant": False})


def _train_all(model: "SentenceTransformer") -> None:
    """All weights but a pooler's, and those of words: sentence-transformers loads these as they were given, not tuned."""
    from sentence_transformers.sentence_transformer.modules import WordWeights

    for module in model:
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(not isinstance(module, WordWeights) and not _of_pooler(name))


def _of_pooler(name: str) -> bool:
    return "pooler" in name.split(".")


def _ends(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")


def _check_dtypes(model: "SentenceTransformer") -> None:
    import torch

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained or any(parameter.dtype != torch.float32 for parameter in trained):
        raise RuntimeError(f"what is trained must be float32: {sorted({str(p.dtype) for p in trained}) or 'nothing'}")
