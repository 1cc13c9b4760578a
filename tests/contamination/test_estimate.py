"""Tests of embedder.contamination.estimate and melding: do the intervals cover, and is nothing claimed beyond the sample?"""

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from embedder import schemas
from embedder.contamination.estimate import Contamination, estimate
from embedder.contamination.melding import Counts, Melded
from embedder.contamination.sample import Draw
from embedder.contamination.shares import exact, needed, wilson
from tests.contamination.leaks import answered, leak

JUDGES = ((0.9, 0.97), (0.8, 0.99))
SHARES = (0.0, 0.002, 0.01, 0.05, 0.2)
# Of the candidates, of the labels, and how many times more relevant than others: like those of a run.
STRATA = (
    np.array([0.6, 0.2, 0.15, 0.04, 0.01]),
    np.array([250, 90, 70, 50, 40]),
    np.array([0.5, 1.0, 1.0, 5.0, 40.0]),
)
_CONTROLS = 200


def _relevant(share: float) -> NDArray[np.float64]:
    weights, _, times = STRATA
    return np.asarray(np.minimum(share * times / (weights @ times), 0.95))


def _counts(share: float, judge: tuple[float, float], generator: np.random.Generator) -> Counts:
    relevant = _relevant(share)
    read = relevant * judge[0] + (1 - relevant) * (1 - judge[1])
    right = (int(generator.binomial(_CONTROLS, judge[0])), int(generator.binomial(_CONTROLS, judge[1])))
    return Counts(STRATA[0], STRATA[1], generator.binomial(STRATA[1], read), right, (_CONTROLS, _CONTROLS))


def _labels(
    kept: list[tuple[str, float, bool | None]], positives: list[bool | None], others: list[bool | None]
) -> pa.Table:
    rows = [
        *(("kept", stratum, weight, says) for stratum, weight, says in kept),
        *(("positive", "positive", 1.0, says) for says in positives),
        *(("random", "random", 1.0, says) for says in others),
    ]
    columns = {
        "query_id": [f"q{i:04}" for i in range(len(rows))],
        "passage_id": ["p"] * len(rows),
        **{name: [row[i] for row in rows] for i, name in enumerate(("kind", "stratum", "weight"))},
        "judge_score": pa.nulls(len(rows), pa.float32()),
        "relevant": pa.array([row[3] for row in rows], pa.bool_()),
    }
    return schemas.build(schemas.LABELS, columns)


@pytest.mark.parametrize(("judge", "share"), list(product(JUDGES, SHARES)))
def test_the_interval_covers(judge: tuple[float, float], share: float) -> None:
    """The 95 % interval holds the truth in at least 93 % of 300 studies; so do the bound and what is left after the judge."""
    generator = np.random.default_rng(11)
    truth = float(STRATA[0] @ _relevant(share))
    read = truth * judge[0] + (1 - truth) * (1 - judge[1])
    left = truth * (1 - judge[0]) / (1 - read)
    covered = np.zeros(3)
    for study in range(300):
        melded = Melded(_counts(share, judge, generator), leak(seed=study))
        found, after = melded.contamination(), melded.after_judge().interval
        covered += [
            found.interval.low <= truth <= found.interval.high,
            truth <= found.upper,
            after.low <= left <= after.high,
        ]
    assert (covered / 300 >= 0.93).all(), covered / 300


@pytest.mark.parametrize("share", [0.0, 0.002, 0.01])
def test_the_judges_word_alone_does_not_cover(share: float) -> None:
    """Wilson's interval of what the judge calls relevant misses small shares nearly always."""
    generator = np.random.default_rng(12)
    truth = float(STRATA[0] @ _relevant(share))
    covered = 0
    for _ in range(100):
        low, high = wilson(_counts(share, (0.9, 0.97), generator).observed, 500, 0.95)
        covered += low <= truth <= high
    assert covered < 30


