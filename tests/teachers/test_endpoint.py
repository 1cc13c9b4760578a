"""Tests of embedder.teachers.endpoint against a server on the loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from embedder import layout
from embedder.errors import TeacherError
from embedder.teachers import endpoint
from tests import endpoint_server
from tests.endpoint_server import Answer, Server, good, vector
from tests.teachers import fakes

pytestmark = pytest.mark.usefixtures("table_kind", "_project")

_TEXTS = [f"passage {i}" for i in range(10)]
_QUERIES = ["alpha", "beta"]
_SCORES = [[float(10 - p) for p in range(10)] for _ in _QUERIES]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers well unless told otherwise."""
    with endpoint_server.serving() as running:
        yield running


@pytest.fixture
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _rows(server: Server, **changes: object) -> list[fakes.Row]:
    written: dict[str, Any] = {
        "kind": "endpoint",
        "url": server.url,
        "model": "small",
        "revision": "2026-01-01",
        "licence": "none",
        "dimensions": 4,
        "query_prompt": "{instruction} Query: ",
        "passage_prompt": "",
        "batch_size": 3,
        "concurrency": 2,
        "timeout": 5.0,
        "retries": 0,
        "api_key_env": None,
        "normalise": False,
        "first": fakes.table(_SCORES),
        "top": 10,
    }
    options = endpoint.Options.model_validate(written | changes)
    teacher = endpoint.build(options, fakes.corpus(_TEXTS), fakes.RUNTIME)
    return fakes.rows(teacher, fakes.queries(_QUERIES, 3))


def _product(query: str, text: str, *, normalise: bool = False) -> float:
    left, right = (np.array(vector(one), np.float32).astype(np.float64) for one in (f"Find it. Query: {query}", text))
    length = np.linalg.norm(left) * np.linalg.norm(right) if normalise else 1.0
    return float(np.float32((left * right).sum() / length))


@pytest.mark.parametrize("normalise", [False, True])
def test_scores_are_inner_products(server: Server, normalise: bool) -> None:  # noqa: FBT001 - a case
    """A pair's score is the product of the served vectors, in float64, of length 1 where the entry says so."""
    found = _rows(server, normalise=normalise)
    for query, row in zip(_QUERIES, found, strict=True):
        assert {p: s for p, (s, _) in row.items()} == pytest.approx(
            {p: _product(query, text, normalise=normalise) for p, text in enumerate(_TEXTS)}, rel=1e-6
        )
        assert sorted(row, key=lambda p: row[p][1]) == sorted(row, key=lambda p: (-row[p][0], p))


def test_each_text_is_asked_once_ever(server: Server) -> None:
    """Twelve texts are asked once, three a request; a second run makes no request, nor does one that only normalises."""
    first = _rows(server)
    asked = [text for body in server.bodies for text in body["input"]]
    assert len(asked) == len(set(asked)) == 12
    assert max(len(body["input"]) for body in server.bodies) == 3
    requests = len(server.bodies)
    assert _rows(server) == first
    _rows(server, normalise=True)
    assert len(server.bodies) == requests


def test_a_changed_prompt_asks_for_what_it_touches(server: Server) -> None:
    """With another query prompt the queries alone are asked again, with another revision everything."""
    _rows(server)
    server.bodies.clear()
    _rows(server, query_prompt="Q: ")
    assert sorted(text for body in server.bodies for text in body["input"]) == ["Q: alpha", "Q: beta"]
    server.bodies.clear()
    _rows(server, revision="2026-02-02")
    assert sum(len(body["input"]) for body in server.bodies) == 12


def test_scores_do_not_depend_on_blocks_or_batches(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One text a request and three pairs at a time, or all at once: the same bytes."""
    whole = _rows(server, batch_size=100, concurrency=1)
    monkeypatch.setattr(layout, "VECTORS", Path("others"))
    monkeypatch.setattr(endpoint, "_PAIRS", 3)
    monkeypatch.setattr(endpoint, "_MULTIPLIED_AT_ONCE", 2)
    assert _rows(server, batch_size=1) == whole


def test_a_failure_keeps_the_units_that_are_done(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server fails in the third unit, the next run asks for what the first two don't have, and no more."""
    whole = _rows(server)
    monkeypatch.setattr(layout, "VECTORS", Path("others"))
    monkeypatch.setattr(endpoint, "_UNIT_TEXTS", 2)

    def limited(body: endpoint_server.Body) -> Answer:
        return good(body) if len(server.bodies) <= 2 else Answer({"error": "gone"}, 400)

    server.bodies.clear()
    server.answer = limited
    with pytest.raises(TeacherError, match="gone"):
        _rows(server)
    server.bodies.clear()
    server.answer = good
    assert _rows(server) == whole
    assert sum(len(body["input"]) for body in server.bodies) == 12 - 4


def test_other_dimensions_are_refused(server: Server) -> None:
    """A server with vectors of another length is named with what came."""
    with pytest.raises(TeacherError, match=r"of 4 dimensions, not \d+ of 5"):
        _rows(server, dimensions=5)


def test_a_vector_of_zeros_has_no_direction() -> None:
    """Normalised, its products are 0 and not undefined."""
    zeros, ones = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    at = np.zeros(1, np.int64)
    assert endpoint.inner_products(zeros, at, ones, at, normalise=True).tolist() == [0.0]
    assert endpoint.inner_products(ones, at, ones, at, normalise=True).tolist() == [1.0]


def test_keys_are_refused(server: Server) -> None:
    """The entry names a variable, never a key."""
    with pytest.raises(ValidationError, match="never write the key here"):
        _rows(server, api_key_env="0123456789abcdef")


def test_options_of_another_teacher_are_a_bug() -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    with pytest.raises(TypeError, match="not options of endpoint"):
        endpoint.build(fakes.Options.model_validate(fakes.table([])), fakes.corpus([]), fakes.RUNTIME)
