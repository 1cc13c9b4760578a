"""Relevant passages planted in made-up text: does the whole chain, from run to estimate, find how many were kept?"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from embedder import mining, schemas, teachers
from embedder.candidates import Filtering
from embedder.contamination.controls import Known, with_controls
from embedder.contamination.estimate import Contamination, estimate
from embedder.contamination.evidence import Evidence, Found, Pairs
from embedder.contamination.sample import Draw, strata
from embedder.judged import index
from embedder.teachers.bm25 import Options
from tests import tables
from tests.contamination.leaks import answered, leak

QUERIES, OTHERS, DEPTH = 60, 900, 40
_BM25 = {"kind": "bm25", "method": "lucene", "k1": 1.5, "b": 0.75, "delta": 0.5, "stem": False, "stop_words": False}


@dataclass(frozen=True)
class Kept:
    """What is left of a run, what is relevant of it, and what is needed to draw a sample."""

    query_ids: pa.Array
    passage_ids: pa.Array
    stratum: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    relevant: set[tuple[str, str]]
    known: Known
    found: Found

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The kept pairs."""
        return list(zip(self.query_ids.to_pylist(), self.passage_ids.to_pylist(), strict=True))

    @property
    def truth(self) -> float:
        """The share that is relevant."""
        return float(np.mean([pair in self.relevant for pair in self.pairs]))


def _planted(copies: int, *, edited: bool = True) -> Kept:
    """Plant so many copies of each query's positive, mine with BM25, and keep all that is no positive.

    Args:
        copies: of each positive.
        edited: whether three words in ten are others.
    """
    draw = np.random.default_rng(7)
    words = np.array([f"w{i}" for i in range(400)])
    text = {f"o{i:03}": " ".join(draw.choice(words, 30)) for i in range(OTHERS)}
    queries, grades, relevant = {}, [], set()
    for i in range(QUERIES):
        name, positive = f"q{i:02}", draw.choice(words, 30)
        queries[name], text[f"{name}-positive"] = " ".join(positive[:6]), " ".join(positive)
        grades.append((name, f"{name}-positive", 1.0))
        for j in range(copies):
            other = np.where(draw.random(30) < 0.3 * edited, draw.choice(words, 30), positive)
            text[f"{name}-copy-{j}"] = " ".join(other)
            relevant.add((name, f"{name}-copy-{j}"))
    asked, corpus, entry = tables.queries(queries), tables.corpus(text), tables.entry()
    ids = corpus["passage_id"].to_pylist()
    teacher = teachers.build(Options.model_validate(_BM25), teachers.Corpus(ids, [text[one] for one in ids]))
    mined = mining.mine(teacher, asked, ids, tables.qrels(grades), entry, DEPTH, "bm25", "mine")
    filtering = Filtering(asked, corpus, mined.judged, pa.array([], pa.string()), entry, tables.rules())
    (block,) = filtering.blocks(mined.run.to_batches(), mined.run.num_rows + 1)
    kept = np.flatnonzero(block.refused_by == 0)
    query, passage = block.query[kept], block.passage[kept]
    judged = Pairs(
        index(mined.judged["query_id"], filtering.query_ids), index(mined.judged["passage_id"], filtering.passage_ids)
    )
    assert filtering.shingles is not None
    found = Evidence(filtering.query_texts, judged, filtering.shingles, "word", 2, None).of(query, passage)
    candidates = block.candidates
    return Kept(
        filtering.query_ids.take(pa.array(query)),
        filtering.passage_ids.take(pa.array(passage)),
        strata(
            candidates.rank[kept],
            candidates.score[kept],
            candidates.positive_score[kept],
            candidates.scale,
            found.suspicious,
        ),
        relevant,
        Known(mined.judged, mined.judged, filtering.passage_ids),
        found,
    )


def _estimated(of: Kept, seed: int) -> Contamination:
    """Draw a sample, and have it answered by a judge of sensitivity 0.9 and specificity 0.97."""
    settings = leak(seed=seed, sample=300, controls=150)
    draw = Draw(settings)
    draw.add(of.query_ids, of.passage_ids, of.stratum)
    sample = with_controls(draw.kept(), of.known, settings)
    pairs = zip(sample["query_id"].to_pylist(), sample["passage_id"].to_pylist(), strict=True)
    positives = np.array(sample["kind"].to_pylist()) == "positive"
    truth = np.array([pair in of.relevant for pair in pairs]) | positives
    generator = np.random.default_rng([seed, 5])
    return estimate(answered(sample, truth, (0.9, 0.97), generator, fails=0.02), settings)


def _coverage(of: Kept, studies: int = 60) -> tuple[float, float, float]:
    """Return how often the corrected interval covers the truth, how often the uncorrected does, and the mean estimate."""
    corrected = uncorrected = 0
    estimates = []
    for seed in range(studies):
        found = _estimated(of, seed)
        assert found.share is not None
        assert found.observed is not None
        corrected += found.share.interval.low <= of.truth <= found.share.interval.high
        uncorrected += found.observed.low <= of.truth <= found.observed.high
        estimates.append(found.share.interval.estimate)
    return corrected / studies, uncorrected / studies, float(np.mean(estimates))


def test_where_nothing_is_planted_nothing_is_claimed() -> None:
    """Without planted passages the interval reaches 0 and only a bound is stated; the judge's word alone claims some."""
    kept = _planted(0)
    assert kept.truth == 0
    corrected, uncorrected, _ = _coverage(kept)
    assert corrected >= 0.93
    assert uncorrected == 0
    assert np.mean([_estimated(kept, seed).upper_only for seed in range(40)]) >= 0.93


def test_what_is_planted_is_found() -> None:
    """With a twelfth of the candidates planted, the interval covers the truth and the estimates centre on it."""
    kept = _planted(3)
    assert 0.05 < kept.truth < 0.1
    corrected, uncorrected, centre = _coverage(kept)
    assert corrected >= 0.93
    assert uncorrected < 0.85
    assert abs(centre - kept.truth) < 0.01


def test_evidence_finds_exact_copies_and_nothing_else() -> None:
    """Every exact copy among the kept is evidence of a copy; where nothing is planted there is none."""
    kept = _planted(2, edited=False)
    assert kept.found.any.tolist() == [pair in kept.relevant for pair in kept.pairs]
    assert kept.found.kinds["copy"].sum() == 2 * QUERIES
    assert not _planted(0).found.any.any()


def test_the_table_is_that_of_the_schema() -> None:
    """What is drawn of a real run is a table `sample`."""
    kept = _planted(1)
    draw = Draw(leak())
    draw.add(kept.query_ids, kept.passage_ids, kept.stratum)
    sample = with_controls(draw.kept(), kept.known, leak())
    schemas.check(schemas.SAMPLE, sample, "the sample")
    assert sample["kind"].to_pylist().count("kept") == 200
