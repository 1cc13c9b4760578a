"""Made-up mined datasets, and the rules written out in plain Python, without the code that applies them.

Scores and grades are eighths, so that equal to a bound means equal; some texts are equal once they are normalised.
"""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from embedder import schemas
from embedder.candidates import Filtering
from embedder.params.models import Dataset, Filter
from tests import tables

# In the order in which the first refusal is named.
ORDER = (
    "is_positive",
    "same_text_as_query",
    "held_out",
    "duplicates_positive",
    "before_rank_window",
    "after_rank_window",
    "score_too_high",
    "score_too_low",
    "margin_too_small",
)
POSITIVE_AT, NEGATIVE_AT = 0.7, 0.25
PASSAGES = [f"p{i}" for i in range(9)]


@dataclass(frozen=True)
class Query:
    """One query: its text, its run, best first, with scores, and of what is judged the grade and the score.

    Attributes:
        text: of the query.
        run: (rank, passage, score); ranks may have gaps, where judged passages lie deeper than the run.
        judged: passage -> grade, score; None for a score that the teacher did not give.
        cosines: passage -> cosine of the closest positive, of the run's passages that are none.
    """

    text: str
    run: list[tuple[int, str, float]]
    judged: dict[str, tuple[float, float | None]]
    cosines: dict[str, float] = field(default_factory=dict)

    @property
    def positives(self) -> dict[str, float | None]:
        """Passage -> score."""
        return {p: score for p, (grade, score) in self.judged.items() if grade >= POSITIVE_AT}


@dataclass(frozen=True)
class Mined:
    """A dataset's queries, texts, and the passages that dev queries have as positives."""

    queries: dict[str, Query]
    texts: dict[str, str]
    held_out: list[str]

    @property
    def scale(self) -> list[float]:
        """The known scores of all positives."""
        found = (score for query in self.queries.values() for score in query.positives.values())
        return sorted(score for score in found if score is not None)


def entry() -> Dataset:
    """Return the entry of such a dataset; a grade of 0.7 is no eighth, and is stored as float32."""
    return tables.entry(positive_at=POSITIVE_AT, negative_at=NEGATIVE_AT)


def tables_of(mined: Mined, order: int | None = None) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    """Return the tables run, judged, queries and corpus; `order` shuffles the rows of the last two."""
    ranks = {(q, p): rank for q, query in mined.queries.items() for rank, p, _ in query.run}
    judged = (
        (q, p, *said, ranks.get((q, p))) for q, query in mined.queries.items() for p, said in query.judged.items()
    )
    return (
        tables.run((q, *row) for q, query in mined.queries.items() for row in query.run),
        tables.judged(judged),
        _shuffled(tables.queries({q: query.text for q, query in mined.queries.items()}), order),
        _shuffled(tables.corpus(mined.texts), order),
    )


def filtered(mined: Mined, rules: Filter, folder: Path) -> list[dict[str, Any]]:
    """Return the rows of table `candidates`, made in small blocks."""
    return [row for block in blocks(mined, rules, folder) for row in block]


def blocks(
    mined: Mined, rules: Filter, folder: Path, rows: int = 5, order: int | None = None
) -> list[list[dict[str, Any]]]:
    """Return the rows of table `candidates`, block by block.

    Args:
        mined: the dataset.
        rules: of the filter.
        folder: where the cosines are written.
        rows: of a block.
        order: a seed that shuffles the rows of queries, of the corpus and of the cosines; None for sorted.
    """
    run, judged, queries, corpus = tables_of(mined, order)
    held_out = pa.array(mined.held_out, pa.string())
    cosines = None if rules.near_copy_cosine is None else _cosines(mined, folder, order)
    filtering = Filtering(queries, corpus, judged, held_out, entry(), rules, cosines)
    return [block.table.to_pylist() for block in filtering.blocks(run.to_batches(max_chunksize=rows), rows)]


