"""The trained weights of a model apart from it: taken out, put back, and as safetensors, which run no code when read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

    State = dict[str, Tensor]


def state_of(model: "Module") -> "State":
    """Copy what is trained of a model to the CPU, by name."""
    return {name: parameter.detach().cpu().clone() for name, parameter in _trained(model)}


def put(model: "Module", state: "Mapping[str, Tensor]") -> None:
    """Give a model the trained weights of `state`, in place.

    Raises:
        ValueError: they are not those of this model.
    """
    import torch

    trained = dict(_trained(model))
    if shapes(trained) != shapes(state):
        raise ValueError(f"{len(state)} weights are not the {len(trained)} that are trained, by name and shape")
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(state[name])


def shapes(state: "Mapping[str, Tensor]") -> dict[str, tuple[int, ...]]:
    """The shape of each weight."""
    return {name: tuple(value.shape) for name, value in state.items()}


def save(path: Path, state: "Mapping[str, Tensor]", said: Mapping[str, str] | None = None) -> None:
    """Write weights on the CPU, and what is said of them."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in state.items()}, path, dict(said or {}))


def load(path: Path) -> "tuple[State, dict[str, str]]":
    """Read what `save` wrote: weights on the CPU, and what was said of them."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 - no mapping


def _trained(model: "Module") -> "Iterator[tuple[str, Parameter]]":
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)