def test_pairs_that_share_a_query_are_no_less_worth() -> None:
    """Where all that is relevant sits with a few queries, the interval of the share of pairs covers all the same."""
    generator = np.random.default_rng(13)
    queries, passages = 60, 50
    relevant = np.zeros((queries, passages), dtype=bool)
    relevant[:6, :25] = True
    query = pa.array([f"q{i:02}" for i in range(queries) for _ in range(passages)])
    passage = pa.array([f"p{j:02}" for _ in range(queries) for j in range(passages)])
    truth = {(f"q{i:02}", f"p{j:02}") for i, j in zip(*np.nonzero(relevant), strict=True)}
    covered = 0
    for study in range(150):
        draw = Draw(leak(seed=study, sample=300))
        draw.add(query, passage, np.zeros(queries * passages, dtype=np.int64))
        kept = draw.kept()
        pairs = zip(kept["query_id"].to_pylist(), kept["passage_id"].to_pylist(), strict=True)
        says = answered(kept, np.array([pair in truth for pair in pairs]), (0.9, 0.97), generator)
        counts = Counts(
            np.ones(1),
            np.array([kept.num_rows]),
            np.array([says["relevant"].to_pylist().count(True)]),
            (int(generator.binomial(200, 0.9)), int(generator.binomial(200, 0.97))),
            (200, 200),
        )
        interval = Melded(counts, leak(seed=study)).contamination().interval
        covered += interval.low <= relevant.mean() <= interval.high
    assert covered >= 0.93 * 150


def _plain(relevant: int, of: int, right: tuple[int, int], controls: int = 200) -> Contamination:
    kept: list[tuple[str, float, bool | None]] = [("s", 10.0, i < relevant) for i in range(of)]
    positives: list[bool | None] = [i < right[0] for i in range(controls)]
    others: list[bool | None] = [i >= right[1] for i in range(controls)]
    return estimate(_labels(kept, positives, others), leak(bootstrap_samples=4000))


def test_the_estimate_is_rogan_and_gladens() -> None:
    """90 of 500 called relevant by a judge of 0.9 and 0.97 are (0.18 + 0.97 - 1) / (0.9 + 0.97 - 1)."""
    found = _plain(90, 500, (180, 194))
    assert found.share is not None
    assert found.share.interval.estimate == pytest.approx(0.15 / 0.87)
    assert found.share.interval.low < 0.15 / 0.87 < found.share.interval.high
    assert not found.upper_only
    assert found.after_judge is not None
    assert found.after_judge.interval.estimate == pytest.approx(0.15 / 0.87 * 0.1 / 0.82)
    assert found.sensitivity == exact(180, 200, 0.95)
    assert found.specificity == exact(194, 200, 0.95)


def test_nothing_seen_is_the_rule_of_three() -> None:
    """None of 500 called relevant by a judge without a fault: at most about 3 / 500, and no more is claimed than that."""
    found = _plain(0, 500, (200, 200))
    assert found.share is not None
    assert found.upper_only
    assert found.share.interval.estimate == found.share.interval.low == 0
    assert found.share.upper == pytest.approx(1 - 0.05 ** (1 / 500), rel=0.35)
    assert found.share.upper >= 1 - 0.05 ** (1 / 500)


def test_no_sample_says_less_than_the_rule_of_three() -> None:
    """A judge that errs less in the sample than among the controls leaves a bound above 0."""
    found = _plain(3, 500, (180, 190))
    assert found.share is not None
    assert found.share.interval.estimate == 0
    assert found.share.upper >= 1 - 0.05 ** (1 / 500)


def test_a_share_below_what_the_controls_resolve_is_an_upper_bound() -> None:
    """4 % called relevant by a judge that calls 3 % of random passages so: only a bound is stated."""
    found = _plain(20, 500, (180, 194))
    assert found.upper_only
    assert found.resolves is not None
    assert 0.02 < found.resolves < 0.05
    assert found.as_json()["upper_only"]


