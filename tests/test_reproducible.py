"""Same input, same bytes: two projects in two folders, with other hash seeds and thread counts."""

from pathlib import Path

from embedder import layout
from tests import project


def build(folder: Path, hash_seed: str, threads: str) -> dict[str, str]:
    """Run a project up to materialize and hash what it wrote."""
    root = project.make_project(folder, project.tiny_params())
    environment = {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    for stage in layout.STAGES[: layout.STAGES.index("materialize") + 1]:
        if stage == "base":
            continue
        for dataset in ["docs", "code"] if stage in layout.PER_DATASET else [""]:
            done = project.run(root, f"stages.{stage}", *filter(None, [dataset]), **environment)
            assert done.returncode == 0, done.stderr
    return project.outputs(root)


def test_two_runs_write_equal_bytes(tmp_path: Path) -> None:
    """Outputs up to materialize are byte-equal whatever the folder, the hash seed and the number of threads."""
    one = build(tmp_path / "one", "1", "1")
    two = build(tmp_path / "elsewhere" / "two", "4242", "2")
    assert one == two
    assert any(name.startswith("materialize/train/") for name in one)
