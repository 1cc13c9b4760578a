"""`embedder preset`, and what `python -m stages.finetune --dry-run` prints: forecasts on a terminal."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from embedder import layout
from embedder.cli.forecast import print_forecast
from embedder.cli.main import app
from embedder.estimates import rates
from embedder.params.load import load, parse
from tests import project, training_sets

PARAMS = (project.ROOT / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture(name="here", autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this repository's params.yaml, on a machine of 1 TFLOP/s."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(rates, "_peak", lambda device, dtype: 2e12)  # noqa: ARG005 - as it is called
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    """Run `embedder preset`."""
    return CliRunner().invoke(app, ["preset", *arguments])


def lines(text: str) -> dict[str, str]:
    """Return a forecast's lines by their labels."""
    return dict(re.findall(r"^(\S(?:.*?\S)?) {2,}(.*?) *$", text, re.MULTILINE))


def forecast(capsys: pytest.CaptureFixture[str], text: str, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - of params
    """Print a forecast of changed parameters, and return its lines."""
    print_forecast(parse(text).model_copy(update=changes))
    return lines(capsys.readouterr().out)


def test_presets_are_listed_with_a_line_each(here: Path) -> None:
    """Without a name there is one line a preset, and how to go on; nothing is written."""
    done = run()
    assert done.exit_code == 0
    listed = lines(done.stdout)
    assert {"bge-base", "e5", "laptop", "sfr"} <= set(listed)
    assert "SFR-Embedding-Mistral" in listed["sfr"]
    assert [path.name for path in here.iterdir()] == ["params.yaml"]


def test_a_preset_is_shown_with_its_forecast(here: Path) -> None:
    """With a name: what it is, what it leaves out, its datasets, and steps, tokens, passes and hours; nothing is written."""
    done = run("sfr")
    assert done.exit_code == 0
    assert "STS22" in done.stdout
    assert "datasets: msmarco, nq, fiqa" in done.stdout
    found = lines(done.stdout)
    assert found["trained"] == "20,971,520 of 7,110,660,096 parameters (LoRA, r = 8)"
    assert found["steps"] == "600 of up to 2,048 rows"
    assert found["a step"].startswith("18,432 texts, 4.46 M tokens")
    assert found["compute"].startswith("62.5 PFLOP a forward pass, ")
    assert found["8 A100"].startswith("3.1 min a step, 31 h in all; 3.0 forward passes a step")
    assert "15 h, as SFR-Embedding-Mistral took, are 288 such steps" in found["8 A100"]
    assert "scores" not in found
    assert "at 1 TFLOP/s" in found["here"]
    assert [path.name for path in here.iterdir()] == ["params.yaml"]


def test_a_preset_is_used() -> None:
    """--use writes params.yaml and says so; a second time there is nothing to write."""
    done = run("bge-base", "--use")
    assert done.exit_code == 0
    assert "wrote params.yaml.before, what params.yaml was\nwrote params.yaml\n" in done.stdout
    assert load().student == "bge-base"
    assert "params.yaml is that preset already" in run("bge-base", "--use").stdout


def test_settings_of_ones_own_are_not_replaced(here: Path) -> None:
    """--use over other settings is a mistake of one line and exit code 2, before anything is printed; --force does it."""
    (here / "params.yaml").write_text(PARAMS.replace("max_rank: 100", "max_rank: 90"), encoding="utf-8")
    done = run("laptop", "--use")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: params.yaml: holds settings of yours")
    assert run("laptop", "--use", "--force").exit_code == 0
    assert load().filter.max_rank == 100


@pytest.mark.parametrize(("arguments", "said"), [(("slr",), "did you mean 'sfr'"), (("--use",), "name the preset")])
def test_mistakes_are_one_line(arguments: tuple[str, ...], said: str) -> None:
    """An unknown name suggests the close one, and --use wants a name."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_make_repro_uses_a_preset_before_it_checks() -> None:
    """`make repro PRESET=laptop` writes params.yaml after the install and before all else; without one it does not."""
    import subprocess

    def planned(*arguments: str) -> list[str]:
        command = ["make", "--dry-run", "repro", *arguments]
        done = subprocess.run(command, cwd=project.ROOT, capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if line.startswith(("embedder", "dvc"))]

    whole = ["embedder check --params --quiet", "embedder prune", "dvc repro", "embedder results"]
    assert planned() == whole
    assert planned("PRESET=laptop") == ["embedder preset laptop --use", *whole]


def test_a_recipe_in_epochs_has_no_hours_before_there_are_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Without shards an epoch's steps are told by the million rows, and hours by the step."""
    found = forecast(capsys, PARAMS, student="mistral-7b")
    assert found["steps"] == "1 x the rows, each by its dataset's weight, not counted yet; a million rows are 489 steps"
    assert "in all" not in found["here"]


def test_the_dry_run_looks_into_the_shards(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With shards the plan's steps and distinct texts are counted: fewer than a full batch's; nothing is written."""
    from stages.finetune import finetune

    (here / layout.SHARDS).mkdir(parents=True)
    training_sets.write_shards(here / layout.SHARDS)
    before = sorted(here.rglob("*"))
    text = PARAMS.replace("batch_size: 128", "batch_size: 12", 1)
    (here / "params.yaml").write_text(text, encoding="utf-8")
    finetune(dry_run=True)
    found = lines(capsys.readouterr().out)
    assert found["steps"] == "80 of up to 12 rows"
    texts = re.match(r"(\d+) texts, (\d+) tokens \(as in batches of the shards\)", found["a step"])
    assert texts
    assert 12 < int(texts[1]) <= 36
    assert 0 < int(texts[2]) < 12 * (48 + 2 * 96)
    assert sorted(here.rglob("*")) == before


def test_several_seeds_take_several_times_as_long(capsys: pytest.CaptureFixture[str]) -> None:
    """finetune.selection.seeds is how many runs there are, and the forecast says and counts them."""
    chosen = "selection:\n    share: 0.5\n    every: null\n    patience: null\n    scales: [1.0]\n    seeds: 3\n"
    one = forecast(capsys, PARAMS, student="e5-mistral")
    three = forecast(capsys, PARAMS.replace("selection: null\n", chosen), student="e5-mistral")
    assert three["steps"] == "600 of up to 2,048 rows, 3 runs"
    assert "31 h in all" in one["8 A100"]
    assert "3.9 d in all" in three["8 A100"]
    assert three["scores"] == "up to 4, of dev queries and passages, not counted yet"


def test_scores_are_counted_beside(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the dev queries are set aside, their texts and corpora are counted, and their time is in the whole."""
    folder = here / layout.SELECTION / "faq"
    folder.mkdir(parents=True)
    for name, rows in (("queries", 1_000_000), ("corpus", 9_000_000), ("qrels", 7)):
        pq.write_table(pa.table({"row": pa.nulls(rows)}), folder / f"{name}.parquet")
    chosen = "selection:\n    share: 0.5\n    every: 100\n    patience: 2\n    scales: [1.0]\n    seeds: 1\n"
    text = PARAMS.replace("selection: null\n", chosen)
    found = forecast(capsys, text, student="e5-mistral")
    # 6 scores of 10 M texts of 62.5 PFLOP / 18,432 each, at half of 2 TFLOP/s; by one of 8 A100 18.9 days.
    assert found["scores"].startswith("up to 6, of 10,000,000 texts each: 23")
    assert "20 d in all" in found["8 A100"]


def test_memory_here_says_nothing_of_the_8_a100(capsys: pytest.CaptureFixture[str]) -> None:
    """What graphs may have on this machine changes its own row alone."""
    runtime = parse(PARAMS).runtime
    rows = [
        forecast(capsys, PARAMS, student="bge-base", runtime=runtime.model_copy(update={"graphs": size}))
        for size in (1e6, 0.0)
    ]
    assert rows[0]["8 A100"] == rows[1]["8 A100"]
    assert rows[0]["here"] != rows[1]["here"]


def test_room_for_graphs_saves_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """With runtime.graphs for all of a step nothing is encoded twice; with none of it everything is."""
    runtime = parse(PARAMS).runtime
    wide = forecast(capsys, PARAMS, student="e5-mistral", runtime=runtime.model_copy(update={"graphs": 1e6}))
    none = forecast(capsys, PARAMS, student="e5-mistral", runtime=runtime.model_copy(update={"graphs": 0.0}))
    assert wide["passes"] == "as much as 2.0 forward passes: forward, backward"
    assert none["passes"].startswith("as much as 3.0 forward passes: forward, backward, a second forward of 100%")


def test_a_model_that_is_not_here_is_said_so(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    """Of a Hub model of one's own that was never downloaded there is no forecast, and no error either."""
    text = PARAMS.replace("name: BAAI/bge-base-en-v1.5", "name: somebody/nothing")
    (here / "params.yaml").write_text(text, encoding="utf-8")
    print_forecast(load().model_copy(update={"student": "bge-base"}))
    assert "somebody/nothing is not on this machine, so its size is unknown" in capsys.readouterr().out
