"""How much of a batch is encoded at a time, and how much of it is kept: by the device and by what memory is free."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

from embedder.encoding import forward
from embedder.padding import padded
from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.training.grad_cache import Pieces
from embedder.training.room import free_bytes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from embedder.students import StudentOptions

# Few enough for the activations to stay in a CPU's cache; a GPU wants many, and more where nothing is kept.
_CPU_TOKENS = 2_048
_GPU_TOKENS = 8_192
_GPU_CACHED_TOKENS = 32_768
_PROBE_TOKENS = 1_024
_GIB = 1 << 30
# Of what is free; the rest is for what a pass holds for a moment, and for others.
_SHARE = 0.5
# Gradients and AdamW's two moments, none of which is there before the first step.
_LATER = 3


def pieces_of(
    model: "SentenceTransformer", student: Student, settings: Finetune, runtime: Runtime, processes: int = 1
) -> Pieces:
    """Return the pieces that the section `finetune` says, or that suit the device, and how much of them may be kept.

    On a CPU the pieces are the same on every machine, and what is kept changes no bit of a result. On a GPU without
    room for its usual pieces they are smaller.

    Args:
        model: on its device, as a run starts: with its adapters.
        student: what it computes in, and how long its texts are.
        settings: the section `finetune`.
        runtime: how much memory graphs may have.
        processes: that train together, on a CPU in the same memory.
    """
    on_cpu = model.device.type == "cpu"
    wanted = cast("StudentOptions", student.model).dtype
    dtype = None if wanted == "float32" else wanted
    texts = max(student.recipe.query_length, student.recipe.passage_length)
    longest = min(texts, model.max_seq_length or texts)
    per_token = graph_bytes(model, longest, dtype)
    room = _room(model) / (processes if on_cpu else 1)
    usual = _CPU_TOKENS if on_cpu else max(longest, min(_GPU_TOKENS, int(room / per_token)))
    tokens = settings.mini_batch_tokens or usual
    cached = max(tokens, settings.cached_tokens or (tokens if on_cpu else _GPU_CACHED_TOKENS))
    graphs = room if runtime.graphs is None else runtime.graphs * _GIB
    # On a CPU a text's vector would have other last bits in a larger piece, and memory would tell which texts have them.
    keeps = not (on_cpu and cached > tokens) and not _checkpoints(model)
    return Pieces(tokens, cached, int(graphs / per_token) if keeps else 0, dtype)


def graph_bytes(model: "SentenceTransformer", longest: int, dtype: str | None = None) -> float:
    """Measure the bytes that a graph holds for each token until its backward pass.

    That is what autograd saves, each storage once, less the parameters, which are there anyway. A cast of a parameter
    counts: each piece has its own.

    Args:
        model: on its device; it is run once, and left as it was.
        longest: tokens of a text; attention may hold more for longer ones.
        dtype: of autocast, see `Pieces.dtype`.
    """
    import torch
    from torch.autograd.graph import saved_tensors_hooks

    # One text is shorter: with nothing to mask there may be no mask.
    texts = [(0,) * max(1, longest - 1), *[(0,) * longest] * (_PROBE_TOKENS // longest)]
    storages: dict[int, int] = {}

    def count(tensor: "Tensor") -> "Tensor":
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    autocast = torch.autocast(model.device.type, dtype=getattr(torch, dtype)) if dtype else nullcontext()
    mode, cuda = model.training, [model.device] if model.device.type == "cuda" else []
    model.train()
    with torch.random.fork_rng(cuda), autocast, saved_tensors_hooks(count, lambda tensor: tensor):
        # Named, so that nothing is freed and its address given to another before all is counted.
        vectors = forward(model, padded(texts, longest, 0))
    model.train(mode)
    parameters = {one.untyped_storage().data_ptr() for one in model.parameters()}
    total = sum(size for place, size in storages.items() if place not in parameters)
    return max(1.0, total / (len(vectors) * longest))


def _room(model: "SentenceTransformer") -> float:
    """The bytes that graphs may have where `runtime` does not say so."""
    trained = sum(one.numel() * one.element_size() for one in model.parameters() if one.requires_grad)
    return _SHARE * max(0, free_bytes(model.device) - _LATER * trained)


def _checkpoints(model: "SentenceTransformer") -> bool:
    """Whether activations are computed again: who does so has no memory for graphs, and little of them is counted."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
