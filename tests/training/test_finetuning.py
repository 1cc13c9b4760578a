"""From a base and shards to the student that is saved: one run, or the best of several."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedder import layout
from embedder.errors import StudentError
from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.training import runs
from embedder.training.finetuning import Tuned, tune
from embedder.training.identity import identity
from embedder.training.states import state_of
from tests import project
from tests.training_sets import rows, student, training_set

RUNTIME = Runtime(device="cpu")
Fresh = Callable[[], SentenceTransformer]


class Scores:
    """A scorer whose scores are written down; 0.5 when they are used up."""

    def __init__(self, *values: float) -> None:
        self._values = list(values)
        self.asked = 0

    def __call__(self, model: SentenceTransformer) -> float:
        """Say the next score."""
        del model
        self.asked += 1
        return self._values.pop(0) if self._values else 0.5

    def report(self) -> dict[str, object]:
        """Say what was scored."""
        return {"queries": {"rooms": 3}, "without_queries": {}}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(**changes: object) -> Finetune:
    """Return the section `finetune` with other keys."""
    return Finetune.model_validate(project.tiny_params()["finetune"] | changes)


def selection(**changes: object) -> Finetune:
    """Return the section `finetune` with a selection."""
    plain = {"share": 0.5, "every": None, "patience": None, "scales": [1.0], "seeds": 1}
    return settings(selection=plain | changes)


def tuned_by(model: SentenceTransformer, entry: Student, asked: Finetune, scorer: Scores | None = None) -> Tuned:
    """Tune on made-up rows of two datasets."""
    sets = [training_set(rows()), training_set(rows(), "walls", "classification")]
    given: Any = scorer
    return tune(model, entry, sets, asked, RUNTIME, scorer=given)


def same(left: SentenceTransformer, right: SentenceTransformer) -> bool:
    """Whether two models have equal weights under equal names."""
    one, other = left.state_dict(), right.state_dict()
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_report_counts_rows_by_dataset(fresh: Fresh) -> None:
    """The report says for each dataset how many steps it had and how many of its rows were used, and is JSON."""
    tuned = tuned_by(fresh(), student(steps=8), settings())
    report = json.loads(json.dumps(tuned.report))
    (run,) = report["runs"]
    assert [run[key] for key in ("seed", "steps_planned", "steps", "steps_kept")] == [1, 8, 8, 8]
    assert (report["seeds"], len(tuned.history), len(tuned.batches)) == ([1], 8, 8)
    assert report["datasets"]["rooms"].items() >= {"steps": 4, "rows": 24, "rows_used": 24, "rows_seen": 32}.items()
    assert report["masked"] == {name: sum(getattr(one, name) for one in tuned.history) for name in report["masked"]}
    assert set(report["masked"]) == {"masked_own", "masked_in_batch", "masked_by_score", "rows_alone"}
    assert tuned.histories == {1: tuned.history}
    assert "selection" not in report
    assert tuned.chosen == ""
    assert tuned.model.max_seq_length == 16


def test_the_same_tuning_twice_gives_the_same_model(fresh: Fresh) -> None:
    """Two tunings have equal weights; another seed has others."""
    first = tuned_by(fresh(), student(), settings())
    runs.forget()
    again = tuned_by(fresh(), student(), settings())
    other = tuned_by(fresh(), student(seed=2), settings())
    assert same(first.model, again.model)
    assert not same(first.model, other.model)


@pytest.mark.parametrize("lora", [{"r": 2, "alpha": 4, "dropout": 0.3, "targets": "all-linear"}, None])
def test_run_k_is_that_of_the_recipe_s_seed_plus_k(fresh: Fresh, lora: dict[str, object] | None) -> None:
    """Of three runs of seed 1 the last is what a recipe with seed 3 trains alone: adapters, plan and dropout."""
    alone = tuned_by(fresh(), student(seed=3, lora=lora), settings())
    chosen = tuned_by(fresh(), student(seed=1, lora=lora), selection(seeds=3), Scores(0.1, 0.2, 0.4, 0.3))
    report: Any = chosen.report["selection"]
    assert report["chosen"]["seeds"] == (3,)
    assert same(alone.model, chosen.model)
    assert alone.history == chosen.history
    assert alone.report["datasets"] == chosen.report["datasets"]


def test_the_average_of_all_runs_can_be_chosen(fresh: Fresh) -> None:
    """Where the average scores best at scale 0.5 the model holds it, and every candidate's score is reported."""
    scorer = Scores(0.1, 0.2, 0.3, 0.2, 0.1, 0.9)
    tuned = tuned_by(fresh(), student(), selection(seeds=2, scales=[1.0, 0.5]), scorer)
    report: Any = tuned.report["selection"]
    assert [one["score"] for one in report["candidates"]] == [0.1, 0.2, 0.3, 0.2, 0.1, 0.9]
    assert report["chosen"] == {"seeds": (1, 2), "scale": 0.5, "score": 0.9, "why": "the highest of 6 scores"}
    whole: Any = json.loads(json.dumps(tuned.report))
    assert [one["seed"] for one in whole["runs"]] == whole["seeds"] == [1, 2]
    assert sum(one["steps"] for one in whole["datasets"].values()) == 12
    assert whole["masked"]["masked_own"] == sum(one.masked_own for run in tuned.histories.values() for one in run)
    assert {seed: len(history) for seed, history in tuned.histories.items()} == {1: 6, 2: 6}
    assert tuned.adapted.peft_config["default"].r == 4
    assert report["queries"] == {"rooms": 3}
    assert tuned.chosen == "runs of seed 1 and 2, scale 0.5, score 0.900000: the highest of 6 scores"


