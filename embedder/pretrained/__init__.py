"""A pretrained model as params.yaml names it: what students of kind `model` and teachers of kind `dense` share."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from embedder.params.base import Model
from embedder.prompts import QueryPrompt

_COMMIT = 40

Text = Annotated[str, Field(min_length=1)]
Revision = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
PoolingMode = Literal["cls", "mean", "last_token", "weighted_mean"]
Dtype = Literal["float32", "bfloat16", "float16"]


class Adapter(Model):
    """A PEFT adapter: a Hub id at a commit, or a local folder with a known content."""

    name: Text
    revision: Revision


class Pretrained(Model):
    """What is loaded, and how it reads a text.

    Attributes:
        name: a Hub id, or a local folder, relative to the project.
        revision: the commit of a Hub id (40 hex), or the content hash of a folder (64 hex, `embedder.revisions`).
        licence: of the weights, and of the adapter merged into them: the one that allows less.
        pooling: what the vector is read off; weighted_mean weighs each token by its position.
        query_prompt: what stands before a query; `{instruction}` in it is the dataset's.
        passage_prompt: what stands before a passage.
        dtype: of the weights.
        normalise: whether the model ends with a Normalize module.
        add_eos: make the tokenizer put BOS first and EOS last. E5-mistral and its kin need it: their config says so,
            but transformers 5 obeys tokenizer.json, which does not.
        adapter: what is merged into the weights, or null.
    """

    name: Text
    revision: Revision
    licence: Text
    pooling: PoolingMode
    query_prompt: QueryPrompt
    passage_prompt: str
    dtype: Dtype
    normalise: bool
    add_eos: bool
    adapter: Adapter | None


def is_local(named: Pretrained | Adapter) -> bool:
    """Tell a local folder from a Hub id: a content hash is longer than a commit."""
    return len(named.revision) != _COMMIT
