"""Tests of embedder.endpoints against a server on the loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from embedder import endpoints
from embedder.endpoints import AnswerError, Client, EndpointOptions, Reply
from embedder.errors import TeacherError
from embedder.params.base import describe
from tests import endpoint_server
from tests.endpoint_server import Answer, Server, vector

_TEXTS = ["alpha", "beta", "gamma"]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers well unless told otherwise."""
    with endpoint_server.serving() as running:
        yield running


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client waited, which it does not do here."""
    found: list[float] = []
    monkeypatch.setattr(endpoints, "sleep", found.append)
    return found


def _client(url: str, **changes: object) -> Client:
    written = {
        "url": url,
        "model": "small",
        "revision": "2026-01-01",
        "api_key_env": None,
        "concurrency": 1,
        "timeout": 5.0,
        "retries": 2,
    }
    return Client(EndpointOptions.model_validate(written | changes))


def test_vectors_come_in_the_order_asked(server: Server) -> None:
    """The server's order does not count, its indices do; model and texts are what was asked."""
    found = _client(server.url).embeddings(_TEXTS, 4)
    assert found.dtype == np.float32
    assert found.tolist() == np.array([vector(text) for text in _TEXTS], np.float32).tolist()
    assert server.bodies == [{"model": "small", "input": _TEXTS, "encoding_format": "float"}]
    assert server.paths == ["/v1/embeddings"]
    assert "Authorization" not in server.headers[0]


def test_the_key_comes_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent as a bearer's; without it nothing is asked and the variable is named."""
    client = _client(f"{server.url}/", api_key_env="SOME_KEY")
    with pytest.raises(TeacherError, match="the environment has no SOME_KEY"):
        client.embeddings(_TEXTS, 4)
    assert server.bodies == []
    monkeypatch.setenv("SOME_KEY", "secret\n")
    client.embeddings(_TEXTS, 4)
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_a_refused_key_is_not_repeated(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that quotes the key it refuses does not bring it into our messages."""
    monkeypatch.setenv("SOME_KEY", "the-secret")
    server.first = [Answer({"error": "wrong key the-secret"}, 401)]
    with pytest.raises(TeacherError, match=r"wrong key \[key\]") as caught:
        _client(server.url, api_key_env="SOME_KEY").embeddings(_TEXTS, 4)
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize("before", [0, 150, 185, 195, 300])
def test_a_key_that_is_cut_is_not_shown_in_part(
    server: Server, monkeypatch: pytest.MonkeyPatch, before: int, status: int
) -> None:
    """Wherever a long answer quotes the key, whether it refuses or answers nonsense, none of it is shown."""
    monkeypatch.setenv("SOME_KEY", "the-secret")
    server.first = [Answer({"error": "." * before + "the-secret" + "." * 300}, status)]
    with pytest.raises(TeacherError, match=r"answers .*\.\.\.") as caught:
        _client(server.url, api_key_env="SOME_KEY").embeddings(_TEXTS, 4)
    assert "the" not in str(caught.value)


@pytest.mark.parametrize("key", ["one\ntwo", "one two", "schlüssel", "клю́ч", "one\x7f"])
def test_a_key_that_no_header_holds_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """A key with a line break, a space or what is no ASCII is refused by its variable's name, and never sent."""
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(TeacherError, match="SOME_KEY holds a space, a line break, or what is no ASCII") as caught:
        _client(server.url, api_key_env="SOME_KEY").embeddings(_TEXTS, 4)
    assert key not in str(caught.value)
    assert server.bodies == []


def test_a_refusal_that_cannot_be_read_is_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses and then falls silent is reported by what it refused with."""

    def silent(*_: object) -> bytes:
        raise TimeoutError

    monkeypatch.setattr("embedder.endpoints.HTTPError.read", silent, raising=False)
    server.first = [Answer({"error": "no such model"}, 404)]
    with pytest.raises(TeacherError, match=r"answers 404 .*: nothing else"):
        _client(server.url).embeddings(_TEXTS, 4)


def test_a_busy_server_is_asked_again(server: Server, waits: list[float]) -> None:
    """After 500 and 503 it waits twice as long each time, then takes the answer."""
    server.first = [Answer({}, 500), Answer({}, 503)]
    assert _client(server.url).embeddings(_TEXTS, 4).shape == (3, 4)
    assert waits == [0.5, 1.0]


def test_retry_after_is_honoured(server: Server, waits: list[float]) -> None:
    """Both of its forms, seconds and a date, say how long to wait."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.first = [Answer({}, 429, {"Retry-After": "7"}), Answer({}, 429, {"Retry-After": date})]
    _client(server.url).embeddings(_TEXTS, 4)
    assert waits[0] == 7.0
    assert 25 < waits[1] <= 30


def test_a_server_that_asks_for_hours_is_not_waited_for(server: Server, waits: list[float]) -> None:
    """More than ten minutes are no pause but a refusal."""
    server.first = [Answer({"error": "quota"}, 429, {"Retry-After": "7200"})]
    with pytest.raises(TeacherError, match=r"answers 429 Too Many Requests: .*quota.*attempt 1 of 3"):
        _client(server.url).embeddings(_TEXTS, 4)
    assert waits == []


def test_retries_end(server: Server, waits: list[float]) -> None:
    """After the last attempt the server's words are repeated."""
    server.answer = lambda _: Answer({"error": "on fire"}, 500)
    with pytest.raises(TeacherError, match=r"answers 500 .*on fire.*attempt 3 of 3"):
        _client(server.url).embeddings(_TEXTS, 4)
    assert (len(server.bodies), len(waits)) == (3, 2)


def test_a_slow_server_is_given_up(server: Server, waits: list[float]) -> None:
    """A request without an answer within the timeout is repeated; the next answer counts."""
    server.first = [Answer({}, delay=0.6)]
    assert _client(server.url, timeout=0.2).embeddings(_TEXTS, 4).shape == (3, 4)
    assert waits == [0.5]


def test_nobody_there(waits: list[float]) -> None:
    """A port that nobody listens on is tried again and then named."""
    with endpoint_server.serving() as gone:
        url = gone.url
    with pytest.raises(TeacherError, match=rf"endpoint {url}: .*refused.*attempt 3 of 3"):
        _client(url).embeddings(_TEXTS, 4)
    assert len(waits) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404])
