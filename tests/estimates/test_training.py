"""What tuning a student spends: the published recipe's figures, and what they grow with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder import layout
from embedder.estimates.shapes import KNOWN
from embedder.estimates.training import (
    SEED_DEVICES,
    SEED_HOURS,
    Devices,
    Load,
    activation_bytes,
    at_caps,
    forecast,
    forward_flops,
    passes,
    total,
    weight_bytes,
)
from embedder.params.load import load
from tests import project

PARAMS = load(project.ROOT / layout.PARAMS)
SFR = PARAMS.students["e5-mistral"].recipe
MISTRAL = KNOWN["intfloat/e5-mistral-7b-instruct"]
H200 = Devices(1, 790e12, 0)
# One, as 8 A100 together are, without room for a graph.
A100S = Devices(1, SEED_DEVICES.count * SEED_DEVICES.rate, 0)
ROWS = 2_048


def load_of(query: int, passage: int) -> Load:
    """Return what a step of 2,048 queries with 8 passages each encodes, at these mean lengths."""
    squares = ROWS * (query**2 + 8 * passage**2)
    return Load(9 * ROWS, ROWS * (query + 8 * passage), squares)


def test_a_full_step_of_the_recipe() -> None:
    """2,048 queries of 128 tokens with 8 passages of 256 each are 18,432 texts and 4.46 million tokens."""
    found = at_caps(SFR)
    assert (found.texts, found.tokens) == (18_432, 4_456_448)
    assert found == load_of(128, 256)


@pytest.mark.parametrize(
    ("lengths", "tokens", "petaflop", "h200", "a100", "steps"),
    [
        ((128, 256), 4.46e6, 62.5, (237, 317), (188, 250), (288, 216)),
        ((40, 90), 1.56e6, 21.8, (83, 110), (65, 87), (826, 619)),
        ((40, 60), 1.06e6, 14.9, (57, 75), (45, 60), (1_208, 906)),
    ],
)
def test_the_published_recipes_cost(
    lengths: tuple[int, int],
    tokens: float,
    petaflop: float,
    h200: tuple[int, int],
    a100: tuple[int, int],
    steps: tuple[int, int],
) -> None:
    """SFR's batch on Mistral-7B: FLOP of a pass, seconds of a step of 3 and 4 passes, and steps in the seed's 15 h."""
    step = load_of(*lengths)
    assert step.tokens == pytest.approx(tokens, rel=0.005)
    assert forward_flops(MISTRAL, step) / 1e15 == pytest.approx(petaflop, abs=0.05)
    for number, checkpointing in enumerate((False, True)):
        recipe = SFR.model_copy(update={"gradient_checkpointing": checkpointing})
        found = forecast(MISTRAL, recipe, "bfloat16", step, 600)
        assert found.passes(H200) == 3 + number
        assert found.step_seconds(H200) == pytest.approx(h200[number], abs=0.7)
        assert found.step_seconds(A100S) == pytest.approx(a100[number], abs=0.7)
        assert found.steps_within(SEED_HOURS, A100S) == pytest.approx(steps[number], abs=4)


@pytest.mark.parametrize(
    ("whole", "checkpointing", "kept", "expected"),
    [
        (False, False, 0.0, 3),
        (False, False, 1.0, 2),
        (False, False, 0.5, 2.5),
        (False, True, 0.0, 4),
        (True, False, 1.0, 3),
        (True, False, 0.0, 4),
        (True, True, 0.0, 5),
    ],
)
def test_passes_of_a_step(whole: bool, checkpointing: bool, kept: float, expected: float) -> None:  # noqa: FBT001 - a table's columns
    """3 forward passes' worth with GradCache and frozen weights, 2 where all fits, 4 checkpointed; 1 more for all weights."""
    changes = {"gradient_checkpointing": checkpointing} | ({"lora": None} if whole else {})
    assert passes(SFR.model_copy(update=changes), kept) == expected


def test_what_fits_is_not_encoded_twice() -> None:
    """With room for a step's graphs it is 2 passes, with room for half of them 2.5; beside checkpoints none is kept."""
    step = load_of(40, 60)
    found = forecast(MISTRAL, SFR, "bfloat16", step, 600)
    assert found.graphs == step.tokens * activation_bytes(MISTRAL, SFR, "bfloat16")
    for share, expected in ((1.0, 2.0), (2.0, 2.0), (0.5, 2.5), (0.0, 3.0)):
        assert found.passes(Devices(1, 1e12, 0, share * found.graphs)) == pytest.approx(expected)
    checkpointed = forecast(MISTRAL, SFR.model_copy(update={"gradient_checkpointing": True}), "bfloat16", step, 600)
    assert checkpointed.passes(Devices(1, 1e12, 0, found.graphs)) == 4


