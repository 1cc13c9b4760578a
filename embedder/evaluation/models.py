"""The models of evaluation: the student before and after tuning, in one dtype, reading texts as they were trained to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from embedder import encoding, layout
from embedder.errors import StudentError
from embedder.evaluation.measuring import Reader
from embedder.evaluation.rankers import Encoder, Side, Vectors
from embedder.params.load import student_of
from embedder.params.models import Params, Student, Terms
from embedder.progress import meter
from embedder.prompts import prompts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.students import StudentOptions

EncodeTexts = Callable[[Sequence[str], str, int], Vectors]
"""Texts, the prompt before each, the most tokens -> unit vectors [n, d] float32."""


@dataclass(frozen=True)
class Reading:
    """How a model reads one side of a dataset: the prompt before each text, and the most tokens."""

    prompt: str
    max_length: int


class DistinctTexts:
    """Encodes each distinct text once for each way of reading it, whichever datasets it stands in."""

    def __init__(self, encode: EncodeTexts) -> None:
        self._encode = encode
        self._vectors: dict[tuple[Reading, str], Vectors] = {}

    def __call__(self, texts: Sequence[str], reading: Reading) -> Vectors:
        """Return the vectors [texts, d] of texts that are read like this; there is at least one."""
        missing = [text for text in dict.fromkeys(texts) if (reading, text) not in self._vectors]
        if missing:
            vectors = self._encode(missing, reading.prompt, reading.max_length)
            self._vectors |= {(reading, text): vector for text, vector in zip(missing, vectors, strict=True)}
        return np.stack([self._vectors[reading, text] for text in texts])


def loaders(params: Params) -> dict[str, Callable[[], Reader]]:
    """Return what loads base and tuned, in this order; neither is loaded yet.

    A loader raises StudentError where its model is missing or cannot be read.
    """
    from embedder import devices

    device, student = devices.configure(params.runtime), student_of(params)
    return {"base": partial(_base, student, device), "tuned": partial(_tuned, student, device)}


def reader(encode: EncodeTexts, student: Student) -> Reader:
    """Bind a model to the student's prompts and to the lengths of its recipe."""
    texts, model = DistinctTexts(encode), cast("StudentOptions", student.model)

    def read(entry: Terms) -> Encoder:
        filled = prompts(
            model.query_prompt,
            model.passage_prompt,
            entry.instruction,
            instruct_passages=entry.instruct_passages,
        )
        readings: dict[Side, Reading] = {
            "query": Reading(filled.query, student.recipe.query_length),
            "passage": Reading(filled.passage, student.recipe.passage_length),
        }
        return lambda given, side: texts(given, readings[side])

    return read


def reading(model: "SentenceTransformer", student: Student, what: str) -> Reader:
    """Bind a model in memory to the student's prompts and lengths.

    Args:
        model: as it is until the last dataset is read: a text's vector is kept.
        student: whose prompts and lengths count.
        what: the words before how many texts are encoded.
    """

    def encode(texts: Sequence[str], prompt: str, max_length: int) -> Vectors:
        with meter(len(texts), what) as shown:
            return encoding.encode(model, texts, prompt, max_length, done=shown.more)

    return reader(encode, student)


def _base(student: Student, device: str) -> Reader:
    from embedder.saving import dtype_of
    from embedder.students import load_student

    model = load_student(student.model, layout.BASE, device, dtype_of(student))
    return reading(model, student, "evaluate: texts by base")


def _tuned(student: Student, device: str) -> Reader:
    from embedder.saving import load_tuned

    if not layout.MODEL.is_dir():
        raise StudentError(f"{layout.MODEL}: there is no tuned model; run the stage finetune first (dvc repro)")
    model = load_tuned(layout.MODEL, student.model, layout.BASE, device)
    return reading(model, student, "evaluate: texts by tuned")
