"""A language model behind an OpenAI-compatible `/chat/completions` as judge: it grades pairs from 0 to 3."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from embedder import layout
from embedder.endpoints import AnswerError, Client, EndpointOptions, RequestError
from embedder.errors import EmbedderError, JudgeError
from embedder.judges import Answers, Cost, Pairs, Subject
from embedder.judges.asking import Asking, Failed, Graded
from embedder.judges.grading import SCHEMA, SYSTEM, Unreadable, grade, message, request
from embedder.judges.options import Judging
from embedder.judges.spending import Prices, Spending
from embedder.judges.tokens import estimated
from embedder.params.base import Model
from embedder.params.models import Positive, Share
from embedder.params.runtime import Runtime

Price = Annotated[float, Field(ge=0)] | None


class Options(EndpointOptions, Judging):
    """A served language model.

    Attributes:
        licence: of what it returns.
        threshold: the grade from which a passage is relevant: 1 on the topic, 2 answers in part, 3 answers.
        temperature: of its answers; null leaves it to the server, as models that think before they answer want it.
        max_characters: a longer query, or passage, is cut there.
        answer_tokens: the most tokens of an answer, thoughts included.
        max_failed_share: the largest share of pairs that may have no answer that can be read.
        price_prompt: of a million tokens read; null where nobody knows.
        price_completion: of a million tokens written.
        max_tokens: the most tokens that the pairs of one dataset may take, those of stored answers included; null for
            any number. An answer that cannot be read is not stored: what it took counts in its own run alone, and it is
            asked for again in the next.
        max_cost: the same in money.
    """

    kind: Literal["llm"]
    licence: Annotated[str, Field(min_length=1)]
    threshold: Literal[1, 2, 3]
    threshold_percentile: None
    temperature: Annotated[float, Field(ge=0)] | None
    max_characters: Positive
    answer_tokens: Positive
    max_failed_share: Share
    price_prompt: Price
    price_completion: Price
    max_tokens: Positive | None
    max_cost: Annotated[float, Field(gt=0)] | None

    @model_validator(mode="after")
    def _priced(self) -> "Options":
        if self.max_cost is not None and None in (self.price_prompt, self.price_completion):
            raise ValueError("max_cost needs price_prompt and price_completion; write both, or set it to null")
        return self


class LanguageModel:
    """Grades that are stored, or asked for by several threads."""

    def __init__(self, options: Options, subject: Subject, interval: float) -> None:
        self._options, self._subject, self._interval = options, subject, interval
        self._client = Client(options)

    def identity(self) -> Mapping[str, object]:
        """Return what fixes an answer but the texts."""
        options = self._options
        return {
            "kind": options.kind,
            "url": options.url,
            "model": options.model,
            "revision": options.revision,
            "temperature": options.temperature,
            "answer_tokens": options.answer_tokens,
            "system": SYSTEM,
            "schema": SCHEMA,
        }

    def known(self) -> Collection[tuple[str, str]]:
        """Return nothing."""
        return ()

    def cost(self, pairs: Pairs) -> Cost:
        """Estimate tokens and money; every answer is reckoned as long as it may be."""
        from embedder.vectors.keys import text_keys
        from embedder.vectors.stored import known

        keys = text_keys(self._message(pairs, i) for i in range(len(pairs)))
        stored = known(layout.VECTORS, self.identity(), "float32", keys)
        return self._estimate(pairs, np.flatnonzero(~stored))

    def ask(self, pairs: Pairs) -> Answers:
        """Return the grades; what is paid for is stored, at the latest when the model is not asked any more."""
        from embedder.locking import locked
        from embedder.vectors.keys import text_keys
        from embedder.vectors.store import Space

        keys = text_keys(self._message(pairs, i) for i in range(len(pairs)))
        with locked(layout.VECTORS):
            space = Space(layout.VECTORS, self.identity(), "float32")
            spending = self._spent(space, keys)
            missing = space.missing(keys)
            self._afford(pairs, missing, spending)
            # Rounded, as 0.07 of 100 is more than 7 in floats.
            asking = Asking(space, keys, spending, round(self._options.max_failed_share * len(pairs), 9))
            asking.run(missing, lambda i: self._asked(self._message(pairs, i)), self._options.concurrency, self._shown)
            scores, failures = asking.answers()
            return Answers(scores, failures, {"usage": self._spent(space, keys).report()})

    @property
    def _shown(self) -> tuple[str, float]:
        return f"judge {self._subject.dataset}: pairs", self._interval

    def _message(self, pairs: Pairs, pair: int) -> str:
        texts = pairs.queries[pair], pairs.passages[pair]
        return message(self._subject.instruction, *texts, self._options.max_characters)

    def _estimate(self, pairs: Pairs, missing: NDArray[np.int64]) -> Cost:
        prompt, completion = self._tokens(pairs, missing)
        money = self._prices.of(prompt, completion)
        return Cost(len(pairs), len(pairs) - len(missing), prompt + completion, money)

    def _tokens(self, pairs: Pairs, missing: NDArray[np.int64]) -> tuple[int, int]:
        asked = estimated(SYSTEM) * len(missing)
        asked += sum(estimated(self._message(pairs, i)) for i in missing.tolist())
        return asked, self._options.answer_tokens * len(missing)

    @property
    def _prices(self) -> Prices:
        return Prices(self._options.price_prompt, self._options.price_completion)

    def _spent(self, space: Any, keys: NDArray[np.bytes_]) -> Spending:  # noqa: ANN401 - a Space, imported on use
        """Sum what the stored answers took: each content once."""
        distinct = np.unique(keys)
        held = np.setdiff1d(distinct, distinct[space.missing(distinct)])
        used = space.vectors(held)[:, 1:].astype(np.int64).sum(axis=0) if len(held) else (0, 0)
        options = self._options
        return Spending(self._prices, options.max_tokens, options.max_cost, int(used[0]), int(used[1]))

    def _afford(self, pairs: Pairs, missing: NDArray[np.int64], spending: Spending) -> None:
        more = self._tokens(pairs, missing)
        if len(missing) and (limit := spending.exceeded(*more)):
            raise JudgeError(
                f"the answers would take about {limit}; nothing was asked: raise the limit, or lower `top` or leak.sample"
            )

    def _asked(self, content: str) -> "Graded | Failed | EmbedderError":
        """Ask about one pair; an answer that cannot be read is a failure, and a server that cannot be asked an error."""
        options = self._options
        guess = estimated(SYSTEM) + estimated(content)
        try:
            reply = self._client.chat(request(content, options.answer_tokens, options.temperature))
        except AnswerError as error:
            return Failed("malformed", str(error), guess, 0)
        except RequestError as error:
            return Failed("refused", str(error), 0, 0)
        except EmbedderError as error:
            return error
        read = guess if reply.prompt_tokens is None else reply.prompt_tokens
        wrote = estimated(reply.content) if reply.completion_tokens is None else reply.completion_tokens
        try:
            return Graded(grade(reply), read, wrote)
        except Unreadable as error:
            return Failed(str(error), self._client.shown(reply.refusal or reply.content), read, wrote)


def build(options: Model, subject: Subject, runtime: Runtime) -> LanguageModel:
    """Return the judge; nothing is asked before an answer is missing."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of llm: {options!r}")
    return LanguageModel(options, subject, runtime.log_interval)