def test_the_best_step_is_kept_and_not_scored_again(fresh: Fresh) -> None:
    """Scored every 2 of 6 steps, best after the fourth: those weights are kept, and only other scales are scored."""
    scorer = Scores(0.1, 0.5, 0.2, 0.4)
    tuned = tuned_by(fresh(), student(), selection(every=2, scales=[1.0, 0.5]), scorer)
    report: Any = tuned.report["selection"]
    runs_of: Any = tuned.report["runs"]
    (run,) = runs_of
    assert (run["steps_planned"], run["steps"], run["steps_kept"], scorer.asked) == (6, 6, 4, 4)
    assert [one["value"] for one in run["scores"]] == [0.1, 0.5, 0.2]
    assert [one["score"] for one in report["candidates"]] == [0.5, 0.4]
    whole: Any = tuned.report["datasets"]
    assert sum(one["steps"] for one in whole.values()) == 4


def test_without_hope_a_run_ends(fresh: Fresh) -> None:
    """With patience 1 the run ends at the first score that is no better."""
    tuned = tuned_by(fresh(), student(), selection(every=2, patience=1), Scores(0.5, 0.4))
    found: Any = tuned.report["runs"]
    assert len(tuned.history) == 4
    assert [(one["steps_planned"], one["steps"], one["steps_kept"]) for one in found] == [(6, 4, 2)]


def test_a_selection_of_one_run_as_trained_changes_nothing(fresh: Fresh) -> None:
    """With one seed, scale 1 and no scores in training the model is the one without a selection."""
    plain = tuned_by(fresh(), student(), settings())
    chosen = tuned_by(fresh(), student(), selection(), Scores(0.3))
    assert same(plain.model, chosen.model)
    assert chosen.chosen.endswith("there is nothing else")


def test_checkpoints_are_gone_once_they_are_forgotten(fresh: Fresh) -> None:
    """Runs leave checkpoints of every seed, which forgetting removes."""
    tuned_by(fresh(), student(), selection(seeds=2), Scores())
    assert len(list(layout.TRAINING.rglob("*.safetensors"))) == 2
    runs.forget()
    assert list(layout.TRAINING.rglob("*.safetensors")) == []


def test_other_inputs_and_settings_are_another_identity() -> None:
    """What changes a run changes its identity; what is chosen after it, or saved, does not."""
    entry = student(steps=3)

    def of(asked: Finetune, shards: str, used: Student = entry) -> dict[str, str]:
        return identity({"shards": shards}, used, asked, "cpu")

    plain = of(settings(), "a")
    assert plain == of(settings(merged=False), "a")
    assert of(selection(), "a") == of(selection(scales=[0.5], seeds=2), "a")
    others = [of(settings(), "b"), of(settings(mini_batch_tokens=64), "a"), of(selection(every=1), "a")]
    others.append(of(settings(), "a", student(steps=3, learning_rate=0.2)))
    assert all(one != plain for one in others)


def test_the_backend_st_trains_too(fresh: Fresh) -> None:
    """With backend st the same plan is trained by sentence-transformers: the same steps, weights as close as sums are."""
    own, theirs = (tuned_by(fresh(), student(), settings(backend=name)) for name in ("own", "st"))
    assert [step.rows for step in own.history] == [step.rows for step in theirs.history]
    for name, value in state_of(own.model).items():
        torch.testing.assert_close(value, state_of(theirs.model)[name], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"room": {"batch_size": 4}}}, "recipe.datasets names 'room', which has no shards"),
        ({"steps": None, "epochs": 0.1, "warmup_steps": 9}, r"0\.1 epochs are 1 steps, of which warmup_steps 9"),
    ],
)
def test_a_plan_that_cannot_be_is_one_line(fresh: Fresh, changes: dict[str, object], message: str) -> None:
    """A dataset without shards, or a run that only warms up, is refused before training."""
    with pytest.raises(StudentError, match=message):
        tuned_by(fresh(), student(**changes), settings())


def test_no_rows_are_one_line(fresh: Fresh) -> None:
    """Shards without rows end in one line."""
    with pytest.raises(StudentError, match="no dataset of the shards has a row"):
        tune(fresh(), student(), [training_set([])], settings(), RUNTIME)
