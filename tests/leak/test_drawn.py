"""Tests of embedder.leak.pass_through: what is drawn of what is kept, against the sampler of materialize."""

import numpy as np
import pytest

from embedder.leak.kept import Pools
from embedder.leak.pass_through import drawn
from embedder.sampling import How, draw
from tests.leak.made_up import Query
from tests.leak.test_pass_through import STORED, metered
from tests.tables import ints, rules


@pytest.mark.parametrize("how", ["random", "top"])
@pytest.mark.parametrize(
    ("judged", "others", "stored", "draws"), [(2, 5, 4, 2), (5, 3, 4, 3), (0, 9, 3, 3), (1, 1, 4, 7)]
)
def test_chances_are_those_of_the_sampler(how: How, judged: int, others: int, stored: int, draws: int) -> None:
    """Stored by embedder.sampling and drawn at random by a row, a positive at any rank comes as often as reckoned."""
    pool, generator, times = judged + others, np.random.default_rng(1), 1000
    is_negative = np.arange(pool) % 2 == 1 if judged == others else np.arange(pool) < judged
    place = int(np.flatnonzero(~is_negative)[others // 2])
    above = int((~is_negative[:place]).sum())
    found = drawn(Pools(ints(pool)[:, None], ints(above)[:, None], ints(judged)), min(draws, stored), stored)
    scores, hits = np.arange(pool, 0.0, -1.0), 0
    for time in range(times):
        kept = draw(is_negative, scores, stored, how, 1, str(time))
        hits += place in generator.permutation(kept)[:draws]
    assert found[how == "top"][0, 0] == pytest.approx(hits / times, abs=0.05)


def test_a_row_draws_no_more_than_is_stored() -> None:
    """With more draws than are stored, the figures are those of as many draws as are stored."""
    query = Query(("positive", *["plain"] * 9), tuple(10.0 - i for i in range(10)), (0,) * 10, ())
    many, few = (metered([query], [rules()], [[0]], draws).rows()[0] for draws in (9, STORED))
    assert many == few
    assert many.drawn_random == pytest.approx(STORED / 10, abs=1e-6)


def test_judged_negatives_leave_no_room() -> None:
    """They are stored first, so that an unjudged passage is only drawn where they are too few."""
    query = Query(("positive", *["negative"] * STORED, "plain"), (5.0, 4.0, 3.0, 2.0, 1.0), (0,) * 5, ())
    full, room = (metered([query], [rules()], [[0]], stored=stored).rows()[0] for stored in (STORED, STORED + 1))
    assert (full.pass_through, full.drawn_random, full.drawn_top) == (1.0, 0.0, 0.0)
    assert room.drawn_random == pytest.approx(0.25, abs=1e-6)
    assert room.drawn_top == 0.5
