"""A made-up mined dataset in data/ of the working folder, and the page of it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embedder import layout, schemas
from embedder.filters import BIT, VERDICTS, verdicts
from embedder.leak.rows import Row, write_csv
from embedder.params.models import Dataset
from embedder.report.dataset import Section
from embedder.report.page import render
from embedder.report.sections import section
from tests import tables

HOSTILE = (
    "</script><script>alert(1)</script><!--<script>",
    "<img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>\"'&amp;",
    "\u202eright to left\u2066 never closed",
    "a\x00b\x1b[31m\u2028\u2029\ufeff",
    "مرحبا بالعالم",
)
_WORDS = ("fold", "carry", "matrix", "vector", "graph", "table", "draw", "join", "note", "pack", "open", "bend")
RESULT = {
    "name": "faq",
    "dataset": "faq",
    "task": "retrieval",
    "metric": "nDCG@10",
    "queries": "1000",
    "base": "0.4",
    "tuned": "0.41",
    "bm25": "0.5",
    "difference": "0.01",
    "low": "-0.002",
    "high": "0.022",
    "outcome": "not resolvable here",
    "needed": "2345",
    "note": "a note",
}
WHOLE = RESULT | {"name": "all retrieval", "dataset": "", "outcome": "better", "needed": "", "note": ""}


def write_dataset(name: str = "faq", queries: int = 3, depth: int = 12, texts: Sequence[str] = ()) -> None:
    """Write the tables of ingest and judge: query i finds i's words; its first candidate is its positive.

    The second candidate is a near copy of the positive, the third comes before the window, the last has the judge's
    veto; all others are kept. `texts` are the first passages, and the first queries.
    """
    rng = np.random.default_rng(queries)
    vocabulary = [f"{word}{number}" for word in _WORDS for number in range(40)]
    words = [" ".join(rng.choice(vocabulary, 12)) for _ in range(queries * 2 + depth)]
    corpus = {f"p{i:05}": text for i, text in enumerate([*texts, *words[len(texts) :]])}
    for i in range(queries):
        corpus[f"p{queries + i:05}"] = f"{corpus[f'p{i:05}']} again"
    asked = {f"q{i:05}": texts[i] if i < len(texts) else f"{_WORDS[i % 12]} number {i}" for i in range(queries)}
    folder = layout.folder("ingest", name)
    schemas.write(folder / "queries.parquet", schemas.QUERIES, tables.queries(asked))
    schemas.write(folder / "corpus.parquet", schemas.CORPUS, tables.corpus(corpus))
    _write_judged(name, queries)
    _write_candidates(name, queries, depth, list(corpus))


def _write_judged(name: str, queries: int) -> None:
    positives = [(f"q{i:05}", f"p{i:05}", 1.0, 10.0 - i % 7, 1, 0.9, i % 5 == 4) for i in range(queries)]
    beyond = ("q00000", f"p{2 * queries:05}", 1.0, None, None, None, False)
    data = schemas.from_rows(schemas.JUDGEMENTS, [*positives, beyond])
    schemas.write(layout.table("judge", name, "judged"), schemas.JUDGEMENTS, data)


def _write_candidates(name: str, queries: int, depth: int, passages: Sequence[str]) -> None:
    refused = np.zeros(depth, dtype=np.int32)
    refused[:3] = BIT["is_positive"], BIT["duplicates_positive"] | BIT["before_rank_window"], BIT["before_rank_window"]
    refused[-1] = BIT["judge_says_relevant"]
    named = [VERDICTS[verdict] for verdict in verdicts(refused).tolist()]
    rows = []
    for i in range(queries):
        top = 10.0 - i % 7
        found = [i, queries + i, *((i + 1 + place) % queries for place in range(depth - 2))]
        for place, passage in enumerate(found):
            score = top - 0.25 * place
            judge = None if refused[place] and place < depth - 1 else 0.05 * place
            relevance = 1.0 if place == 0 else None
            cells = (f"q{i:05}", place + 1, passages[passage], score, relevance, top, top - score)
            rows.append((*cells, named[place], int(refused[place]), judge, 0.9))
    made_by = tables.MADE_BY | {"window": "3-100 without_positives", "judge": "reranker", "depth": str(depth)}
    data = schemas.from_rows(schemas.JUDGED_CANDIDATES, rows).replace_schema_metadata(schemas.stored(made_by))
    schemas.write(layout.table("judge", name, "candidates"), schemas.JUDGED_CANDIDATES, data)


def write_reports(name: str = "faq") -> None:
    """Write what the filter, the judge and materialize report."""
    lower = {
        "kept": 24,
        "judged": 2,
        "evidence": {"copy": 0, "same_query": 2},
        "any": 2,
        "lower": 2 / 24,
        "low": 0.01,
        "high": 0.2,
    }
    filtered = {
        "known_false_negatives": [{"min_rank": 1, "max_rank": 10, "draws": 7, "rows": 50, "share": 0.125}],
        "rules_without_data": ["near_copy_cosine"],
        "contamination": lower | {"words": "a lower bound"},
    }
    stored = {
        "rows": 3,
        "queries": {"mined": 4, "stored": 3, "short": 1, "dropped": {"too_few_negatives": 1}},
        "rows_with_relabelled_positive": 5,
        "passages_dropped": {"negative_near_dev": 7},
        "candidates_passed_over": {"margin_too_small_for_row": 11, "over_max_reuse": 0},
        "negatives": {"per_row": {"7": 1, "15": 2}},
    }
    for path, content in (
        (layout.report("filter", name), filtered),
        (layout.report("judge", name), judge()),
        (layout.report("materialize"), {name: stored}),
        (layout.MANIFEST, {"materialize": {"sampling": "random"}}),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    write_csv(layout.folder("filter", name) / "leak.csv", leak())


def judge(**changes: object) -> dict[str, object]:
    """Return what the judge reports."""
    counts = {
        "candidates": 36,
        "kept_before": 27,
        "judged": 22,
        "failed": 3,
        "not_asked": 2,
        "judged_negatives": 1,
        "relevant": 6,
        "near_copies_of_relevant": 4,
        "relabelled": 5,
        "kept_after": 17,
    }
    said = {"judge": "reranker", "kind": "cross-encoder", "threshold": 0.75, "action": "relabel", "counts": counts}
    return said | {"contamination": judged(), "words": ["margins are not asked again"]} | changes


def judged(**changes: object) -> dict[str, object]:
    """Return what a judge's labels say of contamination."""
    share = {"estimate": 0.02, "low": 0.004, "high": 0.05}
    found = {
        "asked": {"kept": {"labels": 500, "failed": 3}, "random": {"labels": 200, "failed": 0}},
        "observed": share,
        "sensitivity": {"estimate": 0.82, "low": 0.76, "high": 0.87},
        "specificity": {"estimate": 0.985, "low": 0.96, "high": 0.996},
        "contamination": share,
        "upper": 0.043,
        "upper_only": False,
        "resolves": 0.012,
        "cannot_tell": None,
        "words": ["specificity is measured on random passages"],
    }
    return found | changes


