"""Tests of embedder.contamination.sample and controls: who is drawn, with what weight, and beside which controls."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder import schemas
from embedder.contamination.controls import Known, with_controls
from embedder.contamination.sample import ALL, NAMES, Draw, allocate, strata
from tests.contamination.leaks import leak

Ints = NDArray[np.int64]


def _kept(queries: int = 40, passages: int = 50) -> tuple[pa.Array, pa.Array, Ints]:
    """Return so many candidates of so many queries, in a few strata of unlike sizes."""
    query = [f"q{i:03}" for i in range(queries) for _ in range(passages)]
    passage = [f"p{j:03}" for _ in range(queries) for j in range(passages)]
    generator = np.random.default_rng(5)
    stratum = generator.choice([3, 10, 17, 18], p=[0.7, 0.25, 0.04, 0.01], size=len(query))
    return pa.array(query), pa.array(passage), stratum


def _drawn(size: int, order: Ints | None = None, step: int = 10_000, seed: int = 17) -> pa.Table:
    draw = Draw(leak(sample=size, seed=seed))
    query, passage, stratum = _kept()
    order = np.arange(len(stratum)) if order is None else order
    for start in range(0, len(order), step):
        part = order[start : start + step]
        draw.add(query.take(pa.array(part)), passage.take(pa.array(part)), stratum[part])
    return draw.kept()


def test_strata_are_ranks_gaps_and_suspicion() -> None:
    """Each candidate falls into the band of its rank, how far it lies below the positive, and whether it looks relevant."""
    scale = np.arange(1.0, 101.0)
    found = strata(
        np.array([10, 11, 31, 101, 5]),
        np.array([90.0, 70.0, 10.0, 50.0, 1.0]),
        np.array([80.0, 80.0, 80.0, 80.0, np.nan]),
        scale,
        np.array([True, False, False, False, False]),
    )
    assert [NAMES[i] for i in found] == [
        "ranks 1-10, above the positive, suspicious",
        "ranks 11-30, close",
        "ranks 31-60, far",
        "ranks 101-, far",
        "ranks 1-10, no positive score",
    ]


@given(
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from([0.2, 0.33, 0.5])), min_size=1, max_size=12),
    st.integers(0, 900),
)
def test_labels_are_shared_out_whole(strata_of: list[tuple[int, float]], total: int) -> None:
    """All labels are shared out, no stratum gets more than it has, and each gets two where there are enough."""
    sizes = np.array([size for size, _ in strata_of])
    taken = allocate(sizes, np.array([spread for _, spread in strata_of]), total)
    assert taken.sum() == min(total, sizes.sum())
    assert (taken <= sizes).all()
    assert (taken >= np.minimum(sizes, min(2, total // len(sizes)))).all()


def test_suspicious_strata_get_more_than_their_share() -> None:
    """Of two strata of one size, that with the larger spread gets labels in proportion to it (Neyman)."""
    assert allocate(np.array([1000, 1000]), np.array([0.5, 0.2]), 700).tolist() == [500, 200]


def test_weights_stand_for_all_candidates() -> None:
    """The weights of a stratum's labels sum to its candidates, and together to all of them."""
    sample = _drawn(100)
    assert sample.num_rows == 100
    _, _, stratum = _kept()
    for code in (3, 10, 17, 18):
        of = sample.filter(pa.array([name == NAMES[code] for name in sample["stratum"].to_pylist()]))
        assert sum(of["weight"].to_pylist()) == pytest.approx(np.count_nonzero(stratum == code))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 700), st.sampled_from([3, 50, 400]))
def test_neither_order_nor_blocks_matter(seed: int, step: int, size: int) -> None:
    """The same pairs are drawn in whatever order and blocks the candidates go by."""
    order = np.random.default_rng(seed).permutation(2000)
    assert _drawn(size, order, max(step, 50)).equals(_drawn(size))


def test_another_seed_draws_others() -> None:
    """The seed decides who is drawn."""
    assert not _drawn(100, seed=1).equals(_drawn(100, seed=2))


def test_the_sample_is_unbiased() -> None:
    """Over many seeds, the weighted share of any property is that of all candidates."""
    query, _, stratum = _kept()
    truth = np.mean([one == "q007" for one in query.to_pylist()])
    found = []
    for seed in range(300):
        sample = _drawn(100, seed=seed)
        holds = np.array([one == "q007" for one in sample["query_id"].to_pylist()])
        found.append(float(holds @ sample["weight"].to_numpy() / len(stratum)))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - truth) < 3 * error


def test_fewer_labels_than_strata_make_one_stratum() -> None:
    """Where not every stratum can have a label, candidates are drawn from all alike; none asked for is none drawn."""
    sample = _drawn(3)
    assert set(sample["stratum"].to_pylist()) == {ALL}
    assert sum(sample["weight"].to_pylist()) == pytest.approx(2000)
    assert _drawn(0).num_rows == 0


def test_memory_is_bounded() -> None:
    """While candidates go by, no more than the labels asked for are held of a stratum."""
    draw = Draw(leak(sample=5))
    query, passage, stratum = _kept()
    for start in range(0, len(stratum), 100):
        part = slice(start, start + 100)
        draw.add(query[part], passage[part], stratum[part])
        assert draw._seen.num_rows <= 4 * 5


def _known(judged: list[tuple[str, str]], positives: int, passages: list[str]) -> Known:
    columns = [pa.array([pair[i] for pair in judged]) for i in range(2)]
    table = pa.table(columns, names=["query_id", "passage_id"])
    return Known(table.slice(0, positives), table, pa.array(passages))


def test_controls_are_positives_and_passages_of_which_nothing_is_known() -> None:
    """Known positives are positives; random passages are neither judged for their query nor in the sample; no pair twice."""
    passages = [f"p{j:03}" for j in range(60)]
    judged = [(f"q{i:03}", f"p{50 + j:03}") for j in range(5) for i in range(40)]
    sample = with_controls(_drawn(100), _known(judged, 120, passages), leak(controls=60))
    schemas.check(schemas.SAMPLE, sample, "the sample")
    pairs = {kind: set[tuple[str, str]]() for kind in ("kept", "positive", "random")}
    for row in sample.to_pylist():
        pairs[row["kind"]].add((row["query_id"], row["passage_id"]))
    assert {kind: len(found) for kind, found in pairs.items()} == {"kept": 100, "positive": 60, "random": 60}
    assert pairs["positive"] <= set(judged[:120])
    assert not pairs["random"] & (set(judged) | pairs["kept"])
    # More controls than queries: each is asked about one passage before any is about two.
    asked = [query for query, _ in pairs["random"]]
    assert sorted(asked.count(query) for query in set(asked)) == [1] * 20 + [2] * 20


def test_controls_may_be_fewer_than_asked_for() -> None:
    """Few positives are all taken; where no passage is free, no random one is invented."""
    known = _known([("q000", "p000"), ("q000", "p001")], 1, ["p000", "p001"])
    sample = with_controls(Draw(leak(sample=0)).kept(), known, leak(controls=10))
    assert [(row["kind"], row["passage_id"]) for row in sample.to_pylist()] == [("positive", "p000")]
