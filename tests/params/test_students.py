"""The students that ship: pinned models, each with its own recipe."""

import re

import pytest

from embedder import layout
from embedder.params.load import load
from embedder.students.model import Options
from tests import project

PARAMS = load(project.ROOT / layout.PARAMS)
STUDENTS = PARAMS.students
MODELS = sorted(set(STUDENTS) - {"offline"})


def test_the_students_that_ship() -> None:
    """The seed's, E5's, one for a single GPU, current ones, and one that needs no download and is set."""
    assert set(STUDENTS) == {
        "offline",
        "e5-mistral",
        "mistral-7b",
        "bge-base",
        "qwen3-embedding",
        "gte-modernbert",
        "embedding-gemma",
    }
    assert PARAMS.student == "offline"


def test_sfrs_recipe() -> None:
    """SFR: batch 2,048, 1e-5 after 100 steps of warm-up, 7 negatives, 128 and 256 tokens, r = 8, temperature 0.02."""
    student = STUDENTS["e5-mistral"]
    recipe, model = student.recipe, student.model
    assert isinstance(model, Options)
    assert (model.name, model.licence) == ("intfloat/e5-mistral-7b-instruct", "MIT")
    assert recipe.batch_size == 2_048
    assert (recipe.learning_rate, recipe.warmup_steps) == (1e-5, 100)
    assert recipe.num_negatives == 7
    assert (recipe.query_length, recipe.passage_length) == (128, 256)
    assert recipe.lora is not None
    assert (recipe.lora.r, recipe.lora.targets) == (8, "all-linear")
    assert recipe.temperature == 0.02
    assert recipe.losses == {"info_nce": 1.0}
    assert recipe.homogeneous
    assert (recipe.score_mask, recipe.distilled, recipe.dimensions) == (None, None, [])


def test_e5s_recipe() -> None:
    """E5-mistral: Mistral-7B-v0.1, r = 16, 1e-4, weight decay 0.1, one epoch, 1 negative, 512 tokens, batch 2,048."""
    student = STUDENTS["mistral-7b"]
    recipe, model = student.recipe, student.model
    assert isinstance(model, Options)
    assert (model.name, model.licence) == ("mistralai/Mistral-7B-v0.1", "Apache-2.0")
    assert recipe.lora is not None
    assert (recipe.lora.r, recipe.lora.alpha, recipe.lora.dropout) == (16, 32, 0.1)
    assert (recipe.learning_rate, recipe.warmup_steps, recipe.weight_decay) == (1e-4, 100, 0.1)
    assert (recipe.steps, recipe.epochs) == (None, 1)
    assert (recipe.num_negatives, recipe.query_length, recipe.passage_length) == (1, 512, 512)
    assert (recipe.batch_size, recipe.temperature) == (2_048, 0.02)


def test_bges_recipe() -> None:
    """BGE v1.5 as FlagEmbedding tunes it: all weights, 1e-5, 7 negatives, 512 tokens, temperature 0.02."""
    recipe = STUDENTS["bge-base"].recipe
    assert recipe.lora is None
    assert (recipe.learning_rate, recipe.temperature, recipe.num_negatives) == (1e-5, 0.02, 7)
    assert (recipe.query_length, recipe.passage_length) == (512, 512)


@pytest.mark.parametrize("name", MODELS)
def test_models_are_pinned_and_say_how_they_read(name: str) -> None:
    """Each has a commit, a licence, room for its recipe's lengths, and asks Mistral's tokenizer for an end token."""
    student = STUDENTS[name]
    model, recipe = student.model, student.recipe
    assert isinstance(model, Options)
    assert re.fullmatch(r"[0-9a-f]{40}", model.revision)
    assert model.licence in {"MIT", "Apache-2.0", "Gemma"}
    assert max(recipe.query_length, recipe.passage_length) <= model.max_length
    assert model.add_eos == ("mistral" in name)
    assert (model.pooling == "last_token") == ("{instruction}" in model.query_prompt)
    assert recipe.num_negatives <= PARAMS.materialize.num_negatives


def test_students_that_are_teachers_read_alike() -> None:
    """A model that mines and is tuned has one commit, pooling, prompts and licence in both of its entries."""
    teachers = {getattr(one, "name", ""): one for one in PARAMS.teachers.values()}
    shared = ("revision", "pooling", "query_prompt", "passage_prompt", "normalise", "add_eos", "licence")
    both = [one.model for one in STUDENTS.values() if getattr(one.model, "name", "-") in teachers]
    assert len(both) == 4
    for model in both:
        teacher = teachers[getattr(model, "name", "")]
        assert {key: getattr(model, key) for key in shared} == {key: getattr(teacher, key) for key in shared}
