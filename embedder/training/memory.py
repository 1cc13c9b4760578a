"""How much of a batch is encoded at a time, on what device with how much memory."""

from typing import TYPE_CHECKING

from embedder.params.finetune import Finetune
from embedder.params.runtime import Runtime
from embedder.training.grad_cache import Pieces

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Few enough for the activations to stay in a CPU's cache; a GPU wants many, and has no room for those of all.
_TOKENS = {"cpu": 2_048, "cuda": 8_192}
_CACHED_TOKENS = {"cpu": 2_048, "cuda": 32_768}


def pieces_of(model: "SentenceTransformer", settings: Finetune, runtime: Runtime) -> Pieces:
    """Return the pieces that the section `finetune` says, or that suit the device."""
    del runtime
    import torch

    kind, weights = model.device.type, next(model.parameters()).dtype
    return Pieces(
        settings.mini_batch_tokens or _TOKENS.get(kind, _TOKENS["cuda"]),
        settings.cached_tokens or _CACHED_TOKENS.get(kind, _CACHED_TOKENS["cuda"]),
        kept_tokens=0,
        dtype=None if weights == torch.float32 else str(weights).removeprefix("torch."),
    )
