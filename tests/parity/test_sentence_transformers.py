"""Our rules in sentence-transformers' order choose what the installed `mine_hard_negatives` chooses.

Its order: positives masked, margins, score bounds, survivors ranked anew, the first `range_min` of them dropped, an end
at `range_max`, the best n. Where the product's own rules differ on purpose, both are stated.
"""

from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder.sampling import draw
from embedder.search.pairs import pair_scores
from tests import tables
from tests.parity.composed import passing, ranked, ranked_anew
from tests.search.vectors import unit

Floats = NDArray[np.float32]
Positives = Sequence[Sequence[int]]


class Given:
    """A model that returns given vectors, as far as `mine_hard_negatives` asks one."""

    device = torch.device("cpu")

    def __init__(self, vectors: Mapping[str, Floats]) -> None:
        self._vectors = vectors

    def encode_document(self, texts: Sequence[str], **_: object) -> Floats:
        """Return the vectors of passages."""
        return np.stack([self._vectors[text] for text in texts])

    encode_query = encode_document

    def get_embedding_dimension(self) -> int:
        """Return how long they are."""
        return len(next(iter(self._vectors.values())))

    def similarity(self, left: Any, right: Any) -> torch.Tensor:  # noqa: ANN401 - arrays or tensors
        """Return all inner products."""
        return torch.as_tensor(left) @ torch.as_tensor(right).T

    def similarity_pairwise(self, left: Any, right: Any) -> torch.Tensor:  # noqa: ANN401 - as above
        """Return the inner products row by row."""
        return (torch.as_tensor(left) * torch.as_tensor(right)).sum(-1)


@dataclass(frozen=True)
class Setting:
    """What `mine_hard_negatives` is told."""

    range_max: int
    num_negatives: int
    range_min: int = 0
    max_score: float | None = None
    min_score: float | None = None
    absolute_margin: float | None = None
    relative_margin: float | None = None


def _mined(queries: Floats, passages: Floats, positives: Positives, setting: Setting, **more: Any) -> Any:  # noqa: ANN401 - a Dataset
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    texts = {f"q{i}": vector for i, vector in enumerate(queries)} | {f"{i}": one for i, one in enumerate(passages)}
    rows = [(f"q{query}", f"{passage}") for query, of in enumerate(positives) for passage in of]
    asked = Dataset.from_dict({"query": [query for query, _ in rows], "positive": [one for _, one in rows]})
    corpus = [f"{i}" for i in range(len(passages))]
    model: Any = Given(texts)
    # Its bars are many lines where a test fails.
    with redirect_stderr(StringIO()):
        return mine_hard_negatives(asked, model, corpus=corpus, **({"verbose": False} | vars(setting) | more))


def _theirs(
    queries: Floats, passages: Floats, positives: Positives, setting: Setting, *, faiss: bool = False
) -> list[list[int]]:
    """Return their negatives of each query, best first."""
    found = _mined(queries, passages, positives, setting, output_format="labeled-pair", use_faiss=faiss)
    out: list[list[int]] = [[] for _ in positives]
    for row in found:
        if not row["label"]:
            out[int(row["query"][1:])].append(int(row["positive"]))
    return out


def _of_scores(scores: Floats, positives: Positives, setting: Setting, *, faiss: bool = False) -> list[list[int]]:
    """Return theirs for given scores [queries, passages]: with a dimension a query, vectors have exactly these."""
    return _theirs(
        np.eye(len(scores), dtype=np.float32), np.ascontiguousarray(scores.T), positives, setting, faiss=faiss
    )


def _ours(scores: Floats, positives: Positives, setting: Setting) -> list[list[int]]:
    """Return ours in their order; every query retrieves as many more as any query has positives."""
    bounds = ("max_score", "min_score", "absolute_margin", "relative_margin")
    scoring = tables.rules(**{name: getattr(setting, name) for name in bounds})
    window = tables.rules(min_rank=setting.range_min + 1, max_rank=setting.range_max, counted="raw")
    out = []
    for row, known in zip(scores, positives, strict=True):
        best, asked = ranked(row, known, setting.range_max + max(map(len, positives)))
        kept = passing(asked, scoring, "is_positive", "margin_too_small", "score_too_high", "score_too_low")
        survivors = ranked_anew(asked, kept)
        kept = kept[passing(survivors, window, "before_rank_window", "after_rank_window")]
        judged = np.zeros(len(kept), bool)
        chosen = kept[draw(judged, asked.score[kept], setting.num_negatives, "top", 0, "q")]
        out.append(best[chosen].tolist())
    return out


