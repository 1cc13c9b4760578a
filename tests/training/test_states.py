"""The trained weights of a model apart from it."""

from pathlib import Path

import pytest
import torch

from embedder.training import states


def model() -> torch.nn.Sequential:
    """Return a model of which one layer is trained."""
    made = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 4))
    made[0].requires_grad_(False)
    return made


def test_a_state_is_what_is_trained() -> None:
    """A state has the trained weights and no others, by name."""
    made = model()
    state = states.state_of(made)
    assert {name: tuple(value.shape) for name, value in state.items()} == {"1.weight": (4, 2), "1.bias": (4,)}
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in state.items())


def test_a_state_stays_when_the_model_moves() -> None:
    """Changing the model leaves a state as it was, and putting it back undoes the change."""
    made = model()
    state = states.state_of(made)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    with torch.no_grad():
        made.state_dict()["1.weight"].add_(1)
    assert not torch.equal(made.state_dict()["1.weight"], state["1.weight"])
    states.put(made, state)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    with torch.no_grad():
        made.state_dict()["1.weight"].add_(1)
    assert torch.equal(state["1.weight"], before["1.weight"])


@pytest.mark.parametrize(
    "broken", [{}, {"1.weight": torch.zeros(4, 2)}, {"1.weight": torch.zeros(4, 2), "1.bias": torch.zeros(3)}]
)
def test_a_state_of_another_model_is_refused(broken: dict[str, torch.Tensor]) -> None:
    """A weight that is missing or of another shape is put nowhere."""
    made = model()
    before = states.state_of(made)
    with pytest.raises(ValueError, match="not the 2 that are trained"):
        states.put(made, broken)
    assert all(torch.equal(value, before[name]) for name, value in states.state_of(made).items())


def test_a_saved_state_comes_back(tmp_path: Path) -> None:
    """What is saved is read back to the bit, with what is said of it, whatever its layout in memory."""
    state = {"a": torch.randn(3, 5).T, "b": torch.tensor(3.5), "c": torch.randn(4).to(torch.bfloat16)}
    states.save(tmp_path / "state.safetensors", state, {"step": "3"})
    found, said = states.load(tmp_path / "state.safetensors")
    assert said == {"step": "3"}
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in state.items())
    states.save(tmp_path / "bare.safetensors", state)
    assert states.load(tmp_path / "bare.safetensors")[1] == {}
