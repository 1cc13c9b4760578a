"""Tests of the registry embedder.judges, and of what is said of asking."""

import subprocess
import sys

import numpy as np
import pytest

from embedder.judges import JUDGES, Answers, Cost
from embedder.judges.reports import answers_report, cost_line, failed, revision
from embedder.judges.tokens import estimated

_HEAVY = ("torch", "sentence_transformers", "transformers")


def test_judges_load_no_models_when_they_are_imported() -> None:
    """Reading params.yaml imports a judge's module, which must not take seconds."""
    script = f"import sys, {', '.join(JUDGES.values())}\nprint(*(name for name in {_HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (Cost(4, 4, 0), "4 pairs, 4 of them answered before"),
        (
            Cost(4000, 1, 5000),
            "4,000 pairs, 1 of them answered before; about 5,000 tokens for the others, at an unknown price",
        ),
        (Cost(4, 0, 50, 1.234), "4 pairs, 0 of them answered before; about 50 tokens for the others, for 1.23"),
    ],
)
def test_a_cost_is_one_line(cost: Cost, said: str) -> None:
    """Pairs, what is stored, and for the rest tokens and money, if anybody knows."""
    assert cost_line(cost) == said


def test_answers_add_up() -> None:
    """All pairs are answered, failed by reason, or not asked about."""
    scores = np.array([1, np.nan, np.nan, np.nan, 0], np.float32)
    answers = Answers(scores, {"refused": np.array([3]), "no_json": np.array([], np.int64)}, {"stale": 2})
    assert answers_report(answers, {"a": 1}) == {
        "revision": revision({"a": 1}),
        "pairs": {"all": 5, "answered": 2, "failed": {"no_json": 0, "refused": 1}, "not_asked": 2},
        "stale": 2,
    }
    assert failed(answers).tolist() == [3]
    assert revision({"a": 1}) != revision({"a": 2})


def test_tokens_are_estimated_from_bytes() -> None:
    """Four letters are a token, and a character of three bytes nearly one."""
    assert [estimated(text) for text in ("", "word", "words", "日本語文")] == [0, 1, 2, 3]
