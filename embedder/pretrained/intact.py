"""What a model that is broken, or lacks weights, is met with: one line instead of a traceback or random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedder.errors import EmbedderError, ModelError


@contextmanager
def intact(path: Path, what: str) -> Iterator[None]:
    """Load a model in this context, by whatever library.

    Args:
        path: the model's folder.
        what: the words before an error: "student 'x'".

    Raises:
        ModelError: the model cannot be loaded, or transformers would fill in weights that its files lack.
    """
    import torch

    try:
        with _complete(path, what):
            yield
    except (EmbedderError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # Files that are cut off or of another shape raise errors of half a dozen libraries.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"{what}: cannot be loaded from {path} ({reason}); only safetensors are read, and no code of a model's"
        ) from error


@contextmanager
def _complete(path: Path, what: str) -> Iterator[None]:
    """Refuse what transformers would only warn of: missing weights, which it replaces by random numbers.

    It tells which are missing on request, and sentence-transformers has no way to pass the request on. File headers
    would not do: many names are not the parameters', and it alone knows how to map them.
    """
    from transformers import PreTrainedModel

    original = vars(PreTrainedModel)["from_pretrained"]

    def from_pretrained(cls: type, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - transformers' own
        model, found = original.__func__(cls, *args, **kwargs, output_loading_info=True)
        _check(model, found["missing_keys"], path, what)
        return model

    PreTrainedModel.from_pretrained = classmethod(from_pretrained)  # type: ignore[assignment]
    try:
        yield
    finally:
        PreTrainedModel.from_pretrained = original  # type: ignore[method-assign]


def _check(model: Any, missing: set[str], path: Path, what: str) -> None:  # noqa: ANN401 - a model of transformers
    """Nothing reads the pooler of a model without a head, and many checkpoints lack it."""
    headless = model.base_model is model
    lacking = sorted(name for name in missing if not (headless and name.startswith("pooler.")))
    if lacking:
        raise ModelError(
            f"{what}: {path} lacks {len(lacking)} of its weights, {lacking[0]} the first; download or save it again"
        )
