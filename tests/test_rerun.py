"""What a change re-runs, on real DVC with the real stages and two tiny datasets."""

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import project

LATER = {"materialize", "finetune", "evaluate", "report"}
D1, D2 = "docs", "code"


def of(*stages: str, dataset: str | None = None) -> set[str]:
    """Name stages of one dataset or of both."""
    return {f"{stage}@{d}" for stage in stages for d in ([dataset] if dataset else [D1, D2])}


class Repro:
    """A project that has been reproduced once."""

    def __init__(self, folder: Path) -> None:
        self.params: dict[str, Any] = project.tiny_params()
        self.folder = project.make_project(folder, self.params)
        self.first = self.repro()

    def repro(self) -> set[str]:
        """Run `dvc repro` and return the stages that ran; those restored from the run cache did not."""
        project.write_params(self.folder, self.params)
        done = project.run(self.folder, "dvc", "repro")
        assert done.returncode == 0, done.stdout + done.stderr
        return set(re.findall(r"Running stage '([^']+)'", done.stdout))

    def after(self, change: Callable[[dict[str, Any]], object]) -> set[str]:
        """Apply a change to the parameters and return what ran."""
        change(self.params)
        return self.repro()

    def without(self, dataset: str) -> set[str]:
        """Remove a dataset and its folders and return what ran."""
        self.params["datasets"].pop(dataset)
        project.write_params(self.folder, self.params)
        assert project.run(self.folder, "embedder.cli.main", "prune").returncode == 0
        return self.repro()

    def outputs(self) -> Mapping[str, str]:
        """Hash what the project has written."""
        return project.outputs(self.folder)


@pytest.fixture(scope="module")
def repro(tmp_path_factory: pytest.TempPathFactory) -> Repro:
    """One project for the whole table: every test leaves it as it found it."""
    return Repro(tmp_path_factory.mktemp("rerun") / "project")


def test_first_run_runs_everything(repro: Repro) -> None:
    """A fresh clone runs every stage once."""
    assert repro.first == of("ingest", "mine", "filter", "judge") | {"base"} | LATER


def test_nothing_changed_runs_nothing(repro: Repro) -> None:
    """`dvc repro` without a change runs nothing."""
    assert repro.repro() == set()


def test_the_plain_loop_writes_what_dvc_does(repro: Repro, tmp_path: Path) -> None:
    """`python -m stages.all`, without DVC and in another folder, writes the same bytes up to the report."""
    loop = project.make_project(tmp_path / "loop", repro.params)
    done = project.run(loop, "stages.all")
    assert done.returncode == 0, done.stderr
    assert project.outputs(loop) == repro.outputs()


def test_unused_teacher_and_runtime_run_nothing(repro: Repro) -> None:
    """An unused teacher's entry and the runtime section are tracked by no stage."""

    def change(params: dict[str, Any]) -> None:
        params["teachers"]["unused"]["k1"] = 1.1
        params["runtime"]["log_interval"] = 5

    assert repro.after(change) == set()


def test_window_runs_filter_and_later(repro: Repro) -> None:
    """A changed window runs filter and later; changed back, nothing runs and all is restored."""
    before = repro.outputs()
    assert repro.after(lambda p: p["filter"].update(min_rank=4)) == of("filter", "judge") | LATER
    assert repro.outputs() != before
    assert repro.after(lambda p: p["filter"].update(min_rank=2)) == set()
    assert repro.outputs() == before


def test_override_runs_that_datasets_filter_and_later(repro: Repro) -> None:
    """A dataset's own filter override runs its filter and later, and no other dataset's.

    base tracks all of `datasets`, so that a removed one leaves it; it runs too, and writes what it wrote before.
    """
    base = {name: digest for name, digest in repro.outputs().items() if name.startswith("base/")}
    ran = repro.after(lambda p: p["datasets"][D1]["filter"].update(min_rank=3))
    assert ran == of("filter", "judge", dataset=D1) | {"base"} | LATER
    assert {name: digest for name, digest in repro.outputs().items() if name.startswith("base/")} == base
    assert repro.after(lambda p: p["datasets"][D1]["filter"].clear()) == set()


def test_teacher_swap_runs_mine_and_later(repro: Repro) -> None:
    """Another teacher runs mine and later; swapped back, nothing runs and all is restored."""
    before = repro.outputs()
    ran = repro.after(lambda p: p.update(teacher="bm25-reference"))
    assert of("mine", "filter", "judge") | {"materialize"} <= ran
    assert not ran & (of("ingest") | {"base"})
    assert repro.after(lambda p: p.update(teacher="bm25")) == set()
    assert repro.outputs() == before


