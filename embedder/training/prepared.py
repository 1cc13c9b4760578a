"""The next batch's texts are looked up and tokenized while the model computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedder.ahead import ahead
from embedder.training.batches import Texts, compose
from embedder.training.plans import Batch
from embedder.training.tokens import Tokens, tokens

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.training.loop import Work


@dataclass(frozen=True)
class Prepared:
    """A batch, and all of it that needs no model."""

    batch: Batch
    texts: Texts
    tokens: Tokens


def prepared(model: "SentenceTransformer", work: "Work", start: int = 0) -> Iterator[Prepared]:
    """Yield the batches of a plan from the step `start` on; a thread prepares the next one.

    Raises:
        ModelError: a last-token model's tokenizer does not put its end token at the end.
    """

    def prepare(batch: Batch) -> Prepared:
        texts = compose(work.sets, work.prompts, work.recipe, batch)
        return Prepared(batch, texts, tokens(model, texts, work.recipe))

    return ahead(prepare, work.batches[start:])
