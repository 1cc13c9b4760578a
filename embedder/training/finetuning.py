"""A student from its base to the one that is saved: plan, train, and choose where there is something to choose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from embedder.devices import reproducible
from embedder.errors import StudentError
from embedder.params.finetune import Finetune, Selection
from embedder.params.models import Student
from embedder.params.recipe import Recipe
from embedder.params.runtime import Runtime
from embedder.prompts import Prompts, prompts
from embedder.training.checks import check
from embedder.training.history import Step, masked
from embedder.training.identity import identity, plan_hash
from embedder.training.loop import Work
from embedder.training.memory import pieces_of
from embedder.training.objective import check_dimensions
from embedder.training.plans import Batch, plan
from embedder.training.processes import Alone, Processes
from embedder.training.runs import Run
from embedder.training.scores import best
from embedder.training.selection import Candidate, Choice, candidates, choose
from embedder.training.shards import TrainingSet
from embedder.training.states import state_of
from embedder.training.tunable import Tunable
from embedder.training.usage import usage

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from embedder.evaluation.scoring import Scorer
    from embedder.students import StudentOptions
    from embedder.training.states import State

_ALONE = Alone()

Score = Callable[[], float]


@dataclass(frozen=True)
class Tuned:
    """A student that is tuned, and whose adapters are not merged yet.

    Attributes:
        model: the student, with what was chosen.
        adapted: the PeftModel in it; None where all weights were trained.
        prompts: by dataset.
        batches: the plan of the run that was chosen, of the first of them where their average was.
        history: of the same run: one step a batch.
        histories: of all runs, by their seeds.
        report: what was trained on what, and what was chosen.
        chosen: the choice in words; empty without one.
    """

    model: "SentenceTransformer"
    adapted: Any
    prompts: dict[str, Prompts]
    batches: list[Batch]
    history: list[Step]
    histories: dict[int, list[Step]]
    report: dict[str, object]
    chosen: str


@dataclass(frozen=True)
class _Trained:
    """A run: its plan, what happened, and the weights that it made where something is chosen."""

    batches: list[Batch]
    run: Run
    state: "State | None"

    @property
    def steps(self) -> int:
        """How many steps made the weights."""
        return len(self.run.history) if self.run.kept is None else self.run.kept + 1


def tune(
    model: "SentenceTransformer",
    student: Student,
    sets: Sequence[TrainingSet],
    settings: Finetune,
    runtime: Runtime,
    *,
    inputs: Mapping[str, str] | None = None,
    scorer: "Scorer | None" = None,
    processes: Processes = _ALONE,
) -> Tuned:
    """Train on the shards: one run, or with a selection as many as it says, of which the best is chosen.

    Args:
        model: the base on its device, see `adapters.load_base`; it is changed in place.
        student: its options and recipe.
        sets: the rows of every dataset.
        settings: the section `finetune`.
        runtime: how it is carried out.
        inputs: hashes of what model, sets and scorer were read from: a killed run of others is not gone on with.
        scorer: what `settings.selection` chooses by.
        processes: that train together.

    Raises:
        StudentError: no dataset has a row and a weight, the recipe names a dataset without shards, or a loss, gradient
            or score is not finite.
    """
    recipe, selection = student.recipe, settings.selection
    check_dimensions(recipe, model.get_embedding_dimension() or 0)
    filled = {one.name: _prompts(cast("StudentOptions", student.model), one) for one in sets}
    tunable = Tunable(model, student, keeps=selection is not None)
    pieces = pieces_of(model, student, settings, runtime, processes.count)
    fixed = identity(inputs or {}, student, settings, str(model.device))
    score = _scoring(model, scorer)
    trained = {}
    for seed in _seeds(recipe, selection):
        batches = planned(sets, _of_seed(recipe, seed))
        work = Work(batches, {one.name: one for one in sets}, filled, recipe, pieces, processes)
        of_run = fixed | {"plan": plan_hash(batches)}
        trained[seed] = _train(tunable, work, runtime, of_run, seed, settings, score)
    parameters = _parameters(model)
    choice = _choose(tunable, trained, selection, score, processes) if selection else None
    used = {seed: trained[seed] for seed in (choice.candidate.seeds if choice else (recipe.seed,))}
    shown = next(iter(used.values()))
    longest = max(recipe.query_length, recipe.passage_length)
    model.max_seq_length = min(model.max_seq_length or longest, longest)
    report: dict[str, object] = {
        "parameters": parameters,
        "runs": _runs(trained),
        "seeds": list(used),
        "datasets": usage(sets, [(one.batches[: one.steps], _of_seed(recipe, seed)) for seed, one in used.items()]),
        "masked": masked([step for one in used.values() for step in one.run.history[: one.steps]]),
    }
    if choice and scorer:
        report["selection"] = scorer.report() | choice.report()
    said = choice.line if choice else ""
    histories = {seed: one.run.history for seed, one in trained.items()}
    return Tuned(model, tunable.adapted, filled, shown.batches, shown.run.history, histories, report, said)


def planned(sets: Sequence[TrainingSet], recipe: Recipe) -> list[Batch]:
    """Plan a recipe's batches.

    Raises:
        StudentError: no dataset has a row and a weight, the recipe does not fit the datasets, or warms up for longer
            than it trains.
    """
    check(sets, recipe)
    batches = plan({one.name: one.outline(recipe) for one in sets}, recipe)
    if not batches:
        raise StudentError(
            "no dataset of the shards has a row and a weight above 0; see data/materialize/manifest.json"
        )
    if recipe.warmup_steps >= len(batches):
        raise StudentError(
            f"{recipe.epochs} epochs are {len(batches)} steps, of which warmup_steps {recipe.warmup_steps} leave nothing"
        )
    return batches


def _train(
    tunable: Tunable,
    work: Work,
    runtime: Runtime,
    fixed: Mapping[str, str],
    seed: int,
    settings: Finetune,
    score: Score,
) -> _Trained:
    """Carry out one run from the base on."""
    selection = settings.selection
    scored = score if selection and selection.every else None
    with reproducible(seed):
        tunable.start()
        run = _backend(settings)(tunable.model, work, runtime, fixed, seed=seed, selection=selection, scorer=scored)
    return _Trained(list(work.batches), run, state_of(tunable.model) if selection else None)


def _backend(settings: Finetune) -> Callable[..., Run]:
    if settings.backend == "st":
        from embedder.training import st

        return st.run
    from embedder.training import runs

    return runs.run


def _choose(
    tunable: Tunable, trained: Mapping[int, _Trained], selection: Selection, score: Score, processes: Processes
) -> Choice:
    """Score every run and their average at every scale in the first process; the model holds the best in all."""

    def put(one: Candidate) -> None:
        states = [trained[seed].state for seed in one.seeds]
        tunable.hold([state for state in states if state is not None], one.scale)

    # As trained, a run was scored in training.
    found = {seed: best(one.run.scores) for seed, one in trained.items()}
    known = {Candidate((seed,), 1.0): one.value for seed, one in found.items() if one}
    among = candidates(list(trained), selection.scales)
    return choose(among, put, lambda: processes.agree(score() if processes.index == 0 else 0.0), known)


def _scoring(model: "SentenceTransformer", scorer: "Scorer | None") -> Score:
    def score() -> float:
        if scorer is None:
            raise ValueError("a selection needs a scorer")
        return scorer(model)

    return score


def _seeds(recipe: Recipe, selection: Selection | None) -> range:
    return range(recipe.seed, recipe.seed + (selection.seeds if selection else 1))


def _of_seed(recipe: Recipe, seed: int) -> Recipe:
    return recipe.model_copy(update={"seed": seed})


def _prompts(options: "StudentOptions", one: TrainingSet) -> Prompts:
    return prompts(
        options.query_prompt, options.passage_prompt, one.instruction, instruct_passages=one.instruct_passages
    )


def _parameters(model: "SentenceTransformer") -> dict[str, int]:
    """Of one run: an average has the adapters of several."""
    parameters = list(model.parameters())
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    return {"trained": trained, "all": sum(one.numel() for one in parameters)}


def _runs(trained: Mapping[int, _Trained]) -> list[dict[str, object]]:
    """What report.json says of each run: its seed, its steps, those that made its weights, its scores in training.

    A run may end before what was planned, for want of hope, and its best weights may be those of an earlier step.
    """
    return [
        {
            "seed": seed,
            "steps_planned": len(one.batches),
            "steps": len(one.run.history),
            "steps_kept": one.steps,
            "last_loss": round(one.run.history[-1].loss, 6),
            "scores": [asdict(score) for score in one.run.scores],
        }
        for seed, one in trained.items()
    ]
