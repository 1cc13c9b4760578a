"""An OpenAI-compatible server on the loopback that answers as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

import numpy as np

Body = dict[str, Any]


@dataclass
class Answer:
    """What is sent back: JSON, or bytes as they are."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


def vector(text: str, dimensions: int = 4) -> list[float]:
    """Return a text's vector."""
    return [float(one) for one in np.random.default_rng(crc32(text.encode())).normal(size=dimensions).round(3)]


def good(body: Body) -> Answer:
    """Answer well, in another order than asked."""
    rows = [{"index": i, "embedding": vector(text), "object": "embedding"} for i, text in enumerate(body["input"])]
    return Answer({"object": "list", "data": rows[::-1], "model": body["model"]})


def chat(content: str | None, finish: str = "stop", refusal: str | None = None, **changes: object) -> Answer:
    """Answer a chat with these words; `usage` is 100 tokens read and 5 written."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return Answer({"object": "chat.completion", "choices": [choice], "usage": usage, **changes})


def graded(body: Body) -> Answer:
    """Grade the passage of a question by a checksum of it."""
    return chat(json.dumps({"grade": grade_of(asked(body)["passage"])}))


def asked(body: Body) -> dict[str, str]:
    """Return the texts that a question to a judge is about."""
    found: dict[str, str] = json.loads(body["messages"][-1]["content"])
    return found


def grade_of(passage: str) -> int:
    """Return a passage's grade."""
    return crc32(passage.encode()) % 4


@dataclass
class Server:
    """A running server.

    Attributes:
        url: the base of its paths.
        answer: makes an answer of a request's body.
        first: answers that are given before, one a request.
        bodies: what was asked.
        headers: how it was asked.
        paths: where.
    """

    url: str = ""
    answer: Callable[[Body], Answer] = good
    first: list[Answer] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def next(self, body: Body) -> Answer:
        """Return the answer to a request."""
        return self.first.pop(0) if self.first else self.answer(body)


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a thread."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.bodies.append(body)
            told.headers.append(dict(self.headers.items()))
            told.paths.append(self.path)
            answer = told.next(body)
            time.sleep(answer.delay)
            said = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
            except OSError:
                return  # who asked has given up

        def log_message(self, *_: object) -> None:  # pragma: no cover - nothing to say
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