def test_every_row_has_the_room_of_its_own_devices() -> None:
    """Half of what the weights leave, on each of all devices: memory here says nothing of the 8 A100 of 80 GB."""
    found = forecast(MISTRAL, SFR, "bfloat16", load_of(40, 60), 600)
    assert SEED_DEVICES.room(found.weights) == 8 * (80e9 - found.weights) / 2
    assert Devices(4, 1e12, found.weights + 6e9).room(found.weights) == 12e9
    assert Devices(4, 1e12, 1e9).room(found.weights) == 0
    assert Devices(2, 1e12, 0, graphs=5e9).room(found.weights) == 10e9
    kept = 8 * (80e9 - found.weights) / 2 / found.graphs
    assert 0.02 < kept < 0.03
    assert found.passes(SEED_DEVICES) == pytest.approx(3 - kept)
    assert found.passes(Devices(1, 1e12, 1e9)) == 3
    assert found.passes(Devices(8, 1e12, 1e15)) == 2


def test_scores_take_time_on_one_device() -> None:
    """Texts that are scored cost a forward pass each, as long as a step's; several devices do not share them."""
    step = load_of(40, 60)
    found, alone = (forecast(MISTRAL, SFR, "bfloat16", step, 600, scored=count) for count in (10 * step.texts, 0))
    assert found.score_seconds(H200) == pytest.approx(10 * forward_flops(MISTRAL, step) / 790e12)
    assert found.score_seconds(SEED_DEVICES) == pytest.approx(10 * forward_flops(MISTRAL, step) / SEED_DEVICES.rate)
    more = (found.hours(H200) or 0) - (alone.hours(H200) or 0)
    assert more == pytest.approx(found.score_seconds(H200) / 3_600)


def test_loads_add_up() -> None:
    """The sum of loads, and the mean of them by a share of it."""
    assert total([Load(1, 10, 100), Load(3, 20, 300)]) == Load(4, 30, 400)
    assert total([Load(1, 10, 100), Load(3, 20, 300)], 1 / 2) == Load(2, 15, 200)


def test_memory_of_weights_and_graphs() -> None:
    """Mistral-7B in bfloat16 with adapters is 14.2 GB and 0.3 GB; a token's graph takes 5 MB, and as much for float32 casts."""
    assert weight_bytes(MISTRAL, SFR, "bfloat16") == 2 * 7_110_660_096 + 16 * 20_971_520
    assert activation_bytes(MISTRAL, SFR, "bfloat16") == pytest.approx(5.24e6 + 4.98e6, rel=0.01)
    whole = SFR.model_copy(update={"lora": None})
    assert weight_bytes(MISTRAL, whole, "bfloat16") == 16 * 7_110_660_096
    assert activation_bytes(MISTRAL, whole, "bfloat16") == pytest.approx(5.24e6, rel=0.01)


def test_hours_are_of_all_runs_and_need_a_number_of_steps() -> None:
    """Three seeds take three times as long; a recipe in epochs has no hours before its rows are counted."""
    one = forecast(MISTRAL, SFR, "bfloat16", at_caps(SFR), 600)
    three = forecast(MISTRAL, SFR, "bfloat16", at_caps(SFR), 600, runs=3)
    assert one.hours(A100S) == pytest.approx(600 * 187.8 / 3_600, rel=0.001)
    assert three.hours(A100S) == pytest.approx(3 * 600 * 187.8 / 3_600, rel=0.001)
    assert forecast(MISTRAL, SFR, "bfloat16", at_caps(SFR), None).hours(A100S) is None


@given(
    st.sampled_from(sorted(PARAMS.students)),
    st.integers(1, 10**6),
    st.floats(0, 1e13, allow_nan=False),
    st.floats(0, 1e13, allow_nan=False),
)
def test_more_room_never_costs_more(name: str, tokens: int, room: float, more: float) -> None:
    """Whatever the student and the step, a step's FLOP fall with room and stay between 2 and 5 forward passes."""
    recipe = PARAMS.students[name].recipe
    shape = KNOWN.get(getattr(PARAMS.students[name].model, "name", ""), MISTRAL)
    step = Load(tokens, tokens, tokens)
    found = forecast(shape, recipe, "bfloat16", step, 1)
    tight, wide = (Devices(2, 1e12, 0, bytes_) for bytes_ in (room, room + more))
    assert found.step_flops(wide) <= found.step_flops(tight)
    assert 2 <= found.passes(wide) <= found.passes(tight) <= 5
