"""What tuning a student spends, from its shape and its recipe: numbers in, numbers out.

A forward pass is 2 FLOP for each weight and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), and attention's two
products. A backward pass is as much again for the gradient of a layer's input, and as much for that of its weights, which
frozen weights do not need. Adapters, norms and the loss add under a hundredth and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embedder.estimates.shapes import Shape
from embedder.params.recipe import Lora, Recipe
from embedder.training.adapters import targeted

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


def total(loads: Sequence[Load], share: float = 1.0) -> Load:
    """Add loads up, and take a share of the sum."""
    return Load(
        share * sum(one.texts for one in loads),
        share * sum(one.tokens for one in loads),
        share * sum(one.squares for one in loads),
    )


@dataclass(frozen=True)
class Devices:
    """What a run would be carried out on: each device trains the whole model on its part of a batch.

    Attributes:
        count: how many there are.
        rate: FLOP a second of each.
        memory: bytes of each, before the model is there.
        graphs: bytes of each that activations may have; None for half of what the model leaves.
    """

    count: int
    rate: float
    memory: float
    graphs: float | None = None

    def room(self, weights: int) -> float:
        """Bytes that activations may have on all of them, beside a model of so many bytes on each."""
        own = max(0.0, self.memory - weights) / 2 if self.graphs is None else self.graphs
        return self.count * own


# SFR-Embedding-Mistral took so long, on 8 A100 of 80 GB and 312 TFLOP/s in bfloat16, 40 % of which is what training
# usually reaches.
SEED_HOURS = 15.0
SEED_DEVICES = Devices(8, 312e12 * 0.4, 80e9)


@dataclass(frozen=True)
class Forecast:
    """What a run would spend.

    Attributes:
        recipe: whether weights are frozen, and whether activations are computed again.
        runs: how many are trained, one after another.
        steps: of each; None where the recipe counts epochs and the rows are not known.
        load: of one step.
        trained: parameters.
        weights: bytes of the model, and of what training adds to what it trains.
        graphs: bytes of the activations of all texts of a step.
        forward: FLOP of one forward pass over a step's texts.
        scored: texts that all scores of the dev queries to choose by encode together.
    """

    recipe: Recipe
    runs: int
    steps: int | None
    load: Load
    trained: int
    weights: int
    graphs: float
    forward: float
    scored: float

    def passes(self, devices: Devices) -> float:
        """How many forward passes' worth a step is, by how many of its graphs the devices have room for."""
        return passes(self.recipe, min(1.0, devices.room(self.weights) / self.graphs))

    def step_flops(self, devices: Devices) -> float:
        """FLOP of one step."""
        return self.forward * self.passes(devices)

    def step_seconds(self, devices: Devices) -> float:
        """Seconds of one step."""
        return self.step_flops(devices) / (devices.count * devices.rate)

    def score_seconds(self, devices: Devices) -> float:
        """Seconds of all scores, of texts as long as a step's are; one device takes them."""
        return self.scored * self.forward / self.load.texts / devices.rate

    def hours(self, devices: Devices) -> float | None:
        """Hours of all runs and scores; None where nobody knows how many steps there are."""
        if self.steps is None:
            return None
        return (self.runs * self.steps * self.step_seconds(devices) + self.score_seconds(devices)) / 3_600

    def steps_within(self, hours: float, devices: Devices) -> int:
        """How many steps fit into some hours."""
        return round(hours * 3_600 / self.step_seconds(devices))


def forecast(
    shape: Shape, recipe: Recipe, dtype: str, load: Load, steps: int | None, runs: int = 1, scored: float = 0
) -> Forecast:
    """Say what a run would spend.

    Args:
        shape: the student's.
        recipe: its recipe.
        dtype: that it computes in.
        load: what a step encodes.
        steps: how many; None where nobody knows.
        runs: of different seeds, one after another.
        scored: texts that scores encode beside.

    Raises:
        StudentError: no linear layer has a name that the recipe's targets ask for.
    """
    return Forecast(
        recipe,
        runs,
        steps,
        load,
        trained_parameters(shape, recipe.lora),
        weight_bytes(shape, recipe, dtype),
        load.tokens * activation_bytes(shape, recipe, dtype),
        forward_flops(shape, load),
        scored,
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
        kept: the share of tokens whose activations fit, so that they are not encoded a second time; checkpointing is
            for what does not fit, so that nothing is kept beside it.
    """
    backward = 1 if recipe.lora else 2
    return 1 + backward + (2 if recipe.gradient_checkpointing else 1 - kept)


def trained_parameters(shape: Shape, lora: Lora | None) -> int:
    """Count what is trained: the adapters, r rows for each input and each output of a layer, or everything.

    Raises:
        StudentError: no linear layer has a name that the targets ask for.
    """
    if lora is None:
        return shape.parameters
    adapted = set(targeted([one.name for one in shape.linear], lora.targets))
    return sum(lora.r * (one.inputs + one.outputs) for one in shape.linear if one.name in adapted)


def weight_bytes(shape: Shape, recipe: Recipe, dtype: str) -> int:
    """Bytes of the weights, and of gradients and Adam's moments of those that are trained; the others are in `dtype`."""
    frozen = shape.parameters * _WIDTHS[dtype] if recipe.lora else 0
    return frozen + trained_parameters(shape, recipe.lora) * _TRAINED_BYTES


def activation_bytes(shape: Shape, recipe: Recipe, dtype: str) -> float:
    """Bytes that a token's graph takes, about: both sides of each linear layer, and adapters' inputs in float32."""
    width = _WIDTHS[dtype]
    sides = sum(one.inputs + one.outputs for one in shape.linear) * width
    cast = sum(one.inputs for one in shape.linear) * _FLOAT32 if recipe.lora and width < _FLOAT32 else 0
    return float(sides + cast)