def test_refusals_and_redirects_are_final(server: Server, waits: list[float], status: int) -> None:
    """Neither is tried again, and texts go to no host that was not named."""
    with endpoint_server.serving() as other:
        server.first = [Answer({"error": "no"}, status, {"Location": f"{other.url}/embeddings"})]
        with pytest.raises(TeacherError, match=rf"answers {status} .* to 127\.0\.0\.1:\d+: .*no.*attempt 1 of 3"):
            _client(server.url).embeddings(_TEXTS, 4)
        assert (other.bodies, waits, len(server.bodies)) == ([], [], 1)


def _rows(*vectors: object) -> dict[str, Any]:
    return {"data": [{"index": i, "embedding": one} for i, one in enumerate(vectors)]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>busy</html>", "answers no JSON but <html>busy</html>"),
        (b"\xff", "answers no JSON"),
        (b"", "answers no JSON"),
        ([], r"answers no vectors of 3 texts but \[\]"),
        ({"error": {"message": "overloaded"}}, "but .*overloaded"),
        (_rows([1, 2, 3, 4]), "no vectors of 3 texts"),
        (_rows([1, 2], [1, 2], [1, 2]), "answers 3 of 2 dimensions, not 3 of 4"),
        (_rows(*[[1, 2, 3, 4]] * 4), "answers 4 of 4 dimensions, not 3 of 4"),
        (_rows([1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4]), "no vectors of 3 texts"),
        (_rows([1, 2, 3, 4], "AAAA", [1, 2, 3, 4]), "no vectors of 3 texts"),
        (_rows([1, 2, 3, 4], [1, 2, None, 4], [1, 2, 3, 4]), "not finite|no vectors"),
        (
            b'{"data": [%s]}' % b",".join(b'{"index": %d, "embedding": [1, NaN, 1, 1]}' % i for i in range(3)),
            "not finite",
        ),
        (_rows(1.0, 2.0, 3.0), "dimensions, not 3 of 4"),
        ({"data": [{"embedding": [1, 2, 3, 4]}] * 3}, "no vectors of 3 texts"),
    ],
)
def test_a_wrong_answer_is_named(server: Server, body: object, said: str) -> None:
    """What is no vector for each text, of the right length and finite, is refused with what came, and not repeated."""
    server.answer = lambda _: Answer(body)
    with pytest.raises(TeacherError, match=said):
        _client(server.url).embeddings(_TEXTS, 4)
    assert len(server.bodies) == 1


def test_a_chat_is_read(server: Server) -> None:
    """Words, the reason of the end and both counts come back; the model's name is put to what is asked."""
    server.answer = lambda _: endpoint_server.chat("words")
    reply = _client(server.url).chat({"messages": []})
    assert reply == Reply("words", "", "stop", 100, 5)
    assert (server.bodies, server.paths) == ([{"model": "small", "messages": []}], ["/v1/chat/completions"])


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": "5"}])
def test_a_server_need_not_count(server: Server, usage: object) -> None:
    """Without counts, or with counts that are none, nobody knows them; a refusal has no words."""
    server.answer = lambda _: endpoint_server.chat(None, refusal="no", usage=usage)
    assert _client(server.url).chat({}) == Reply("", "no", "stop", None, None)


@pytest.mark.parametrize("body", [[], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}, b"<p>"])
def test_what_is_no_chat_is_named(server: Server, body: object) -> None:
    """An answer of another form says what came, and is told from a server that cannot be asked."""
    server.answer = lambda _: Answer(body)
    with pytest.raises(AnswerError, match="answers no"):
        _client(server.url).chat({})


_KEY = "sk-" + "a1" * 20


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"api_key_env": _KEY}, "looks like a key"),
        ({"api_key_env": "abcdef0123456789"}, "no name of an environment variable"),
        ({"model": _KEY}, "looks like a key"),
        ({"revision": f"Bearer {_KEY}"}, "looks like a key"),
        ({"url": f"https://api.example.com/v1?key={_KEY}"}, "url: "),
        ({"url": "https://user:word@api.example.com/v1"}, "more than an address"),
        ({"url": "ftp://api.example.com"}, "no address"),
        ({"url": "file:///etc/passwd"}, "no address"),
        ({"url": "api.example.com/v1"}, "no address"),
        ({"retries": -1}, "retries"),
        ({"timeout": 0.0}, "timeout"),
    ],
)
def test_entries_with_keys_or_other_addresses_are_refused(changes: dict[str, Any], said: str) -> None:
    """Keys don't belong in params, and only http and https are spoken; a refusal does not repeat the key."""
    with pytest.raises(ValidationError) as caught:
        _client(**{"url": "http://localhost:1"} | changes)
    assert said in describe(caught.value)
    assert _KEY not in describe(caught.value)
