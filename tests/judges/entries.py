"""Entries of judges, and pairs to ask them about."""

from typing import Any

from embedder.judges import Pairs, Subject
from embedder.params.runtime import Runtime

SUBJECT = Subject("docs", "Find it.")
RUNTIME = Runtime(device="cpu", threads=1)


def llm(url: str, **changes: object) -> dict[str, Any]:
    """Return the entry of a served language model."""
    return {
        "kind": "llm",
        "url": url,
        "model": "small",
        "revision": "2026-01-01",
        "api_key_env": None,
        "concurrency": 4,
        "timeout": 5.0,
        "retries": 1,
        "licence": "CC0-1.0",
        "threshold": 2,
        "threshold_percentile": None,
        "action": "drop",
        "top": None,
        "temperature": 0.0,
        "max_characters": 4000,
        "answer_tokens": 20,
        "max_failed_share": 1.0,
        "price_prompt": 1.0,
        "price_completion": 10.0,
        "max_tokens": None,
        "max_cost": None,
        **changes,
    }


def pairs(count: int) -> Pairs:
    """Return pairs of three queries and as many passages as pairs."""
    numbers = range(count)
    return Pairs(
        [f"q{i % 3}" for i in numbers],
        [f"p{i}" for i in numbers],
        [f"query {i % 3}" for i in numbers],
        [f"passage {i}" for i in numbers],
    )
