"""What stands before a text."""

from embedder.prompts import Prompts, prompts

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