def _cosines(mined: Mined, folder: Path, order: int | None) -> Path:
    path, of = folder / "cosines.parquet", mined.queries.items()
    pairs = [(q, p, "", min(query.positives), cosine) for q, query in of for p, cosine in query.cosines.items()]
    schemas.write(path, schemas.COSINES, _shuffled(schemas.from_rows(schemas.COSINES, pairs), order))
    return path


def _shuffled(table: pa.Table, order: int | None) -> pa.Table:
    return table if order is None else table.take(pa.array(np.random.default_rng(order).permutation(table.num_rows)))


def refusing(mined: Mined, query_id: str, row: tuple[int, str, float], rules: Filter) -> set[str]:
    """Return the names of all rules that refuse one row, each as DESIGN and params.yaml put it into words."""
    query, (rank, passage, score) = mined.queries[query_id], row
    grade = query.judged.get(passage, (None, None))[0]
    said = {
        "is_positive": passage in query.positives,
        "same_text_as_query": plain(mined.texts[passage]) == plain(query.text),
        "held_out": passage in mined.held_out,
        "duplicates_positive": passage not in query.positives and _is_near(mined, query, passage, rules),
    }
    # Judged negatives need no guess.
    if grade is None or grade > NEGATIVE_AT:
        said |= _window(query, rank, rules) | _scores(mined, score, rules)
        said["margin_too_small"] = too_close(score, _reference(query, rules), mined.scale, rules)
    return {name for name, refused in said.items() if refused}