def test_a_judge_without_a_fault_is_not_taken_for_perfect() -> None:
    """200 of 200 controls right leave the estimate of 10 of 500 less sure than 10 of 500 is."""
    found = _plain(10, 500, (200, 200))
    assert found.share is not None
    assert found.observed is not None
    assert found.share.interval.high - found.share.interval.low > found.observed.high - found.observed.low


@pytest.mark.parametrize("right", [(80, 100), (110, 100), (0, 200)])
def test_a_judge_no_better_than_chance_tells_nothing(right: tuple[int, int]) -> None:
    """Where sensitivity and specificity may sum to 1 or less there is no estimate, but what was observed."""
    found = _plain(100, 500, right)
    assert (found.share, found.after_judge, found.resolves) == (None, None, None)
    assert found.cannot_tell == "the judge cannot tell: it may be no better than chance"
    assert found.observed is not None
    assert found.as_json()["contamination"] is None


def test_without_controls_or_labels_nothing_is_told() -> None:
    """No estimate without known positives, without random passages, or without a label."""
    kept: list[tuple[str, float, bool | None]] = [("s", 1.0, True)] * 3
    for labels in (_labels(kept, [], [False]), _labels(kept, [True], []), _labels([], [True], [False])):
        found = estimate(labels, leak())
        assert found.share is None
        assert found.cannot_tell
    nothing = estimate(_labels([("s", 1.0, None)], [None], [None]), leak())
    assert nothing.asked["kept"] == {"labels": 1, "failed": 1}
    assert nothing.unlabelled == 1


def test_failed_labels_are_left_out_and_counted() -> None:
    """A label that failed counts as neither answer; its stratum's others stand for it."""
    kept: list[tuple[str, float, bool | None]] = [
        *([("a", 9.0, True)] * 5 + [("a", 9.0, False)] * 5 + [("a", 9.0, None)] * 10),
        *([("b", 1.0, False)] * 20),
    ]
    found = estimate(_labels(kept, [True] * 50 + [None], [False] * 50 + [None] * 2), leak())
    assert found.asked == {
        "kept": {"labels": 40, "failed": 10},
        "positive": {"labels": 51, "failed": 1},
        "random": {"labels": 52, "failed": 2},
    }
    assert found.observed is not None
    assert found.observed.estimate == pytest.approx(0.9 * 0.5)
    assert found.unlabelled == 0


def test_a_stratum_without_an_answer_is_said() -> None:
    """What nobody labelled is not estimated, and its share is told."""
    kept: list[tuple[str, float, bool | None]] = [("a", 3.0, True), ("a", 3.0, False), ("b", 2.0, None)]
    found = estimate(_labels(kept, [True] * 50, [False] * 50), leak())
    assert found.unlabelled == pytest.approx(0.25)
    assert found.observed is not None
    assert found.observed.estimate == pytest.approx(0.5)


def test_the_same_labels_give_the_same_numbers() -> None:
    """The seed fixes the draws; another seed moves them."""
    labels = _labels([("s", 1.0, i < 9) for i in range(100)], [i > 5 for i in range(90)], [i < 3 for i in range(90)])
    assert estimate(labels, leak()) == estimate(labels, leak())
    assert estimate(labels, leak()) != estimate(labels, leak(seed=1))


@pytest.mark.parametrize(("share", "labels"), [(0.05, 292), (0.01, 1522), (0.002, 7669)])
def test_the_cost_of_a_sample(share: float, labels: int) -> None:
    """Plus or minus a half takes 290 labels at 5 %, 1,500 at 1 %, 7,700 at 0.2 %; an imperfect judge takes more."""
    assert needed(share, 0.5, 0.95) == pytest.approx(labels, abs=1)
    assert needed(share, 0.5, 0.95, 0.9, 0.97) > 1.5 * labels


def test_no_number_of_labels_helps_a_blind_judge() -> None:
    """A share of 0, and a judge that tells nothing apart, have no sample size."""
    with pytest.raises(ValueError, match="share of 0"):
        needed(0.0, 0.5, 0.95)
    with pytest.raises(ValueError, match="power"):
        needed(0.01, 0.5, 0.95, 0.5, 0.5)
