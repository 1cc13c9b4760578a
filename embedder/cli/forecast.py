"""`--dry-run` of finetune, and `embedder preset NAME`: what tuning the student would take, on a terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedder.estimates.rates import Measured
    from embedder.estimates.scorings import Scorings
    from embedder.estimates.shapes import Shape
    from embedder.estimates.training import Devices, Forecast
    from embedder.params.models import Params, Student
    from embedder.params.runtime import Runtime

_ROWS = 1_000_000


def print_forecast(params: "Params", *, sample: bool = True) -> None:
    """Print steps, tokens, passes, FLOP, scores and hours of tuning the student; nothing is written.

    Args:
        params: all of a params.yaml.
        sample: whether the shards that are here are those of `params`, so that batches can be looked at.

    Raises:
        StudentError: the recipe does not fit the shards, or names layers that the student has not.
        TableError: a shard is not what its schema says.
    """
    from embedder.cli.terminal import console, visible
    from embedder.estimates.rates import Measured
    from embedder.estimates.scorings import scorings
    from embedder.estimates.shapes import shape_of
    from embedder.estimates.steps import steps_of
    from embedder.estimates.training import forecast

    student, out = params.students[params.student], console()
    shape, dtype = shape_of(student.model), _dtype(student)
    if shape is None:
        unknown = f"{getattr(student.model, 'name', params.student)} is not on this machine, so its size is unknown"
        out.print(visible(f"finetune {params.student}: {unknown}"), soft_wrap=True)
        return
    machine = Measured(params.runtime)
    steps, load, sampled = steps_of(params, sample=sample)
    selection = params.finetune.selection
    scores = scorings(selection, steps, sample=sample)
    runs = selection.seeds if selection else 1
    found = forecast(shape, student.recipe, dtype, load, steps, runs, scores.encoded)
    here = _devices(params.runtime, machine, dtype)
    _print_lines(
        f"finetune {params.student}",
        [
            *_work(found, shape, student, sampled=sampled),
            *_costs(found, here),
            *([_scores(found, scores, here)] if selection else []),
            *_times(found, here, machine, dtype),
        ],
    )


def _devices(runtime: "Runtime", machine: "Measured", dtype: str) -> "Devices":
    """What there is here: processes on a CPU share its cores, which products have had all of, and its memory."""
    import torch

    from embedder.estimates.training import Devices
    from embedder.training.launching import wanted
    from embedder.training.room import free_bytes

    count = wanted(runtime)
    parts = 1 if machine.device.startswith("cuda") else count
    graphs = None if runtime.graphs is None else runtime.graphs * 2**30
    return Devices(count, machine.rate(dtype) / parts, free_bytes(torch.device(machine.device)) / parts, graphs)


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


def _costs(found: "Forecast", here: "Devices") -> Iterator[tuple[str, str]]:
    from embedder.cli.estimate import COUNTS, scaled

    yield "passes", _passes(found.passes(here), found.recipe)
    per_pass, per_step = (scaled(flops, COUNTS) for flops in (found.forward, found.step_flops(here)))
    yield "compute", f"{per_pass}FLOP a forward pass, {per_step}FLOP a step here"


def _scores(found: "Forecast", scores: "Scorings", here: "Devices") -> tuple[str, str]:
    from embedder.cli.estimate import duration

    count = "every so many steps, not counted yet" if scores.count is None else f"up to {scores.count:,}"
    texts = "dev queries and passages, not counted yet" if scores.texts is None else f"{scores.texts:,} texts each"
    took = f": {duration(found.score_seconds(here))} on one device here" if scores.encoded else ""
    return "scores", f"{count}, of {texts}{took}"


def _steps(steps: int | None, recipe: Any) -> str:  # noqa: ANN401 - a Recipe, imported for its type alone
    if steps is not None:
        return f"{steps:,} of up to {recipe.batch_size:,} rows"
    rows = f"{recipe.epochs:g} x the rows, each by its dataset's weight, not counted yet"
    return f"{rows}; a million rows are {-(-_ROWS // recipe.batch_size):,} steps"


def _passes(passes: float, recipe: Any) -> str:  # noqa: ANN401 - a Recipe, imported for its type alone
    again = passes - (2 if recipe.lora else 3) - recipe.gradient_checkpointing
    parts = ["forward", "backward" if recipe.lora else "backward, twice a forward"]
    parts += ["checkpoints again"] if recipe.gradient_checkpointing else []
    parts += [f"a second forward of {again:.0%} of the tokens, whose graphs do not fit here"] if again else []
    return f"as much as {passes:.1f} forward passes: {', '.join(parts)}"


def _times(found: "Forecast", here: "Devices", machine: "Measured", dtype: str) -> Iterator[tuple[str, str]]:
    from embedder.cli.estimate import COUNTS, scaled
    from embedder.estimates.training import SEED_DEVICES, SEED_HOURS

    slow = "" if machine.is_native(dtype) else f", which has no instructions for {dtype}"
    speed = f"{scaled(here.count * here.rate, COUNTS)}FLOP/s, half of what products reached just now{slow}"
    yield "here", f"{here.count} x {machine.device}: {_took(found, here)}; at {speed}"
    fit = f"{SEED_HOURS:g} h, as SFR-Embedding-Mistral took, are {found.steps_within(SEED_HOURS, SEED_DEVICES):,} such steps"
    passes = f"{found.passes(SEED_DEVICES):.1f} forward passes a step"
    yield "8 A100", f"{_took(found, SEED_DEVICES)}; {passes}, at 40 % of their peak, where {fit}"


def _took(found: "Forecast", devices: "Devices") -> str:
    from embedder.cli.estimate import duration

    hours = found.hours(devices)
    whole = "" if hours is None else f", {duration(hours * 3_600)} in all"
    return f"{duration(found.step_seconds(devices))} a step{whole}"
