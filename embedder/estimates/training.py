"""What tuning a student spends, from its shape and its recipe: numbers in, numbers out.

A forward pass is 2 FLOP for each weight and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), and attention's two
products. A backward pass is as much again for the gradient of a layer's input, and as much for that of its weights, which
frozen weights do not need. Adapters, norms and the loss add under a hundredth and are left out.
"""

from dataclasses import dataclass

from embedder.estimates.shapes import Shape
from embedder.params.recipe import Lora, Recipe

# SFR-Embedding-Mistral took so long, on machines that do so much: 8 A100 of 312 TFLOP/s in bfloat16, 40 % of which is
# what training usually reaches.
SEED_HOURS = 15.0
SEED_RATE = 8 * 312e12 * 0.4

_WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
_FLOAT32 = 4
# The trained weights' own, their gradient's and Adam's two: float32 each.
_TRAINED_BYTES = 4 * _FLOAT32


@dataclass(frozen=True)
class Load:
    """What one step encodes, means where steps differ.

    Attributes:
        texts: distinct ones.
        tokens: of these, without padding.
        squares: the sum of their squared lengths, which attention goes with.
    """

    texts: float
    tokens: float
    squares: float


@dataclass(frozen=True)
class Forecast:
    """What a run would spend.

    Attributes:
        runs: how many are trained, one after another.
        steps: of each; None where the recipe counts epochs and the rows are not known.
        load: of one step.
        trained: parameters.
        weights: bytes of the model, and of what training adds to what it trains.
        forward: FLOP of one forward pass over a step's texts.
        passes: how many forward passes' worth a step is.
    """

    runs: int
    steps: int | None
    load: Load
    trained: int
    weights: int
    forward: float
    passes: float

    @property
    def step_flops(self) -> float:
        """FLOP of one step."""
        return self.forward * self.passes

    def step_seconds(self, rate: float) -> float:
        """Seconds of one step at so many FLOP a second."""
        return self.step_flops / rate

    def hours(self, rate: float) -> float | None:
        """Hours of all runs at so many FLOP a second; None where nobody knows how many steps there are."""
        return None if self.steps is None else self.runs * self.steps * self.step_seconds(rate) / 3_600

    def steps_within(self, hours: float, rate: float) -> int:
        """How many steps fit into some hours."""
        return round(hours * 3_600 / self.step_seconds(rate))


def forecast(
    shape: Shape, recipe: Recipe, dtype: str, load: Load, steps: int | None, room: float, runs: int = 1
) -> Forecast:
    """Say what a run would spend.

    Args:
        shape: the student's.
        recipe: its recipe.
        dtype: that it computes in.
        load: what a step encodes.
        steps: how many; None where nobody knows.
        room: bytes for activations, beside the weights.
        runs: of different seeds, one after another.
    """
    trained = trained_parameters(shape, recipe.lora)
    needed = load.tokens * activation_bytes(shape, recipe, dtype)
    # Checkpointing is for what does not fit, so no graph is kept beside it.
    kept = 0.0 if recipe.gradient_checkpointing else min(1.0, max(0.0, room) / needed)
    return Forecast(
        runs,
        steps,
        load,
        trained,
        weight_bytes(shape, recipe, dtype),
        forward_flops(shape, load),
        passes(recipe, kept),
    )


def at_caps(recipe: Recipe) -> Load:
    """What a full step encodes if every text is distinct and as long as the recipe lets it be: the most there can be."""
    rows, passages = recipe.batch_size, recipe.batch_size * (1 + recipe.num_negatives)
    query, passage = recipe.query_length, recipe.passage_length
    return Load(rows + passages, rows * query + passages * passage, rows * query**2 + passages * passage**2)


def forward_flops(shape: Shape, load: Load) -> float:
    """FLOP of one forward pass without padding."""
    attention = 4.0 * shape.attention * load.squares * (0.5 if shape.causal else 1.0)
    return 2.0 * shape.weights * load.tokens + attention


def passes(recipe: Recipe, kept: float) -> float:
    """How many forward passes' worth a step of GradCache (Gao et al. 2021, arXiv 2101.06983) is.

    Args:
        recipe: whether weights are frozen, and whether activations are computed again.
        kept: the share of tokens whose activations fit, so that they are not encoded a second time.
    """
    backward = 1 if recipe.lora else 2
    return 1 + backward + recipe.gradient_checkpointing + (1 - kept)


def trained_parameters(shape: Shape, lora: Lora | None) -> int:
    """Count what is trained: the adapters, r rows for each input and each output of a layer, or everything."""
    if lora is None:
        return shape.parameters
    adapted = [one for one in shape.linear if lora.targets == "all-linear" or one.name in lora.targets]
    return sum(one.count * lora.r * (one.inputs + one.outputs) for one in adapted)


def weight_bytes(shape: Shape, recipe: Recipe, dtype: str) -> int:
    """Bytes of the weights, and of gradients and Adam's moments of those that are trained; the others are in `dtype`."""
    frozen = shape.parameters * _WIDTHS[dtype] if recipe.lora else 0
    return frozen + trained_parameters(shape, recipe.lora) * _TRAINED_BYTES


def activation_bytes(shape: Shape, recipe: Recipe, dtype: str) -> float:
    """Bytes that a token's graph takes, about: both sides of each linear layer, and adapters' inputs in float32."""
    width = _WIDTHS[dtype]
    sides = sum(one.count * (one.inputs + one.outputs) for one in shape.linear) * width
    cast = sum(one.count * one.inputs for one in shape.linear) * _FLOAT32 if recipe.lora and width < _FLOAT32 else 0
    return float(sides + cast)