def plain(text: str) -> str:
    """Return the form in which texts are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_near(mined: Mined, query: Query, passage: str, rules: Filter) -> bool:
    if rules.near_copy_cosine is not None and query.cosines.get(passage, -2.0) >= rules.near_copy_cosine:
        return True
    if rules.near_copy_jaccard is None:
        return False
    mine = _shingles(mined.texts[passage], rules.near_copy_size)
    theirs = [_shingles(mined.texts[positive], rules.near_copy_size) for positive in query.positives]
    return any(len(mine & one) / len(mine | one) >= rules.near_copy_jaccard for one in theirs)


def _shingles(text: str, size: int) -> set[tuple[str, ...]]:
    words = plain(text).split()
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


def _window(query: Query, rank: int, rules: Filter) -> dict[str, bool]:
    if rules.counted == "without_positives":
        rank -= sum(other < rank and passage in query.positives for other, passage, _ in query.run)
    return {
        "before_rank_window": rules.min_rank is not None and rank < rules.min_rank,
        "after_rank_window": rules.max_rank is not None and rank > rules.max_rank,
    }


def _scores(mined: Mined, score: float, rules: Filter) -> dict[str, bool]:
    most = [
        bound for bound in (rules.max_score, at_share(mined.scale, rules.max_score_percentile)) if bound is not None
    ]
    least = [
        bound for bound in (rules.min_score, at_share(mined.scale, rules.min_score_percentile)) if bound is not None
    ]
    return {
        "score_too_high": any(score > bound for bound in most),
        "score_too_low": any(score < bound for bound in least),
    }


def at_share(scale: list[float], percent: float | None) -> float | None:
    """Return a percentile of ascending numbers, on the line between its two neighbours; None of nothing."""
    if percent is None or not scale:
        return None
    place = percent / 100 * (len(scale) - 1)
    below = int(place)
    above = min(below + 1, len(scale) - 1)
    return scale[below] + (scale[above] - scale[below]) * (place - below)


def _reference(query: Query, rules: Filter) -> float | None:
    scores = list(query.positives.values())
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return None
    return max(known) if rules.reference == "own" else min(known)


def too_close(score: float, positive: float | None, scale: list[float], rules: Filter) -> bool:
    """Say whether a margin refuses a score beside that of a positive, None for unknown."""
    if positive is None:
        return False
    if rules.absolute_margin is not None and not score <= positive - rules.absolute_margin:
        return True
    if rules.relative_margin is not None and not score <= positive - abs(positive) * rules.relative_margin:
        return True
    if rules.percentile_margin is None or not scale:
        return False
    shares = [sum(one <= value for one in scale) / len(scale) for value in (score, positive)]
    return not shares[0] <= shares[1] * (1 - rules.percentile_margin)


_EIGHTHS = st.integers(-8, 16).map(lambda value: value / 8)
# Equal in twos and threes once normalised: full-width letters, case, white space.
_TEXTS = ["a b c", "A  b\tC", "\uff41 b c", "a b d", "x y", "X y ", "a b c d", "e", "", "a b c e"]
_GRADES = st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0, 2.0])


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    retrieved = draw(st.lists(st.tuples(st.sampled_from(PASSAGES), _EIGHTHS), unique_by=lambda row: row[0]))
    ordered = sorted(retrieved, key=lambda row: (-row[1], row[0]))
    # A gap where the run ends and a judged passage lies deeper.
    gap_at, gap = draw(st.integers(0, 9)), draw(st.sampled_from([0, 0, 5]))
    run = [(place + 1 + (gap if place >= gap_at else 0), *row) for place, row in enumerate(ordered)]
    scores = dict(retrieved)
    judged = {draw(st.sampled_from(PASSAGES)): 1.0} | draw(
        st.dictionaries(st.sampled_from(PASSAGES), _GRADES, max_size=4)
    )
    if all(grade < POSITIVE_AT for grade in judged.values()):
        judged[next(iter(judged))] = POSITIVE_AT
    graded = {p: (grade, scores[p] if p in scores else draw(st.none() | _EIGHTHS)) for p, grade in judged.items()}
    query = Query(draw(st.sampled_from([*_TEXTS, "nothing like it"])), run, graded)
    asked = [p for _, p, _ in run if p not in query.positives]
    return Query(query.text, run, graded, {p: draw(st.sampled_from([-0.5, 0.5, 0.75, 1.0])) for p in asked})


@st.composite
def datasets(draw: st.DrawFn) -> Mined:
    """Up to four queries over nine passages."""
    queries = {f"q{i}": draw(_queries()) for i in range(draw(st.integers(1, 4)))}
    texts = {passage: draw(st.sampled_from(_TEXTS)) for passage in PASSAGES}
    return Mined(queries, texts, draw(st.lists(st.sampled_from(PASSAGES), max_size=3, unique=True)))


@st.composite
def rule_sets(draw: st.DrawFn, /, **fixed: object) -> Filter:
    """Any settings of the filter; `fixed` ones as they are."""
    least, width = draw(st.none() | st.integers(1, 6)), draw(st.none() | st.integers(0, 6))
    quarters = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
    percents = st.none() | st.sampled_from([0.0, 25.0, 50.0, 75.0, 100.0])
    drawn: dict[str, Any] = {
        "min_rank": least,
        "max_rank": None if width is None else (least or 1) + width,
        "counted": draw(st.sampled_from(["without_positives", "raw"])),
        "max_score": draw(st.none() | _EIGHTHS),
        "min_score": draw(st.none() | _EIGHTHS),
        "max_score_percentile": draw(percents),
        "min_score_percentile": draw(percents),
        "absolute_margin": draw(st.none() | st.sampled_from([-0.25, 0.0, 0.25, 0.5])),
        "relative_margin": draw(quarters),
        "percentile_margin": draw(quarters),
        "reference": draw(st.sampled_from(["lowest", "own"])),
        "near_copy_jaccard": draw(st.none() | st.sampled_from([0.25, 0.5, 1.0])),
        "near_copy_size": draw(st.integers(1, 3)),
        "near_copy_cosine": draw(st.none() | st.sampled_from([0.5, 0.75, 1.0])),
    }
    for lower, upper in (("min_score", "max_score"), ("min_score_percentile", "max_score_percentile")):
        low, high = drawn[lower], drawn[upper]
        if low is not None and high is not None and low > high:
            drawn |= {lower: high, upper: low}
    return tables.rules(**(drawn | fixed))
