"""`--dry-run` of finetune, and `embedder preset NAME`: what tuning the student would take, on a terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedder.estimates.rates import Measured
    from embedder.estimates.shapes import Shape
    from embedder.estimates.training import Forecast
    from embedder.params.models import Params, Student
    from embedder.params.runtime import Runtime

_ROWS = 1_000_000


def print_forecast(params: "Params", *, sample: bool = True) -> None:
    """Print steps, tokens, passes, FLOP and hours of tuning the student; nothing is written.

    Args:
        params: all of a params.yaml.
        sample: whether the shards that are here are those of `params`, so that batches can be looked at.

    Raises:
        StudentError: the recipe and the shards do not go together.
        TableError: a shard is not what its schema says.
    """
    from embedder.cli.terminal import console, visible
    from embedder.estimates.rates import Measured
    from embedder.estimates.shapes import shape_of
    from embedder.estimates.steps import steps_of
    from embedder.estimates.training import forecast, weight_bytes
    from embedder.training.launching import wanted

    student, out = params.students[params.student], console()
    shape, dtype = shape_of(student.model), _dtype(student)
    if shape is None:
        unknown = f"{getattr(student.model, 'name', params.student)} is not on this machine, so its size is unknown"
        out.print(visible(f"finetune {params.student}: {unknown}"), soft_wrap=True)
        return
    machine = Measured(params.runtime)
    steps, load, sampled = steps_of(params, sample=sample)
    runs = params.finetune.selection.seeds if params.finetune.selection else 1
    room = _room(params.runtime, machine.device, weight_bytes(shape, student.recipe, dtype))
    found = forecast(shape, student.recipe, dtype, load, steps, room, runs)
    _print_lines(
        f"finetune {params.student}",
        [*_work(found, shape, student, sampled=sampled), *_times(found, machine, dtype, wanted(params.runtime))],
    )


def _room(runtime: "Runtime", device: str, weights: int) -> float:
    """Bytes for activations: what `runtime` says, or half of what the weights leave."""
    import torch

    from embedder.training.room import free_bytes

    free = max(0, free_bytes(torch.device(device)) - weights) / 2
    return free if runtime.graphs is None else runtime.graphs * 2**30


def _dtype(student: "Student") -> str:
    return str(getattr(student.model, "dtype", "float32"))


def _print_lines(title: str, lines: list[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from embedder.cli.terminal import console, visible

    grid = Table.grid(padding=(0, 2))
    for label, said in lines:
        grid.add_row(Text(label, style="dim"), Text(visible(said)))
    out = console()
    out.print(title)
    out.print(grid)


def _work(found: "Forecast", shape: "Shape", student: "Student", *, sampled: bool) -> Iterator[tuple[str, str]]:
    from embedder.cli.estimate import BYTES, COUNTS, scaled

    recipe, load = student.recipe, found.load
    how = f"LoRA, r = {recipe.lora.r}" if recipe.lora else "all weights"
    seen = "as in batches of the shards" if sampled else "at most: all distinct, as long as the recipe lets them be"
    yield "model", str(getattr(student.model, "name", "built from the train texts"))
    yield "trained", f"{found.trained:,} of {shape.parameters:,} parameters ({how})"
    yield "memory", f"{scaled(found.weights, BYTES)} for weights, gradients and moments; activations beside"
    yield "steps", _steps(found.steps, recipe) + (f", {found.runs} runs" if found.runs > 1 else "")
    yield "a step", f"{load.texts:,.0f} texts, {scaled(load.tokens, COUNTS)} tokens ({seen})"
    yield "passes", _passes(found.passes, recipe)
    per_pass, per_step = (scaled(flops, COUNTS) for flops in (found.forward, found.step_flops))
    yield "compute", f"{per_pass}FLOP a forward pass, {per_step}FLOP a step"


def _steps(steps: int | None, recipe: Any) -> str:  # noqa: ANN401 - a Recipe, imported for its type alone
    if steps is not None:
        return f"{steps:,} of up to {recipe.batch_size:,} rows"
    return f"{recipe.epochs:g} x the rows, not counted yet; a million rows are {-(-_ROWS // recipe.batch_size):,} steps"


def _passes(passes: float, recipe: Any) -> str:  # noqa: ANN401 - a Recipe, imported for its type alone
    again = passes - (2 if recipe.lora else 3) - recipe.gradient_checkpointing
    parts = ["forward", "backward" if recipe.lora else "backward, twice a forward"]
    parts += ["checkpoints again"] if recipe.gradient_checkpointing else []
    parts += [f"a second forward of {again:.0%} of the tokens, whose graphs do not fit here"] if again else []
    return f"as much as {passes:.1f} forward passes: {', '.join(parts)}"


def _times(found: "Forecast", machine: "Measured", dtype: str, processes: int) -> Iterator[tuple[str, str]]:
    from embedder.cli.estimate import COUNTS, scaled
    from embedder.estimates.training import SEED_HOURS, SEED_RATE

    # Processes on a CPU share its cores, which products have had all of.
    devices = processes if machine.device.startswith("cuda") else 1
    rate = machine.rate(dtype) * devices
    slow = "" if machine.is_native(dtype) else f", which has no instructions for {dtype}"
    speed = f"{scaled(rate, COUNTS)}FLOP/s, half of what products reached just now{slow}"
    yield "here", f"{devices} x {machine.device}: {_took(found, rate)}; at {speed}"
    fit = (
        f"{SEED_HOURS:g} h, as SFR-Embedding-Mistral took, are {found.steps_within(SEED_HOURS, SEED_RATE):,} such steps"
    )
    yield "8 A100", f"{_took(found, SEED_RATE)}; at 40 % of their peak, where {fit}"


def _took(found: "Forecast", rate: float) -> str:
    from embedder.cli.estimate import duration

    hours = found.hours(rate)
    whole = "" if hours is None else f", {duration(hours * 3_600)} in all"
    return f"{duration(found.step_seconds(rate))} a step{whole}"