def leak() -> list[Row]:
    """Return a current setting with two kinds of positives, and a margin that cannot be tested."""
    strata = [("all", 40, 0.088, 0.07, 0.11), ("rank 1", 30, 0.0, 0.0, 0.05), ("twins 0", 10, None, None, None)]
    other = row("1-10", "all", 40, 0.6, 0.5, 0.7)
    untested = row("relative 0.05", "all", 40, None, None, None)
    return [*(row("current", *stratum) for stratum in strata), other, untested]


def row(setting: str, stratum: str, positives: int, share: float | None, low: float | None, high: float | None) -> Row:
    """Return a row of leak.csv; a share of None cannot be known."""
    margin = 0.05 if setting.startswith("relative") else None
    last = 10 if setting == "1-10" else 100
    unknown = positives if share is None else 0
    shares = (share, low, high) * 4
    return Row(
        setting, 1, last, "without_positives", None, margin, None, "lowest", setting == "current", stratum, positives, positives,
        unknown, *shares, 49.0, 0.01, 0.26, 0.33,
    )  # fmt: skip


def read_section(name: str = "faq", queries: int = 100, entry: Dataset | None = None) -> Section:
    """Read the section of a dataset that was written."""
    return section(name, entry or tables.entry(), queries)


def write_page(path: Path, sections: Sequence[Section]) -> Path:
    """Write the page of some datasets."""
    path.write_text(render([RESULT, WHOLE], sections, "bm25", "offline"), encoding="utf-8")
    return path
