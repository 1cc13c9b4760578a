"""The stages base, finetune and evaluate as commands."""

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

from embedder import layout, schemas, set_aside
from embedder.params.load import load
from embedder.revisions import file_hashes
from tests import project
from tests.training_sets import write_shards

SELECTION = {"share": 0.4, "every": 2, "patience": None, "scales": [1.0, 0.5], "seeds": 2}


def build(folder: Path, hash_seed: str, ingested: Path | None = None, selection: dict[str, Any] | None = None) -> Path:
    """Run base and finetune in a made-up project and return its data folder."""
    params = project.tiny_params()
    chooses = {
        "finetune": params["finetune"] | {"selection": selection},
        "runtime": params["runtime"] | {"processes": 2},
    }
    root = project.make_project(folder, params | (chooses if selection else {}))
    if ingested:
        shutil.copytree(ingested, root / "data" / "ingest")
    else:
        for name in ("docs", "code"):
            done = project.run(root, "stages.ingest", name)
            assert done.returncode == 0, done.stderr
    write_shards(root / "data" / "materialize" / "train", "docs")
    _write_selection(root)
    for stage in ("base", "finetune"):
        done = project.run(root, f"stages.{stage}", PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr
    return root / "data"


def _write_selection(root: Path) -> None:
    """Write what materialize would beside its shards."""
    with chdir(root):
        params = load()
        ingested = {name: schemas.read_ingested(name) for name in params.datasets}
        set_aside.write(layout.SELECTION, params.finetune.selection, params.datasets, ingested)


def test_two_runs_write_equal_bytes(tmp_path: Path) -> None:
    """Two projects in two folders, run with other hash seeds, write the same bases, adapters, models and histories."""
    one = build(tmp_path / "one", "1")
    two = build(tmp_path / "elsewhere" / "two", "4242", one / "ingest")
    for stage, expected in (("base", "model/model.safetensors"), ("finetune", "adapter/adapter_config.json")):
        assert file_hashes(one / stage) == file_hashes(two / stage)
        assert expected in file_hashes(one / stage)


def test_what_chooses_is_left_out_of_the_results(tmp_path: Path) -> None:
    """With a selection two processes choose and report every score, and evaluate measures the other dev queries alone."""
    data = build(tmp_path / "chosen", "1", selection=SELECTION)
    chosen = json.loads((data / "finetune" / "report.json").read_text())["selection"]
    assert len(chosen["candidates"]) == 6
    assert chosen["chosen"]["score"] == max(one["score"] for one in chosen["candidates"])
    done = project.run(data.parent, "stages.evaluate")
    assert done.returncode == 0, done.stderr
    report = json.loads((data / "evaluate" / "report.json").read_text())
    measured = schemas.read(data / "evaluate" / "queries.parquet", schemas.SCORES).to_pylist()
    tables = {
        name: schemas.read(data / "ingest" / name / "queries.parquet", schemas.QUERIES) for name in ("docs", "code")
    }
    drawn = set_aside.groups(tables.values(), 0.4)
    for name, queries in tables.items():
        aside = set(queries.filter(set_aside.set_aside(queries, drawn)).column("query_id").to_pylist())
        assert report["datasets"][name]["set_aside"] == chosen["queries"][name] == len(aside) > 0
        assert not aside & {one["query_id"] for one in measured if one["dataset"] == name}
        assert f"{len(aside)} dev queries more are left out" in (data / "evaluate" / "results.csv").read_text()
    assert report["verdict"]["line"] in done.stdout.replace("\n", "")
    assert report["verdict"]["line"].split(":")[0] in (data / "evaluate" / "model_card.md").read_text()
    assert json.loads((data / "evaluate" / "metrics.json").read_text())["verdict"] in (-1, 0, 1)
    assert not list((data / "cache" / "finetune").rglob("*.safetensors"))


def test_finetune_without_shards_is_one_line(tmp_path: Path) -> None:
    """Without shards the stage ends with exit code 2 and one line that names the stage to run."""
    root = project.make_project(tmp_path / "empty", project.tiny_params())
    done = project.run(root, "stages.finetune")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line == "error: data/materialize/train: no shards to train on; run `python -m stages.materialize`"
