"""Tests of embedder.errors."""

import pytest

from embedder import errors
from embedder.errors import EmbedderError, unknown


def test_unknown_suggests_the_close_one() -> None:
    """A misspelt name is answered with the name that was meant, and with no list."""
    assert unknown("teacher", "bm52", ["bm25", "sfr"]) == "unknown teacher 'bm52'; did you mean 'bm25'?"


def test_a_short_name_has_a_close_one_too() -> None:
    """Two wrong letters of a three-letter name still find the one that was meant."""
    assert unknown("dataset", "dox", ["code", "docs"]) == "unknown dataset 'dox'; did you mean 'docs'?"


@pytest.mark.parametrize(("choices", "hint"), [(["b", "a"], "there are: a, b"), ([], "there are: none")])
def test_unknown_lists_all_when_nothing_is_close(choices: list[str], hint: str) -> None:
    """A name far from all is answered with all of them, sorted, or with none."""
    assert unknown("stage", "zzz", choices) == f"unknown stage 'zzz'; {hint}"


@pytest.mark.parametrize(
    "name", ["ParamsError", "SourceError", "TableError", "TeacherError", "JudgeError", "StudentError", "ModelError"]
)
def test_every_error_is_an_embedder_error(name: str) -> None:
    """Every kind of user's mistake is an EmbedderError, which the stage frame turns into one line."""
    assert issubclass(getattr(errors, name), EmbedderError)
