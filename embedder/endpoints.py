"""A client of OpenAI-compatible endpoints: patient with a busy server, strict about what it answers."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from time import sleep
from typing import IO, Annotated, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from embedder.errors import TeacherError
from embedder.params.base import Model

_BUSY = frozenset({408, 425, 429})
# Bad request, too large, cannot be processed: where others are answered, it is these texts that are refused.
_OF_REQUEST = frozenset({400, 413, 422})
_SERVER_ERROR = 500
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_LONGEST_ASKED = 600.0
_LARGEST_ANSWER = 2**28
_SHOWN, _READ = 200, 2**16
# How the keys of the large providers begin.
_SECRET = re.compile(r"(?i)\b(sk-|hf_|gh[opsu]_|github_pat_|glpat-|xox[abp]-|AKIA|AIza|gsk_|Bearer\s)")
_KEY = re.compile(r"[!-~]+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


class EndpointOptions(Model):
    """Where a model is served, and how patiently it is asked.

    Attributes:
        url: the base that paths are put behind: https://api.example.com/v1.
        model: the name by which the server knows it.
        revision: what pins it, as a server has no commits: a date, a hash, a version. Change it to ask again.
        api_key_env: the environment variable that holds the key; null for none. The key itself stands nowhere.
        concurrency: requests at a time.
        timeout: seconds without an answer after which a request is given up.
        retries: how often a request is repeated after a time-out, 429 or 5xx.
    """

    url: str
    model: Annotated[str, Field(min_length=1)]
    revision: Annotated[str, Field(min_length=1)]
    api_key_env: str | None
    concurrency: Annotated[int, Field(ge=1, le=64)]
    timeout: Annotated[float, Field(gt=0)]
    retries: Annotated[int, Field(ge=0, le=20)]

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no address; write one such as https://api.example.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("holds more than an address; keys go into an environment variable, see api_key_env")
        return value.rstrip("/")

    @field_validator("url", "model", "revision", "api_key_env")
    @classmethod
    def _no_secret(cls, value: str | None) -> str | None:
        # What was written is not repeated: it would stand in logs.
        if value and _SECRET.search(value):
            raise ValueError("looks like a key; put it into an environment variable and name that in api_key_env")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError("is no name of an environment variable, such as OPENAI_API_KEY; never write the key here")
        return value


class AnswerError(TeacherError):
    """A server answers something else than it was asked for."""


class RequestError(TeacherError):
    """A server refuses one request: too long, against its rules, or of a form that it does not know."""


@dataclass(frozen=True)
class Reply:
    """What a model said.

    Attributes:
        content: its words; empty where there are none.
        refusal: why it would say nothing; empty where it did not refuse.
        finish: why it ended: `stop`, or `length` where it was cut off.
        prompt_tokens: how many tokens it read; None where the server does not count.
        completion_tokens: how many it wrote, those of its thoughts included; likewise.
    """

    content: str
    refusal: str
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class Client:
    """A server that is asked, by several threads if need be."""

    options: EndpointOptions

    def embeddings(self, texts: Sequence[str], dimensions: int) -> NDArray[np.float32]:
        """Return the [texts, dimensions] vectors of `texts`.

        Raises:
            TeacherError: the server cannot be reached, refuses, or answers something else.
        """
        body = {"model": self.options.model, "input": list(texts), "encoding_format": "float"}
        return _vectors(self.post("embeddings", body), (len(texts), dimensions), self.options.url, self._key())

    def chat(self, body: Mapping[str, object]) -> Reply:
        """Return what the model says to `body`: messages, and how it is to answer.

        Raises:
            AnswerError: the answer is no JSON, or no chat completion.
            RequestError: the server refuses this request with 400, 413 or 422.
            TeacherError: the server cannot be reached, or refuses whoever asks.
        """
        answer = self.post("chat/completions", {"model": self.options.model, **body})
        try:
            choice, usage = answer["choices"][0], answer.get("usage") or {}
            said = choice["message"]
            content, refusal = (str(said.get(part) or "") for part in ("content", "refusal"))
            counts = (_count(usage.get(f"{side}_tokens")) for side in ("prompt", "completion"))
            return Reply(content, refusal, str(choice.get("finish_reason")), *counts)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise AnswerError(f"endpoint {self.options.url}: answers no chat but {self.shown(answer)}") from error

    def shown(self, answer: object) -> str:
        """Return as much of an answer as a message holds, without the key."""
        return _shown(answer, self._key())

    def post(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 - what JSON holds
        """Send `body` to `path` below the base and return the answer's JSON.

        A time-out, a lost connection, 429 and 5xx are tried again, after the time that the server asks for in
        Retry-After, else after 0.5, 1, 2 ... seconds.

        Raises:
            AnswerError: the server answers no JSON.
            RequestError: the server refuses with 400, 413 or 422.
            TeacherError: the environment has no key, or none that can be sent; the server cannot be reached, refuses,
                or redirects.
        """
        key = self._key()
        refused: type[TeacherError] = TeacherError
        request = Request(f"{self.options.url}/{path}", json.dumps(body).encode(), _headers(key))  # noqa: S310 - checked
        for attempt in range(self.options.retries + 1):
            try:
                with build_opener(_NoRedirect).open(request, timeout=self.options.timeout) as answer:
                    return _json(answer.read(_LARGEST_ANSWER), self.options.url, key)
            except HTTPError as error:
                reason, wait = _refusal(error, key), _wait(error.headers.get("Retry-After"), attempt)
                refused = RequestError if error.code in _OF_REQUEST else TeacherError
                if not (error.code in _BUSY or error.code >= _SERVER_ERROR) or wait > _LONGEST_ASKED:
                    break
            except (OSError, HTTPException) as error:
                reason, wait, refused = str(error) or type(error).__name__, _wait(None, attempt), TeacherError
            if attempt < self.options.retries:
                sleep(wait)
        raise refused(
            f"endpoint {self.options.url}: {_hidden(reason, key)} (attempt {attempt + 1} of {self.options.retries + 1}); "
            "check url, model and key, or raise timeout and retries"
        )

    def _key(self) -> str:
        name = self.options.api_key_env
        key = os.environ.get(name, "").strip() if name else ""
        if name and not key:
            raise TeacherError(f"endpoint {self.options.url}: the environment has no {name}; set it to the key")
        if key and not _KEY.fullmatch(key):
            # Sent as it is, it would be quoted in the error of a header.
            raise TeacherError(
                f"endpoint {self.options.url}: {name} holds a space, a line break, or what is no ASCII; "
                "set it to the key alone"
            )
        return key


class _NoRedirect(HTTPRedirectHandler):
    """Texts and the key go to the host that was named and to no other."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing, so that the answer counts as a refusal."""


