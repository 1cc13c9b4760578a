"""What every configured teacher would cost, before it is asked."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder import layout
from embedder.cli.estimate import duration, print_estimates
from embedder.errors import TeacherError
from embedder.estimates import estimate
from embedder.estimates.costs import Cost, evenly, mean_tokens
from embedder.estimates.rates import Measured
from embedder.params.load import load, parse, read
from embedder.params.runtime import Runtime
from embedder.revisions import content_hash, file_hashes
from embedder.teachers import TEACHERS
from embedder.teachers.readings import Readings
from embedder.vectors.keys import text_keys
from tests import models, project, tables

QUERIES = [f"where is number {number}" for number in range(40)]
PASSAGES = [f"number {number} stands here, and {'so on ' * 10}" for number in range(400)]
BERT = {
    "kind": "dense",
    "name": "BAAI/bge-base-en-v1.5",
    "revision": "0" * 40,
    "adapter": None,
    "licence": "MIT",
    "pooling": "cls",
    "query_prompt": "",
    "passage_prompt": "",
    "query_length": 512,
    "passage_length": 512,
    "dtype": "float32",
    "normalise": True,
    "add_eos": False,
    "dimensions": 768,
    "parameters": 86_000_000,
    "index": {"kind": "exact"},
    "agreement_sample": 0,
}


class Machine:
    """A machine of one TFLOP/s in float32 and two in bfloat16, which it may have no instructions for."""

    def __init__(self, *, native: bool = True) -> None:
        self._native = native

    def rate(self, dtype: str) -> float:
        """Return FLOP per second."""
        return 1e12 if dtype == "float32" else 2e12

    def is_native(self, dtype: str) -> bool:
        """Return whether there are instructions for a dtype."""
        return self._native or dtype == "float32"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def estimated(teachers: dict[str, Any], machine: Machine | None = None) -> dict[str, estimate.Estimate]:
    """Estimate bm25, which is set, and other teachers."""
    params = project.tiny_params()
    params["teachers"] = {"bm25": params["teachers"]["bm25"], **copy.deepcopy(teachers)}
    project.write_params(Path(), params)
    rows = estimate.estimate(load(), tables.entry(), QUERIES, PASSAGES, machine or Machine())
    return {row.teacher: row for row in rows}


def bm25() -> dict[str, Any]:
    """Return an entry of BM25."""
    return dict(project.tiny_params()["teachers"]["bm25"])


def test_the_teacher_that_is_set_comes_first() -> None:
    """One row a configured teacher, the active one first and marked, the others in their order."""
    rows = estimated({"later": bm25(), "earlier": bm25()})
    assert [(name, row.active) for name, row in rows.items()] == [("bm25", True), ("later", False), ("earlier", False)]


def test_bm25_is_measured_and_extrapolated() -> None:
    """BM25's time is that of a sample, times what is left out; it encodes nothing."""
    cost = estimated({})["bm25"].cost
    assert cost.seconds is not None
    assert 0 < cost.seconds < 60
    assert replace(cost, seconds=0.0, notes=()) == Cost()
    assert cost.notes == ("measured on 400 passages, 40 queries",)


