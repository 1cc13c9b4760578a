"""Models on disk: folders that load with `SentenceTransformer(path)`, hold no clock, host or path, and are proven to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedder.encoding import encode
from embedder.errors import StudentError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SAME = 0.9999
_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---

# {title}

{text}
"""


def save(model: "SentenceTransformer", path: Path, title: str, text: str) -> None:
    """Write a complete sentence-transformers folder with a card of our own words: the library's names local folders."""
    model.save(str(path), create_model_card=False)
    (path / "README.md").write_text(_CARD.format(title=title, text=text), encoding="utf-8")


def merge(model: "SentenceTransformer", adapted: Any) -> None:  # noqa: ANN401 - a PeftModel, see `adapters.adapt`
    """Put the adapters into the transformer's weights, in place and in float32."""
    model.float()
    model[0].model = adapted.merge_and_unload()


def check_reload(path: Path, device: str, samples: Mapping[str, Sequence[str]], tuned: NDArray[np.float32]) -> float:
    """Load a saved model the way a user does and compare it with the model in memory.

    Args:
        path: the folder.
        device: where the model in memory was.
        samples: texts by prompt.
        tuned: [texts, dimensions] what the model in memory made of them, in the order of `samples`.

    Returns:
        The smallest cosine of a text's two vectors.

    Raises:
        StudentError: it is below 0.9999.
    """
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(str(path), device=device)
    found = [loaded.encode(list(texts), prompt=prompt, normalize_embeddings=True) for prompt, texts in samples.items()]
    cosine = lowest_cosine(np.concatenate(found), tuned)
    if cosine < SAME:
        raise StudentError(
            f"{path.name}: the saved model is not the tuned one: a text's vectors have cosine {cosine:.6f}, "
            f"not {SAME}; please report this with the student's entry"
        )
    return cosine


def check_changed(base: NDArray[np.float32], tuned: NDArray[np.float32]) -> float:
    """Return the smallest cosine between base and tuned vectors of the same texts.

    Raises:
        StudentError: training changed nothing.
    """
    if np.array_equal(base, tuned):
        raise StudentError(
            "the tuned student equals its base: training changed no vector; raise learning_rate or steps"
        )
    return lowest_cosine(base, tuned)


def sample_vectors(model: "SentenceTransformer", samples: Mapping[str, Sequence[str]]) -> NDArray[np.float32]:
    """Encode texts grouped by prompt at the model's own length: [texts, dimensions], in the order of `samples`."""
    return np.concatenate([encode(model, texts, prompt) for prompt, texts in samples.items()])


def lowest_cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """The smallest cosine between rows of length 1; a vector that is not finite counts as -1."""
    cosines = np.einsum("ij,ij->i", left.astype(np.float64), right.astype(np.float64))
    return float(np.nan_to_num(cosines, nan=-1.0).min())