def _product(scores: Floats, positives: Sequence[int], depth: int, **rules: object) -> list[int]:
    """Return what all rules at once keep of one query."""
    best, asked = ranked(scores, positives, depth)
    kept: list[int] = best[passing(asked, tables.rules(**rules))].tolist()
    return kept


def _halves(least: int, most: int) -> st.SearchStrategy[float]:
    """Sixty-fourths: in float32, sums and products of two of them are exact, so what is equal to a cutoff stays so."""
    return st.integers(least, most).map(lambda value: value / 64)


@st.composite
def _cases(draw_: st.DrawFn) -> tuple[Floats, list[list[int]], Setting]:
    queries, passages = draw_(st.integers(1, 4)), draw_(st.integers(4, 40))
    positives = st.lists(st.integers(0, passages - 1), min_size=1, max_size=3, unique=True)
    # Few levels tie often, a permutation never.
    levels = _halves(-64, 64) if draw_(st.booleans()) else _halves(-4, 4)
    tied = st.lists(levels, min_size=passages, max_size=passages)
    apart = st.permutations(range(passages)).map(lambda row: [(2 * value - passages) / 64 for value in row])
    scores = [draw_(st.one_of(tied, apart)) for _ in range(queries)]
    range_min, most = draw_(st.integers(0, 6)), draw_(st.integers(1, 6))
    setting = Setting(
        range_max=range_min + most + draw_(st.integers(0, 20)),
        num_negatives=most,
        range_min=range_min,
        max_score=draw_(st.none() | _halves(-16, 64)),
        # Bounds that cross are a mistake here, and leave nothing there.
        min_score=draw_(st.none() | _halves(-64, -16)),
        absolute_margin=draw_(st.none() | _halves(-4, 16)),
        relative_margin=draw_(st.none() | _halves(0, 16)),
    )
    return np.array(scores, np.float32), [draw_(positives) for _ in range(queries)], setting


@pytest.mark.parametrize("faiss", [False, True])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=_cases())
def test_ours_in_their_order_are_theirs(case: tuple[Floats, list[list[int]], Setting], *, faiss: bool) -> None:
    """The same scores in the same order; the same passages where no two scores of a query are equal.

    Which of equal scores come first, theirs leaves to topk. Where they tie at the end of what a query retrieves, it is
    open which positives are among them, so such a query is not compared.
    """
    scores, positives, setting = case
    ours = _ours(scores, positives, setting)
    try:
        theirs = _of_scores(scores, positives, setting, faiss=faiss)
    except ZeroDivisionError:
        # See test_theirs_fails_where_a_margin_and_min_score_leave_nothing.
        assert setting.min_score is not None
        assert ours == [[]] * len(scores)
        return
    depth = setting.range_max + max(map(len, positives))
    for row, their, our in zip(scores, theirs, ours, strict=True):
        down = np.sort(row)[::-1]
        if depth < len(row) and down[depth - 1] == down[depth]:
            continue
        assert row[their].tolist() == row[our].tolist()
        if len(np.unique(row)) == len(row):
            assert their == our


