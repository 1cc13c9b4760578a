"""What stands before a text when a model reads it: the one place for training, mining and evaluation."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

_PLACEHOLDER = re.compile(r"\{\s*[A-Za-z_]+\s*\}")


def _known(template: str) -> str:
    """A placeholder of another name would stand before every query as it is, and nothing would show it."""
    for found in _PLACEHOLDER.findall(template):
        if found != "{instruction}":
            raise ValueError(f"has {found}, which nothing replaces; write {{instruction}}, or text without such braces")
    return template


QueryPrompt = Annotated[str, AfterValidator(_known)]
"""A model's template for queries, as entries say it: `{instruction}` in it is the dataset's."""


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
