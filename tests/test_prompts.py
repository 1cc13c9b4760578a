"""What stands before a text."""

import pytest
from pydantic import TypeAdapter, ValidationError

from embedder.prompts import Prompts, QueryPrompt, prompts

E5 = "Instruct: {instruction}\nQuery: "


def test_the_instruction_fills_the_query_prompt_alone() -> None:
    """The dataset's instruction goes into the query prompt; passages keep the model's own."""
    filled = prompts(E5, "passage: ", "Find code", instruct_passages=False)
    assert filled == Prompts("Instruct: Find code\nQuery: ", "passage: ")


def test_instructed_passages_are_read_like_queries() -> None:
    """In a symmetric task both sides have the query prompt."""
    filled = prompts(E5, "passage: ", "Find the same", instruct_passages=True)
    assert filled.passage == filled.query == "Instruct: Find the same\nQuery: "


def test_other_braces_stay() -> None:
    """Braces of the template or the instruction that are not the placeholder are text."""
    assert prompts("{a} {instruction} ", "", "find {b}", instruct_passages=False).query == "{a} find {b} "


def test_a_model_without_prompts_has_none() -> None:
    """Empty templates stay empty whatever the dataset says."""
    assert prompts("", "", "Find it", instruct_passages=True) == Prompts("", "")


@pytest.mark.parametrize("template", ["", E5, "query: ", '{"query": ', "{} {1} {a b} {instruction}{instruction}"])
def test_a_query_prompt_has_one_placeholder(template: str) -> None:
    """The instruction's placeholder and braces around anything but a word are no mistake."""
    assert TypeAdapter(QueryPrompt).validate_python(template) == template


@pytest.mark.parametrize("template", ["{instuction}", "{Instruction}", "{ instruction }", "{instruction} {query}"])
def test_a_placeholder_of_another_name_is_refused(template: str) -> None:
    """A mistyped placeholder, which would stand before every query as it is, is named with the right one."""
    with pytest.raises(ValidationError, match=r"has \{.*\}, which nothing replaces; write \{instruction\}"):
        TypeAdapter(QueryPrompt).validate_python(template)