@pytest.mark.parametrize("faiss", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_ours_in_their_order_are_theirs_on_random_vectors(seed: int, *, faiss: bool) -> None:
    """Of vectors of length 1 whose scores round, as those of models do, the same passages are chosen."""
    draws = np.random.default_rng(seed)
    queries, passages = unit(20, 24, seed), unit(400, 24, seed + 100)
    positives = [sorted(draws.choice(400, draws.integers(1, 4), replace=False).tolist()) for _ in range(20)]
    setting = Setting(60, 7, 5, max_score=0.5, min_score=0.1, absolute_margin=0.0 if seed % 2 else None)
    rows, columns = np.indices((20, 400)).reshape(2, -1)
    scores = pair_scores(queries, passages, rows, columns).reshape(20, 400)
    assert _theirs(queries, passages, positives, setting, faiss=faiss) == _ours(scores, positives, setting)


def _raw(first: int, last: int) -> list[int]:
    """Return the passages of the raw ranks `first` to `last`, both included."""
    return list(range(first - 1, last))


# 200 passages with the cosine 1 - i / 400, times 400, so that float32 holds every cutoff exactly: passage i has raw rank i + 1.
SCORES = (400 - np.arange(200, dtype=np.float32))[np.newaxis]
W = Setting(100, 70, 30)


@pytest.mark.parametrize(
    ("positive", "expected"), [(1, _raw(32, 101)), (50, [*_raw(31, 49), *_raw(51, 101)]), (150, _raw(31, 100))]
)
def test_positives_take_no_rank_of_their_window(positive: int, expected: list[int]) -> None:
    """W1 to W3: 70 negatives of ranks 31 to 100 once the positive at raw rank 1, 50 or 150 is masked."""
    assert _of_scores(SCORES, [[positive - 1]], W) == _ours(SCORES, [[positive - 1]], W) == [expected]
    product = _product(SCORES[0], [positive - 1], 200, min_rank=31, max_rank=100)
    assert product == expected


@pytest.mark.parametrize(
    ("margin", "theirs", "raw", "without"), [(0.02, 39, 31, 32), (0.05, 51, 31, 32), (0.10, 71, 41, 41)]
)
def test_their_window_and_margin_stack_and_ours_intersect(margin: float, theirs: int, raw: int, without: int) -> None:
    """W4: theirs drops 30 of what the margin left; the product keeps what both let pass, raw or without positives."""
    setting = Setting(100, 7, 30, relative_margin=margin)
    assert _of_scores(SCORES, [[0]], setting) == _ours(SCORES, [[0]], setting)
    assert _of_scores(SCORES, [[0]], setting)[0][0] == theirs - 1
    for counted, first in (("raw", raw), ("without_positives", without)):
        kept = _product(SCORES[0], [0], 200, min_rank=31, max_rank=100, counted=counted, relative_margin=margin)
        assert kept[0] == first - 1


def test_a_margin_that_leaves_less_than_their_window_drops_leaves_nothing() -> None:
    """B: of 7 retrieved the margin removes 4, the window 2-6 the other 2; the product keeps these two."""
    scores = np.array([[100, 99, 98, 97, 96, 95, 94, 1, 0]], np.float32)
    setting = Setting(6, 4, 2, relative_margin=0.05)
    assert _of_scores(scores, [[0]], setting) == _ours(scores, [[0]], setting) == [[]]
    assert _product(scores[0], [0], 7, min_rank=3, max_rank=6, relative_margin=0.05) == [5, 6]


def test_theirs_depends_on_other_queries_and_the_product_does_not() -> None:
    """N: another query with 40 positives rather than 1 gives q 5 negatives rather than 1, for every search is deeper."""
    both = np.concatenate([SCORES, SCORES[:, ::-1]])
    setting = Setting(20, 5, relative_margin=0.05)
    for positives, expected in (([[0], [0]], _raw(21, 21)), ([[0], list(range(40))], _raw(21, 25))):
        assert _of_scores(both, positives, setting)[0] == _ours(both, positives, setting)[0] == expected
        assert _product(both[0], positives[0], 200, max_rank=20, relative_margin=0.05) == _raw(21, 21)


def test_their_formats_differ_where_a_query_is_short() -> None:
    """F: of 7 survivors where 8 are wanted, n-tuple makes no row and triplet 7; ours leaves it to `on_shortage`."""
    setting, eye = Setting(20, 8, max_score=7.0), np.eye(1, dtype=np.float32)
    scores = np.arange(20, 0, -1, dtype=np.float32)[np.newaxis]
    for how, rows in (("n-tuple", 0), ("triplet", 7)):
        assert len(_mined(eye, scores.T.copy(), [[0]], setting, output_format=how)) == rows
    assert len(_ours(scores, [[0]], setting)[0]) == 7


@pytest.mark.filterwarnings("ignore:std")
def test_their_count_of_skipped_has_masked_positives(capsys: pytest.CaptureFixture[str]) -> None:
    """J: with nothing below `min_score` theirs reports 1 skipped, the positive; ours names it as a positive alone."""
    scores = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4]], np.float32)
    setting = Setting(5, 3, min_score=0.1)
    _mined(np.eye(1, dtype=np.float32), scores.T.copy(), [[0]], setting, verbose=True)
    assert "Skipped 1 potential negatives" in capsys.readouterr().out
    _, asked = ranked(scores[0], [0], 6)
    assert len(passing(asked, tables.rules(min_score=0.1), "score_too_low")) == 6
    assert _of_scores(scores, [[0]], setting) == _ours(scores, [[0]], setting) == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"relative_margin": 0.25}, [3, 4]),
        ({"absolute_margin": 1.0}, [3, 4]),
        ({"absolute_margin": 0.0}, [1, 2, 3, 4]),
        ({"max_score": 3.5}, [2, 3, 4]),
        ({"min_score": 3.0}, [1, 2, 3]),
    ],
)
def test_what_equals_a_cutoff_is_kept(changes: dict[str, Any], kept: list[int]) -> None:
    """Ties: a score equal to the cutoff of a margin or to a bound passes, theirs and ours."""
    scores = np.array([[4, 4, 3.5, 3, 2]], np.float32)
    setting = replace(Setting(4, 4), **changes)
    assert sorted(_of_scores(scores, [[0]], setting)[0]) == _ours(scores, [[0]], setting)[0] == kept
    assert _product(scores[0], [0], 5, **changes) == kept


