"""A model that reads query and passage together, over the best of another teacher."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from embedder.errors import ModelError
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.prompts import QueryPrompt
from embedder.teachers import Corpus, local_models
from embedder.teachers.local_models import Length, LocalModel, batches, stored
from embedder.teachers.rankings import Floats
from embedder.teachers.rescoring import Rescored

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

# What a kill loses. The more there are, the fewer batches are filled up with repeats.
_PAIRS = 4_096


class Options(LocalModel):
    """A CrossEncoder of one label.

    Attributes:
        query_prompt: what stands before the pair; `{instruction}` in it is the dataset's. A model with a chat template
            gets it as the system's message.
        max_length: of a pair in tokens, prompt and special tokens included; the longer text is cut first.
    """

    kind: Literal["cross-encoder"]
    query_prompt: QueryPrompt
    max_length: Length


class Pairs:
    """A loaded CrossEncoder."""

    def __init__(self, options: Options, model: "CrossEncoder", prompt: str) -> None:
        self._options, self._model, self._prompt = options, model, prompt

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the logits of consecutive pairs, unit by unit.

        No sigmoid: it changes no order, and in float32 every logit above 17 would become 1, a tie.
        """
        pairs = list(zip(queries, passages, strict=True))
        for start in range(0, len(pairs), _PAIRS):
            yield self._logits(pairs[start : start + _PAIRS])

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        from torch.nn import Identity

        logits = np.empty(len(pairs), np.float32)
        for part, rows, padding in batches(self._model, pairs, self._options.max_length, prompt=self._prompt):
            found = self._model.predict(
                rows,
                prompt=self._prompt,
                batch_size=len(rows),
                show_progress_bar=False,
                activation_fn=Identity(),
                processing_kwargs=padding,
            )
            logits[part] = found[: len(part)]
        return logits


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Rescored:
    """Return the teacher; first teacher and model are loaded when it is asked."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of cross-encoder: {options!r}")
    prompt = options.query_prompt.replace("{instruction}", corpus.instruction)
    reading = {"query_prompt": prompt, "max_length": options.max_length}
    scores = stored(options, reading, runtime, lambda device: load(options, device, prompt))
    return Rescored(options, corpus, runtime, scores)


def load(options: Options, device: str, prompt: str) -> Pairs:
    """Load the model.

    Raises:
        ModelError: it cannot be had or loaded, or gives a pair other than one score.
    """
    from sentence_transformers import CrossEncoder

    model = local_models.load(
        options, CrossEncoder, device, ("CrossEncoder",), ("ForSequenceClassification", "ForCausalLM")
    )
    if model.num_labels != 1:
        raise ModelError(f"teacher '{options.name}': has {model.num_labels} labels; a cross-encoder needs one")
    return Pairs(options, model, prompt)
