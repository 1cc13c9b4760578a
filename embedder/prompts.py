"""What stands before a text when a model reads it: the one place for training, mining and evaluation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompts:
    """The prompts of one dataset for one model; they count against the length limits."""

    query: str
    passage: str


def prompts(query_prompt: str, passage_prompt: str, instruction: str, *, instruct_passages: bool) -> Prompts:
    """Fill a model's templates with a dataset's instruction.

    Args:
        query_prompt: the model's template; `{instruction}` in it is replaced, other braces stay.
        passage_prompt: what the model wants before passages.
        instruction: the dataset's sentence.
        instruct_passages: whether passages are read like queries, as in symmetric tasks.
    """
    query = query_prompt.replace("{instruction}", instruction)
    return Prompts(query, query if instruct_passages else passage_prompt)