def test_a_dense_teacher_reads_every_text() -> None:
    """Tokens of what is not stored, 2 FLOP a weight and token, 2 a query, passage and dimension, at the machine's rate."""
    cost = estimated({"bert": BERT})["bert"].cost
    characters = [-(-len(text) // 4) for text in QUERIES]
    passages = [-(-len(text) // 4) for text in PASSAGES]
    assert cost.tokens == pytest.approx(sum(characters) + sum(passages), rel=0.02)
    flops = 2 * 86e6 * cost.tokens + 2 * 40 * 400 * 768
    assert (cost.texts, cost.stored, cost.bytes) == (440, 0, 440 * 768 * 4)
    assert cost.flops == pytest.approx(flops)
    assert cost.seconds == pytest.approx(flops / 1e12)
    assert cost.memory == 86_000_000 * 4 + 4 * 768 * (40 + 400)


def test_16_bits_halve_what_is_written() -> None:
    """bfloat16 halves vectors and weights and runs at its own rate; where it is not native that is said."""
    rows = estimated({"bert": BERT, "half": {**BERT, "dtype": "bfloat16"}})
    assert rows["half"].cost.bytes * 2 == rows["bert"].cost.bytes
    assert (rows["half"].cost.seconds or 0) < (rows["bert"].cost.seconds or 0)
    assert rows["half"].cost.notes == ()
    foreign = estimated({"half": {**BERT, "dtype": "bfloat16"}}, Machine(native=False))
    assert foreign["half"].cost.notes == ("bfloat16 is not native here; float32 may be faster",)


def test_prompts_count_and_lengths_cut() -> None:
    """A prompt makes every text longer, and no text counts for more than its length."""
    plain, asked, short = (
        estimated({"bert": {**BERT, **changes}})["bert"].cost.tokens
        for changes in ({}, {"query_prompt": "{instruction} " * 4}, {"query_length": 8, "passage_length": 8})
    )
    assert plain < asked
    assert short <= 440 * 8


def _local(folder: Path) -> dict[str, Any]:
    models.make_bert(folder)
    revision = content_hash(file_hashes(folder))
    changes = {"name": str(folder), "revision": revision, "dimensions": 16, "query_length": 32, "passage_length": 32}
    return {**BERT, **changes}


def test_a_local_tokenizer_counts(tmp_path: Path) -> None:
    """The tokenizer of a model's own folder says how long texts are."""
    folder = models.make_bert(tmp_path / "bert")
    texts = ["alpha beta", "gamma"]
    # [CLS] and [SEP] beside the words.
    assert mean_tokens(texts, "", None, folder, "en") == 3.5
    assert mean_tokens(texts, "mu ", 4, folder, "en") == 4.0
    assert mean_tokens(texts, "", None, Path("nowhere"), "en") == (3 + 2) / 2
    assert mean_tokens(texts, "", None, Path("nowhere"), "zh") == (10 + 5) / 2
    assert mean_tokens([], "", None, folder, "en") == 0.0


def test_stored_vectors_are_not_encoded_again(tmp_path: Path) -> None:
    """What lies in the store is told apart, and neither read again nor written."""
    entry = _local(tmp_path / "bert")
    estimated({"bert": entry})
    params = load()
    readings = Readings(params.teachers["bert"], params.runtime, "bert", parameters=1)  # type: ignore[arg-type]  # of any kind
    space = readings.space("", 32)
    space.add(text_keys(PASSAGES[:100]), np.ones((100, 16), np.float32))
    before = {path: path.stat().st_mtime_ns for path in layout.CACHE.rglob("*")}
    cost = estimated({"bert": entry})["bert"].cost
    assert (cost.stored, cost.texts, cost.bytes) == (100, 340, 340 * 16 * 4)
    assert {path: path.stat().st_mtime_ns for path in layout.CACHE.rglob("*")} == before


def test_a_fusion_costs_what_its_members_cost() -> None:
    """Members are asked one after the other: work and bytes add up, memory is that of the largest."""
    small = {**BERT, "name": "other/model", "parameters": 1_000_000}
    members = [{"name": name, "quota": None, "teacher": entry} for name, entry in (("a", BERT), ("b", small))]
    rows = estimated({"both": {"kind": "fusion", "method": "rrf", "k": 60, "members": members}, "a": BERT, "b": small})
    both, a, b = (rows[name].cost for name in ("both", "a", "b"))
    assert both == a.then(b)
    assert (both.tokens, both.bytes, both.memory) == (a.tokens + b.tokens, a.bytes + b.bytes, a.memory)


def _rescorer(kind: str, name: str, **changes: object) -> dict[str, Any]:
    entry = {"kind": kind, "name": name, "revision": "0" * 40, "licence": "MIT", "dtype": "float32", "query_prompt": ""}
    return {**entry, "first": bm25(), "top": 10, **changes}


def test_rescorers_read_the_best_of_another(tmp_path: Path) -> None:
    """A cross-encoder reads every pair; encoders read queries and at most that many passages; the first comes before."""
    folder = str(models.make_bert(tmp_path / "bert"))
    lengths = {"passage_prompt": "", "query_length": 16, "passage_length": 16}
    rows = estimated(
        {
            "cross": _rescorer("cross-encoder", folder, max_length=32),
            "sparse": _rescorer("sparse", folder, **lengths),
            "multi": _rescorer("multi-vector", folder, **{**lengths, "top": 5}),
            "far": _rescorer("cross-encoder", "far/away", max_length=32),
        }
    )
    assert rows["cross"].cost.texts == 40 * 10
    assert rows["cross"].cost.tokens <= 400 * 32
    assert rows["sparse"].cost.texts == 40 + 400
    assert rows["multi"].cost.texts == 40 + 200
    assert (rows["cross"].cost.seconds or 0) > 0
    assert rows["cross"].cost.flops > rows["cross"].cost.tokens
    assert rows["far"].cost.seconds is None
    assert "far/away is not here, so its size is unknown" in rows["far"].cost.notes


def test_an_endpoint_is_counted_in_requests() -> None:
    """What a server takes nobody here knows: requests and tokens are told instead."""
    served = {"url": "http://localhost:1/v1", "model": "m", "api_key_env": None, "concurrency": 2, "timeout": 1.0}
    changes = {"retries": 1, "dimensions": 8, "passage_prompt": "", "batch_size": 16, "normalise": True}
    entry = _rescorer("endpoint", "", **served, **changes)
    cost = estimated({"served": {key: value for key, value in entry.items() if key not in {"name", "dtype"}}})[
        "served"
    ].cost
    assert (cost.requests, cost.seconds, cost.bytes) == (3 + 25, None, 440 * 8 * 4)
    assert "the time is that of http://localhost:1/v1" in cost.notes


def test_what_cannot_be_estimated_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher that fails is a note beside the others, and so is a kind that nobody knows the cost of."""

    def failing(*_: object) -> Cost:
        raise TeacherError("has no engine")

    monkeypatch.setitem(estimate._KINDS, "dense", failing)
    monkeypatch.delitem(estimate._KINDS, "bm25")
    rows = estimated({"bert": BERT})
    assert rows["bert"].cost == Cost(seconds=None, notes=("has no engine",))
    assert rows["bm25"].cost == Cost(seconds=None, notes=("nobody knows what this kind costs",))


def test_every_kind_has_an_estimate() -> None:
    """A kind added to the registry of teachers needs its cost."""
    assert set(estimate._KINDS) == set(TEACHERS)


@given(st.lists(st.text(), max_size=50), st.integers(1, 20))
def test_a_sample_is_even_and_bounded(texts: list[str], most: int) -> None:
    """A sample keeps the order, holds no more than asked for, and all where there are no more."""
    sample = evenly(texts, most)
    assert len(sample) <= most
    assert (sample == texts) or len(texts) > most
    assert sample == texts[:: max(1, -(-len(texts) // most))]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "unknown"),
        (0.04, "0.0 s"),
        (3.21, "3.2 s"),
        (89.0, "89 s"),
        (120, "2.0 min"),
        (7_200, "2.0 h"),
        (864_000, "10 d"),
    ],
)
def test_times_are_readable(seconds: float | None, said: str) -> None:
    """Seconds, minutes, hours and days, with a decimal below ten."""
    assert duration(seconds) == said


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The dry run prints one row a teacher, what it reads, writes and takes, and what it was reckoned with; no file."""
    monkeypatch.setenv("COLUMNS", "140")
    estimated({"bert": BERT})
    files = sorted(Path().rglob("*"))
    print_estimates("docs", parse(read()), tables.entry(), QUERIES, PASSAGES)
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["teacher", "kind", "texts", "tokens", "vectors", "memory", "FLOP", "time"] in shown
    assert any(line[:3] == ["bert", "dense", "440"] for line in shown)
    assert any(line[:3] == ["*", "bm25", "bm25"] for line in shown)
    assert sorted(Path().rglob("*")) == files


def test_the_rate_of_this_machine() -> None:
    """Products are measured in a moment, in each dtype, and float32 is always native."""
    machine = Measured(Runtime(device="cpu"))
    assert machine.rate("float32") > 1e8
    assert machine.rate("float32") == machine.rate("float32")
    assert machine.is_native("float32")
    assert isinstance(machine.is_native("bfloat16"), bool)
