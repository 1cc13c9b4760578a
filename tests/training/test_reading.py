"""A text is read alike wherever it is read: in training, by a student, by a teacher, and by the model that is saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedder import encoding, padding, teachers
from embedder.padding import padded
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.prompts import prompts
from embedder.students import build_base, load_student
from embedder.teachers import Corpus, Queries, dense
from embedder.training.batches import Texts
from embedder.training.tokens import tokens
from tests import models
from tests.training_sets import student

QUERIES = ["alpha beta", "gamma", "a query that is longer than the limit of its side by far", ""]
PASSAGES = ["delta", "epsilon zeta and so on until the limit of passages is reached, which is not soon", "alpha beta"]
INSTRUCTION = "Find {it}"
KINDS = ["mistral", "bert", "projected"]
LENGTHS = {"query_length": 40, "passage_length": 24}

Read = dict[str, list[tuple[int, ...]]]


def entry_of(kind: str, folder: Path) -> dict[str, Any]:
    """Return the entry of a small model with prompts on both sides; the Mistral's tokenizer drops EOS unless told."""
    prompt = {"query_prompt": "Instruct: {instruction}\nQuery: ", "passage_prompt": "passage: ", "max_length": 64}
    if kind == "mistral":
        made = models.options(models.make_mistral(folder / kind), pooling="last_token", add_eos=True, **prompt)
    elif kind == "bert":
        made = models.options(models.make_bert(folder / kind), **prompt)
    else:
        made = models.options(models.make_projected(folder), pooling="mean", **prompt)
    return made.model_dump()


@pytest.fixture(params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Student:
    """A student of each kind, its base recorded in `base`."""
    monkeypatch.chdir(tmp_path)
    found = student(entry_of(request.param, tmp_path), **LENGTHS)
    Path("base").mkdir()
    build_base(found.model, [], Path("base"))
    return found


def sides(whole: Student) -> dict[str, tuple[str, int, list[str]]]:
    """Return prompt, length and texts of queries and of passages."""
    options: Any = whole.model
    filled = prompts(options.query_prompt, options.passage_prompt, INSTRUCTION, instruct_passages=False)
    return {"query": (filled.query, 40, QUERIES), "passage": (filled.passage, 24, PASSAGES)}


def in_training(model: SentenceTransformer, whole: Student) -> Read:
    """Return the token ids that a training step encodes."""
    (before, _, queries), (ahead, _, passages) = sides(whole).values()
    rows = len(queries)
    texts = Texts(
        queries=[before + one for one in queries],
        passages=[ahead + one for one in passages],
        targets=np.zeros(rows, dtype=np.int64),
        allowed=np.ones((rows, len(passages)), dtype=bool),
        listed=np.zeros((rows, 1), dtype=np.int64),
        wanted=None,
        temperature=np.ones((rows, 1), dtype=np.float32),
        masked_own=0,
        masked_in_batch=0,
    )
    read = tokens(model, texts, whole.recipe)
    return {
        "query": [tuple(read.ids[place]) for place in read.queries],
        "passage": [tuple(read.ids[place]) for place in read.passages],
    }


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[int, ...]]:
    """The token ids that any model computes on, without padding."""
    found: set[tuple[int, ...]] = set()
    features = padding.OneWidth.features

    def noted(self: padding.OneWidth, ids: Sequence[Sequence[int]]) -> dict[str, Any]:
        found.update(map(tuple, ids))
        return features(self, ids)

    monkeypatch.setattr(padding.OneWidth, "features", noted)
    return found


def teacher_of(whole: Student, dimensions: int) -> teachers.Teacher:
    """Make a teacher of kind dense of a student's entry."""
    shared = whole.model.model_dump(exclude={"kind", "max_length"})
    more = {"dimensions": dimensions, "parameters": 1, "index": {"kind": "exact"}, "agreement_sample": 0, **LENGTHS}
    options = dense.Options.model_validate(shared | more | {"kind": "dense"})
    corpus = Corpus(["a", "b", "c"], PASSAGES, instruction=INSTRUCTION)
    return teachers.build(options, corpus, Runtime(device="cpu"))


def test_token_ids_are_equal_everywhere(whole: Student, seen: set[tuple[int, ...]]) -> None:
    """Training, a student's encoding and a teacher of the same entry compute on the same token ids of both sides."""
    model = load_student(whole.model, Path("base"), "cpu")
    trained = in_training(model, whole)
    for side, (prompt, length, texts) in sides(whole).items():
        assert trained[side] == [tuple(one) for one in encoding.tokenize(model, texts, prompt, length)]
        seen.clear()
        encoding.encode(model, texts, prompt, length)
        assert seen == set(trained[side])
    seen.clear()
    teacher = teacher_of(whole, model.get_embedding_dimension() or 0)
    asked = Queries(["q0", "q1", "q2", "q3"], QUERIES, np.full(4, 3), [np.arange(0)] * 4)
    list(teacher.score(asked))
    assert seen == {*trained["query"], *trained["passage"]}


def test_the_prompt_is_read_once_and_the_end_is_kept(whole: Student) -> None:
    """A long text is cut at its side's length, prompt counted, and still starts and ends with the model's own tokens."""
    model = load_student(whole.model, Path("base"), "cpu")
    tokenizer = model.tokenizer
    ends = (1, 2) if tokenizer.bos_token_id == 1 else (tokenizer.cls_token_id, tokenizer.sep_token_id)
    trained = in_training(model, whole)
    assert {(one[0], one[-1]) for side in trained.values() for one in side} == {ends}
    assert max(map(len, trained["query"])) <= 40
    assert max(map(len, trained["passage"])) <= 24
    alone = encoding.tokenize(model, ["Instruct: Find {it}\nQuery: alpha beta"], "", 40)[0]
    assert trained["query"][0] == tuple(alone)


def test_training_pools_as_the_library_does(whole: Student, tmp_path: Path) -> None:
    """Vectors of training's own right-padded batches are those that a saved model's `encode` gives by prompt name."""
    model = load_student(whole.model, Path("base"), "cpu")
    trained = in_training(model, whole)
    named = {side: prompt for side, (prompt, _, _) in sides(whole).items()}
    model.prompts |= {"docs": named["query"], "document": named["passage"]}
    model.max_seq_length = 24
    model.save(str(tmp_path / "saved"), create_model_card=False)
    saved = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    for side, name, texts in (("query", "docs", QUERIES), ("passage", "document", PASSAGES)):
        ids = [one if len(one) <= 24 else (*one[:23], one[-1]) for one in trained[side]]
        with torch.no_grad():
            found = encoding.forward(model, padded(ids, max(map(len, ids)), model.tokenizer.pad_token_id or 0))
        expected = saved.encode(texts, prompt_name=name, normalize_embeddings=True)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
