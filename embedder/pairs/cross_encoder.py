"""A model that reads query and passage together: its scores of pairs, whoever asks."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedder.errors import ModelError
from embedder.pairs import local
from embedder.pairs.local import Length, LocalModel, batches, stored
from embedder.pairs.stored import Floats, StoredScores
from embedder.params.runtime import Runtime
from embedder.prompts import QueryPrompt

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

# What a kill loses. The more there are, the fewer batches are filled up with repeats.
_PAIRS = 4_096


class Reading(LocalModel):
    """A CrossEncoder of one label, and how it reads.

    Attributes:
        query_prompt: what stands before the pair; `{instruction}` in it is the dataset's. A model with a chat template
            gets it as the system's message.
        max_length: of a pair in tokens, prompt and special tokens included; the longer text is cut first.
    """

    query_prompt: QueryPrompt
    max_length: Length


class Pairs:
    """A loaded CrossEncoder."""

    def __init__(self, options: Reading, model: "CrossEncoder", prompt: str) -> None:
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


def scores(options: Reading, instruction: str, runtime: Runtime, what: str) -> StoredScores:
    """Return the model's scores, stored or to be computed; the model is loaded when one is missing.

    Args:
        options: the model, and how it reads.
        instruction: the dataset's sentence.
        runtime: where it runs.
        what: the word before lines of progress.
    """
    prompt = options.query_prompt.replace("{instruction}", instruction)
    reading = {"query_prompt": prompt, "max_length": options.max_length}
    return stored(options, reading, runtime, lambda device: load(options, device, prompt), what)


def load(options: Reading, device: str, prompt: str) -> Pairs:
    """Load the model.

    Raises:
        ModelError: it cannot be had or loaded, or gives a pair other than one score.
    """
    from sentence_transformers import CrossEncoder

    model = local.load(options, CrossEncoder, device, ("CrossEncoder",), ("ForSequenceClassification", "ForCausalLM"))
    if model.num_labels != 1:
        raise ModelError(f"model '{options.name}': has {model.num_labels} labels; a cross-encoder needs one")
    return Pairs(options, model, prompt)
