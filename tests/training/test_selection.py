"""What there is to choose after training, and that what is put into the model is what it says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from embedder.devices import reproducible
from embedder.params.models import Student
from embedder.training.selection import Candidate, averaged, best, candidates, choose, scaled
from embedder.training.states import state_of
from embedder.training.tunable import Tunable
from tests.training_sets import student

FULL = student(lora=None)
State = dict[str, torch.Tensor]


def run(tunable: Tunable, seed: int) -> State:
    """Start a run, move what is trained by noise as training would, and take it out."""
    with reproducible(seed):
        tunable.start()
        with torch.no_grad():
            for parameter in tunable.model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return state_of(tunable.model)


def weights(tunable: Tunable, used: Student) -> State:
    """The weights of the model by name, as they are with the adapters merged into them."""
    if used.recipe.lora is None:
        return state_of(tunable.model)
    layers: Any = tunable.model
    return {
        name: layer.base_layer.weight.detach() + layer.get_delta_weight("default").detach()
        for name, layer in layers.named_modules()
        if hasattr(layer, "lora_A")
    }


def of(tunable: Tunable, used: Student, states: Sequence[State], scale: float) -> State:
    """The weights of the model when it holds the average of some runs at a scale."""
    tunable.hold(states, scale)
    return weights(tunable, used)


@pytest.mark.parametrize("used", [student(), FULL], ids=["lora", "full"])
@pytest.mark.parametrize("scale", [0.5, 0.3, 1.0, 1.7])
def test_a_scale_interpolates_between_base_and_tuned(
    fresh: Callable[[], SentenceTransformer], used: Student, scale: float
) -> None:
    """At scale s every weight is W + s * (tuned - W), to the last bit where s is a power of 2 and adapters are scaled."""
    tunable = Tunable(fresh(), used, keeps=True)
    tunable.start()
    base = {name: value.clone() for name, value in weights(tunable, used).items()}
    states = [run(tunable, 1)]
    tuned = of(tunable, used, states, 1.0)
    found = of(tunable, used, states, scale)
    assert len(found) > 5
    for name, value in found.items():
        torch.testing.assert_close(value, base[name] + scale * (tuned[name] - base[name]), rtol=1e-5, atol=1e-6)
    put = state_of(tunable.model)
    expected = {name: value * 0.5 if "lora_B" in name else value for name, value in states[0].items()}
    if scale == 1.0:
        assert all(torch.equal(put[name], value) for name, value in states[0].items())
    if scale == 0.5 and used is not FULL:
        assert all(torch.equal(put[name], value) for name, value in expected.items())


@pytest.mark.parametrize("used", [student(), FULL], ids=["lora", "full"])
def test_an_average_of_runs_has_the_mean_of_their_weights(
    fresh: Callable[[], SentenceTransformer], used: Student
) -> None:
    """The mean of three runs, adapters side by side or weights meant, is the mean of their merged weights; so is half."""
    tunable = Tunable(fresh(), used, keeps=True)
    states = [run(tunable, seed) for seed in (1, 2, 3)]
    single = [of(tunable, used, [state], 1.0) for state in states]
    meant = of(tunable, used, states, 1.0)
    for name, value in meant.items():
        torch.testing.assert_close(value, sum(one[name] for one in single) / 3, rtol=1e-5, atol=1e-6)
    if used is not FULL:
        assert tunable.adapted.peft_config["default"].r == 6
    again = of(tunable, used, states[:1], 1.0)
    assert all(torch.equal(value, single[0][name]) for name, value in again.items())


def test_the_vectors_follow_the_weights(fresh: Callable[[], SentenceTransformer]) -> None:
    """A model that holds another candidate encodes otherwise, and the first one's vectors come back with it."""
    tunable = Tunable(fresh(), student(), keeps=True)
    states = [run(tunable, 1), run(tunable, 2)]
    tunable.model.eval()
    seen = []
    for part, scale in ((states[:1], 1.0), (states, 1.0), (states, 0.5), (states[:1], 1.0)):
        tunable.hold(part, scale)
        seen.append(tunable.model.encode("where is the red apple"))
    assert len({one.tobytes() for one in seen}) == 3
    assert seen[0].tobytes() == seen[3].tobytes()


@pytest.mark.parametrize("used", [student(), FULL], ids=["lora", "full"])
def test_a_run_starts_with_the_base_whatever_was_before(
    fresh: Callable[[], SentenceTransformer], used: Student
) -> None:
    """After other runs the same seed makes the same weights."""
    tunable = Tunable(fresh(), used, keeps=True)
    first, _, again = (run(tunable, seed) for seed in (1, 2, 1))
    assert first.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_scaling_keeps_what_it_is_given() -> None:
    """States are read and never changed."""
    state = {"a.lora_A.x": torch.ones(2, 3), "a.lora_B.x": torch.ones(3, 2)}
    scaled(averaged([state, state], adapters=True), 0.5, None)
    assert all(torch.equal(value, torch.ones_like(value)) for value in state.values())


def test_candidates_are_every_run_and_their_average_at_every_scale() -> None:
    """One run has no average; a scale that is written twice counts once."""
    assert list(candidates([7], [1.0, 0.5, 1.0])) == [Candidate((7,), 1.0), Candidate((7,), 0.5)]
    seeds = [one.seeds for one in candidates([7, 8], [1.0])]
    assert seeds == [(7,), (8,), (7, 8)]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({(1, 0.5): 0.9, (1, 1.0): 0.8}, ((1,), 0.5)),
        ({(1, 0.5): 0.9, (1, 1.0): 0.9}, ((1,), 1.0)),
        ({(1, 0.5): 0.9, (1, 0.75): 0.9}, ((1,), 0.75)),
        ({(12, 1.0): 0.9, (2, 1.0): 0.9}, ((2,), 1.0)),
        ({(12, 1.0): 0.9, (2, 0.5): 0.9}, ((1, 2), 1.0)),
    ],
)
def test_equal_scores_go_to_scale_1_then_to_fewer_runs(
    scores: Mapping[tuple[int, float], float], expected: tuple[tuple[int, ...], float]
) -> None:
    """The highest score wins; of equals the one closest to as trained, then the one of fewer runs."""
    found = {Candidate(tuple(map(int, str(seeds))), scale): value for (seeds, scale), value in scores.items()}
    assert best(found) == Candidate(*expected)


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_choosing_puts_the_best_and_asks_for_no_known_score(values: list[float]) -> None:
    """Whatever the scores, the model ends with the best candidate, and a known score is not taken again."""
    among = list(candidates([1, 2], [1.0, 0.5]))
    table = dict(zip(among, values, strict=True))
    held: list[Candidate] = []
    known = {among[0]: table[among[0]]}
    choice = choose(among, held.append, lambda: table[held[-1]], known)
    assert choice.scores == table
    assert table[held[-1]] == max(values)
    assert held == [*among[1:], choice.candidate]


def test_the_report_names_every_score_and_the_reason() -> None:
    """The report holds every candidate with its score, the chosen one, and why."""
    choice = choose(candidates([3], [1.0, 0.5]), lambda _: None, lambda: 0.25, {})
    report: Any = choice.report()
    assert [one["score"] for one in report["candidates"]] == [0.25, 0.25]
    assert report["chosen"]["scale"] == 1.0
    assert report["chosen"]["why"].startswith("of 2 equal highest scores")
    assert choice.line.startswith("run of seed 3, scale 1, score 0.250000: of 2 equal")
