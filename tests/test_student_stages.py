"""The stages base and finetune as commands."""

import shutil
from pathlib import Path

from embedder.revisions import file_hashes
from tests import project
from tests.training_sets import write_shards


def build(folder: Path, hash_seed: str, ingested: Path | None = None) -> Path:
    """Run base and finetune in a made-up project and return its data folder."""
    root = project.make_project(folder, project.tiny_params())
    if ingested:
        shutil.copytree(ingested, root / "data" / "ingest")
    else:
        for name in ("docs", "code"):
            done = project.run(root, "stages.ingest", name)
            assert done.returncode == 0, done.stderr
    write_shards(root / "data" / "materialize" / "train", "docs")
    for stage in ("base", "finetune"):
        done = project.run(root, f"stages.{stage}", PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr
    return root / "data"


def test_two_runs_write_equal_bytes(tmp_path: Path) -> None:
    """Two projects in two folders, run with other hash seeds, write the same bases, adapters, models and histories."""
    one = build(tmp_path / "one", "1")
    two = build(tmp_path / "elsewhere" / "two", "4242", one / "ingest")
    for stage, expected in (("base", "model/model.safetensors"), ("finetune", "adapter/adapter_config.json")):
        assert file_hashes(one / stage) == file_hashes(two / stage)
        assert expected in file_hashes(one / stage)


def test_finetune_without_shards_is_one_line(tmp_path: Path) -> None:
    """Without shards the stage ends with exit code 2 and one line that names the stage to run."""
    root = project.make_project(tmp_path / "empty", project.tiny_params())
    done = project.run(root, "stages.finetune")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line == "error: data/materialize/train: no shards to train on; run `python -m stages.materialize`"
