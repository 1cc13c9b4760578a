"""Facts about how evaluation's models read texts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedder.errors import StudentError
from embedder.evaluation.models import DistinctTexts, Reading, loaders, reader
from embedder.params.load import load, student_of
from embedder.params.models import Params

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"


class _Recorder:
    """Encodes a text as its length, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []

    def __call__(self, texts: Sequence[str], prompt: str, max_length: int) -> np.ndarray:
        self.seen += [(text, prompt, max_length) for text in texts]
        return np.array([[float(len(prompt + text)), 1] for text in texts], dtype=np.float32)


@pytest.fixture(scope="module")
def params() -> Params:
    """The parameters of this repository."""
    return load(PARAMS)


def test_each_text_is_encoded_once_for_each_reading() -> None:
    """Texts that come back, in this dataset or the next, are not encoded again; another prompt or length is."""
    encode = _Recorder()
    texts = DistinctTexts(encode)
    assert texts(["b", "a", "b"], Reading("", 8))[:, 0].tolist() == [1, 1, 1]
    assert texts(["a", "cc"], Reading("", 8))[:, 0].tolist() == [1, 2]
    texts(["a"], Reading("query: ", 8))
    assert encode.seen == [("b", "", 8), ("a", "", 8), ("cc", "", 8), ("a", "query: ", 8)]


def test_a_model_reads_with_the_dataset_s_instruction_and_the_recipe_s_lengths(params: Params) -> None:
    """Queries get prompt and query_length, passages passage_length; symmetric tasks put the instruction on both."""
    student, entry = student_of(params), params.datasets["doc-similarity"]
    model = type("Prompted", (), {"query_prompt": "{instruction}: ", "passage_prompt": "passage: "})()
    prompted = student.model_copy(update={"model": model})
    encode = _Recorder()
    read = reader(encode, prompted)
    for symmetric in (True, False):
        encoder = read(entry.model_copy(update={"instruct_passages": symmetric, "instruction": "find"}))
        encoder(["text"], "query")
        encoder(["text"], "passage")
    lengths = student.recipe.query_length, student.recipe.passage_length
    assert encode.seen == [
        ("text", "find: ", lengths[0]),
        ("text", "find: ", lengths[1]),
        ("text", "passage: ", lengths[1]),
    ]


def test_without_a_model_the_message_names_the_stage(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither base nor tuned model is looked for on a hub: where a folder is missing, a stage has to run first."""
    monkeypatch.chdir(tmp_path)
    found = loaders(params)
    assert list(found) == ["base", "tuned"]
    with pytest.raises(StudentError, match="base"):
        found["base"]()
    with pytest.raises(StudentError, match="stage finetune"):
        found["tuned"]()