def test_student_swap_runs_base_and_finetune_and_later(repro: Repro) -> None:
    """Another student runs base, finetune and what reads them; swapped back, nothing runs."""
    assert repro.after(lambda p: p.update(student="small")) == {"base", "finetune", "evaluate", "report"}
    assert repro.after(lambda p: p.update(student="tiny")) == set()


def test_dataset_added_and_removed(repro: Repro) -> None:
    """A new dataset runs its own stages and what joins datasets; removed, its rows are gone everywhere."""
    before = repro.outputs()
    third = copy.deepcopy(project.dataset("pydoc-search"))
    third["filter"] = {"max_rank": 9}
    ran = repro.after(lambda p: p["datasets"].update(third=third))
    stages = {f"{stage}@third" for stage in ("ingest", "mine", "filter", "judge")}
    assert stages | {"materialize", "evaluate"} <= ran
    assert not ran & of("ingest", "mine", "filter", "judge")
    assert any("third" in name for name in repro.outputs())
    repro.without("third")
    assert repro.outputs() == before


def test_an_evaluation_only_dataset_trains_nothing(repro: Repro) -> None:
    """A dataset of weight 0 is ingested, mined and evaluated; nothing is trained again, nor when it goes."""
    before = repro.outputs()
    entry = project.dataset("pydoc-search") | {"weight": 0.0}
    ran = repro.after(lambda p: p["datasets"].update(measured=entry))
    assert {"ingest@measured", "base", "materialize", "evaluate"} <= ran
    assert "finetune" not in ran
    assert "finetune" not in repro.without("measured")
    assert repro.outputs() == before


def test_a_selections_scales_run_finetune_and_not_what_it_is_scored_on(repro: Repro) -> None:
    """Switched on, a selection runs materialize and finetune; other scales leave the bytes of materialize as they are."""
    before = repro.outputs()
    selection = {"share": 0.4, "every": None, "patience": None, "scales": [1.0], "seeds": 1}
    chosen = {"materialize", "finetune", "evaluate", "report"}
    assert repro.after(lambda p: p["finetune"].update(selection=selection)) == chosen
    aside = {name: digest for name, digest in repro.outputs().items() if name.startswith("materialize/")}
    assert "materialize/selection/docs/qrels.parquet" in aside
    assert "finetune" in repro.after(lambda p: p["finetune"].update(selection=selection | {"scales": [0.5, 1.0]}))
    again = {name: digest for name, digest in repro.outputs().items() if name.startswith("materialize/")}
    assert again == aside
    measured = project.dataset("pydoc-search") | {"weight": 0.0}
    assert "finetune" not in repro.after(lambda p: p["datasets"].update(measured=measured))
    repro.params["finetune"]["selection"] = None
    repro.without("measured")
    assert repro.outputs() == before


def test_comment_in_a_module_runs_its_stage_and_stops_there(repro: Repro) -> None:
    """A comment in a stage's module runs that stage; equal bytes stop the rest."""
    before = repro.outputs()
    module = repro.folder / "embedder" / "sampling.py"
    module.write_text(module.read_text() + "\n# A comment.\n")
    assert repro.repro() == {"materialize"}
    assert repro.outputs() == before


def test_metrics_plots_and_experiments_show(repro: Repro) -> None:
    """`dvc metrics show` and `dvc exp show` name the figures, and there is a plot to draw."""
    metrics = project.run(repro.folder, "dvc", "metrics", "show", "--json")
    assert metrics.returncode == 0
    assert "retrieval" in metrics.stdout
    assert len(re.findall(r"[0-9]\.[0-9]", metrics.stdout)) >= 3
    project.commit(repro.folder)
    experiments = project.run(repro.folder, "dvc", "exp", "show", "--csv").stdout
    header, workspace = experiments.splitlines()[:2]
    assert {"retrieval_ndcg10_tuned", "teacher"} <= set(header.replace(":", ",").split(","))
    assert ",bm25," in workspace
    plots = project.run(repro.folder, "dvc", "plots", "show", "--out", "plots")
    assert plots.returncode == 0, plots.stderr
    assert (repro.folder / "plots" / "index.html").is_file()
