"""Models on disk: folders that load with `SentenceTransformer(path)`, hold no clock, host or path, and are proven to.

A student has one dtype from its base to its results, see `dtype_of`: base and tuned are compared in one arithmetic, that
of whoever loads the saved model.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from embedder.encoding import encode
from embedder.errors import StudentError
from embedder.params.base import Model
from embedder.params.models import Student
from embedder.pretrained.intact import intact
from embedder.students import weights_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.students import StudentOptions

SAME = 0.9999
ADAPTER_CONFIG = "adapter_config.json"

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """Some texts of one side of a dataset.

    Attributes:
        name: of their prompt in the saved model; None where it has no name there.
        prompt: what stands before each.
        texts: at least one.
    """

    name: str | None
    prompt: str
    texts: list[str]


def dtype_of(student: Student) -> str:
    """The dtype that a student's weights have in training, in scores, in the saved model and in evaluation, its base's too.

    That of its entry where adapters are trained, for the base keeps it; float32 where all weights are.
    """
    return cast("StudentOptions", student.model).dtype if student.recipe.lora else "float32"


def save(model: "SentenceTransformer", path: Path) -> None:
    """Write a complete sentence-transformers folder but its card: the library's would name local folders."""
    model.save(str(path), create_model_card=False)


def load_tuned(path: Path, options: Model, base_folder: Path, device: str) -> "SentenceTransformer":
    """Load a tuned student with `SentenceTransformer`, in its `dtype_of`: whole, or an adapter on the pinned base.

    Args:
        path: the folder that stage finetune wrote.
        options: the student's entry under `model`.
        base_folder: what the stage base wrote.
        device: a torch device: "cpu", "cuda".

    Raises:
        StudentError: the adapter's base is missing, or was built by other options.
        ModelError: a file is broken or lacks weights, or a pretrained base cannot be had, or is not of its revision.
    """
    from sentence_transformers import SentenceTransformer

    with intact(path, "the tuned student"):
        if not (path / ADAPTER_CONFIG).exists():
            return SentenceTransformer(str(path), device=device)
        with on_base(path, weights_of(options, base_folder)) as folder:
            return SentenceTransformer(str(folder), device=device)


@contextmanager
def on_base(path: Path, base: Path) -> Iterator[Path]:
    """Yield a folder like `path` whose adapter is put on the folder `base`.

    Transformers looks for the base by its name alone: a Hub id's newest commit, whatever revision the adapter names.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        for one in path.iterdir():
            (folder / one.name).symlink_to(one.resolve())
        config = json.loads((path / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = str(base.resolve())
        (folder / ADAPTER_CONFIG).unlink()
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config), encoding="utf-8")
        yield folder


def check_reload(
    loaded: "SentenceTransformer", samples: Sequence[Sample], base: Vectors, tuned: Vectors, where: str
) -> float:
    """Compare what a saved model makes of texts, asked the way a user asks it, with the model in memory.

    Args:
        loaded: the saved model.
        samples: the texts.
        base: [texts, dimensions] what the student made of them before training, in the order of `samples`.
        tuned: what the model in memory makes of them as it is saved, see `asked_vectors`.
        where: the saved model, for the error.

    Returns:
        The smallest cosine of a text's two vectors.

    Raises:
        StudentError: it is below 0.9999, or the saved model is nearer to the base than to the tuned one.
    """
    found = asked_vectors(loaded, samples)
    cosine = lowest_cosine(found, tuned)
    if not cosine >= SAME:
        raise StudentError(
            f"{where}: the saved model is not the tuned one: a text's vectors have cosine {cosine:.6f}, not {SAME}; "
            "please report this with the student's entry"
        )
    if not np.square(found - tuned).sum() < np.square(found - base).sum():
        raise StudentError(
            f"{where}: the saved model is nearer to the base than to the tuned one; raise learning_rate or steps, and "
            "if it stays, please report this with the student's entry"
        )
    return cosine


def check_changed(base: Vectors, tuned: Vectors) -> float:
    """Return the smallest cosine between base and tuned vectors of the same texts.

    Raises:
        StudentError: training changed nothing.
    """
    if np.array_equal(base, tuned):
        raise StudentError(
            "the tuned student equals its base: training changed no vector; raise learning_rate or steps"
        )
    return lowest_cosine(base, tuned)


def check_kept(base: Vectors, trained: Vectors, saved: Vectors, dtype: str) -> float:
    """Compare a model as it was trained with the model that is saved, both in memory.

    Adapters are float32. Merged into 16-bit weights they are rounded to these, and what is less than half of a weight's
    last bit is lost. How near both must be is no fixed cosine: two orders of the same 16-bit sums may differ by more.

    Args:
        base: [texts, dimensions] what the student made of texts before training.
        trained: what it made of them after, its adapters beside the base.
        saved: what it makes of them as it is saved, see `asked_vectors`.
        dtype: of the weights that are saved.

    Returns:
        The smallest cosine of a text's two vectors, trained and saved.

    Raises:
        StudentError: the saved one is nearer to the base than to the trained one, or in float32 not the same.
    """
    cosine = lowest_cosine(trained, saved)
    if not np.square(saved - trained).sum() < np.square(saved - base).sum() or (dtype == "float32" and cosine < SAME):
        raise StudentError(
            f"merged into weights in {dtype} the adapters are lost (a text's vectors have cosine {cosine:.6f}); set "
            "finetune.merged: false, for which nothing is trained again, raise learning_rate or steps, or tune in float32"
        )
    return cosine


def sample_vectors(model: "SentenceTransformer", samples: Sequence[Sample]) -> Vectors:
    """Encode samples at the model's own length: [texts, dimensions], in their order."""
    return np.concatenate([encode(model, sample.texts, sample.prompt) for sample in samples])


def lowest_cosine(left: Vectors, right: Vectors) -> float:
    """The smallest cosine between rows; a vector that is not finite, or has no direction, counts as -1.

    Rows that the library scaled to length 1 in 16 bits have a length of 1 to three digits alone.
    """
    one, other = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.einsum("ij,ij->i", one, other) / lengths
    return float(np.nan_to_num(cosines, nan=-1.0).min())


def asked_vectors(model: "SentenceTransformer", samples: Sequence[Sample], *, named: bool = True) -> Vectors:
    """Encode samples as a user does: [texts, dimensions], in their order.

    Args:
        model: by the library's own `encode`, whose batches sum 16-bit numbers in another order than ours.
        samples: what to encode.
        named: whether prompts are asked for by name where they have one.
    """
    return np.concatenate([_asked(model, sample, sample.name if named else None) for sample in samples])


def _asked(model: "SentenceTransformer", sample: Sample, name: str | None) -> Vectors:
    found: Vectors = model.encode(
        sample.texts,
        prompt_name=name,
        prompt=sample.prompt if name is None else None,
        normalize_embeddings=True,
        show_progress_bar=False,
    )
    return found