def _headers(key: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    return headers | {"Authorization": f"Bearer {key}"} if key else headers


def _refusal(error: HTTPError, key: str) -> str:
    try:
        with error:
            said = _shown(" ".join(error.read(_READ).decode("utf-8", "replace").split()), key)
    except (OSError, HTTPException):
        said = ""
    where = f" to {urlsplit(error.headers['Location']).netloc}" if error.headers.get("Location") else ""
    return f"answers {error.code} {error.reason}{where}: {said or 'nothing else'}"


def _wait(asked: str | None, attempt: int) -> float:
    """Return how many seconds to wait: what the server asks for, as seconds or as a date, else twice as long each time."""
    if asked is not None and asked.strip().isdecimal():
        return float(asked)
    try:
        date = parsedate_to_datetime(asked or "")
    except ValueError:
        return min(_FIRST_WAIT * 2.0**attempt, _LONGEST_WAIT)
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _json(answer: bytes, url: str, key: str) -> Any:  # noqa: ANN401 - what JSON holds
    try:
        return json.loads(answer)
    except ValueError as error:
        raise AnswerError(
            f"endpoint {url}: answers no JSON but {_shown(answer.decode('utf-8', 'replace'), key)}"
        ) from error


def _vectors(answer: Any, wanted: tuple[int, int], url: str, key: str) -> NDArray[np.float32]:  # noqa: ANN401 - what JSON holds
    """Take the `wanted` [texts, dimensions] vectors out of an answer, by the index that each says it has."""
    texts, dimensions = wanted
    try:
        rows = {int(one["index"]): one["embedding"] for one in answer["data"]}
        vectors = np.array([rows[i] for i in range(texts)], dtype=np.float32)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TeacherError(f"endpoint {url}: answers no vectors of {texts} texts but {_shown(answer, key)}") from error
    if len(answer["data"]) != texts or vectors.shape != wanted:
        came = f"{len(answer['data'])} of {' x '.join(map(str, vectors.shape[1:]))} dimensions"
        raise TeacherError(
            f"endpoint {url}: answers {came}, not {texts} of {dimensions}; correct `dimensions` or `model`"
        )
    if not np.isfinite(vectors).all():
        raise TeacherError(f"endpoint {url}: answers numbers that are not finite; ask another model")
    return vectors


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _shown(answer: object, key: str) -> str:
    text = _hidden(answer if isinstance(answer, str) else json.dumps(answer), key)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _hidden(text: str, key: str) -> str:
    """Some servers repeat a key that they refuse."""
    return text.replace(key, "[key]") if key else text