def test_a_negative_positive_score_lowers_the_cutoff() -> None:
    """Below 0 the margin is subtracted too: of -400 and 0.05 the cutoff is -420, of which equal is kept."""
    scores = np.array([[-400, -380, -419, -420, -421]], np.float32)
    setting = Setting(4, 4, relative_margin=0.05)
    assert _of_scores(scores, [[0]], setting) == _ours(scores, [[0]], setting) == [[3, 4]]
    assert _product(scores[0], [0], 5, relative_margin=0.05) == [3, 4]


def test_theirs_fails_where_a_margin_and_min_score_leave_nothing() -> None:
    """Its share of skipped divides by what the margin left, here 0 since no positive is retrieved; ours has no negatives."""
    scores = np.array([[3, 2, 1]], np.float32)
    setting = Setting(1, 1, min_score=0.0, absolute_margin=0.5)
    with pytest.raises(ZeroDivisionError):
        _of_scores(scores, [[2]], setting)
    assert _ours(scores, [[2]], setting) == [[]]


def test_the_lowest_of_several_positives_counts() -> None:
    """Two rows share a query: both positives are masked, and margins are about the lower, whatever the depth."""
    scores = np.array([[10, 9, 8, 7, 6, 5, 4]], np.float32)
    setting = Setting(5, 5, absolute_margin=1.0)
    assert _of_scores(scores, [[0, 3]], setting) == _ours(scores, [[0, 3]], setting) == [[4, 5, 6]]
    below = np.array([[10, 9, 8, 7, 6, 5, -4]], np.float32)
    setting = Setting(3, 2, absolute_margin=1.0)
    assert _of_scores(below, [[0, 6]], setting) == _ours(below, [[0, 6]], setting) == [[]]


def test_cutoffs_of_cosines_round_in_float32_with_theirs_and_not_with_ours() -> None:
    """At 1 - 0.02 theirs rounds the cutoff up to float32's 0.98; ours compares with 0.98, below which that is not."""
    cosines = (1 - np.arange(200, dtype=np.float32) / 400).astype(np.float32)[np.newaxis]
    setting = Setting(100, 7, 30, relative_margin=0.02)
    assert _of_scores(cosines, [[0]], setting)[0][0] == 38
    assert _ours(cosines, [[0]], setting)[0][0] == 39
    assert float(cosines[0, 8]) > 0.98
