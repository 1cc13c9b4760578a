"""Which negatives train better: five arms, several seeds, the same dev queries, paired intervals.

Run where a project is ingested and mined: `python /path/to/benchmarks/ablation.py --out FOLDER`. Trained models lie in
FOLDER and are not trained again, so it can be killed and run again. Every run is made by the stages themselves; the arm
`random` alone changes their shards: its negatives are drawn from what of the corpus training may see. Label tasks are not trained.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow.compute as pc
import typer
from ruamel.yaml import YAML

from embedder import layout, schemas
from embedder.evaluation import measuring
from embedder.evaluation.dev import DevSet, Scores, dev_set
from embedder.evaluation.models import loaders
from embedder.evaluation.results import Measured, Row, rows
from embedder.params.load import Params, load
from embedder.params.models import LABEL_TASKS
from embedder.seeds import rng
from embedder.texts import passage_text

REPOSITORY = Path(__file__).resolve().parent.parent
REFERENCE = "bm25 30-100"
NEGATIVES = 7
_WINDOW_OFF = {"min_rank": None, "max_rank": None}
ARMS: dict[str, dict[str, Any]] = {
    "no hard negatives": {},
    "random": {},
    "bm25 1-100": {"min_rank": 1, "max_rank": 100},
    REFERENCE: {"min_rank": 30, "max_rank": 100},
    "percentile margin 0.1": {**_WINDOW_OFF, "percentile_margin": 0.1},
}
_YAML = YAML()


def main(
    out: Annotated[Path, typer.Option(help="Where models are kept.")],
    seeds: Annotated[int, typer.Option(help="Runs an arm.")] = 3,
    steps: Annotated[int, typer.Option(help="Steps a run.")] = 60,
    batch_size: Annotated[int, typer.Option(help="Rows a batch.")] = 64,
    lengths: Annotated[tuple[int, int], typer.Option(help="Tokens of queries and of passages.")] = (48, 96),
    threads: Annotated[int, typer.Option(help="Of each run.")] = 1,
    workers: Annotated[int, typer.Option(help="Runs side by side.")] = 1,
) -> None:
    """Train every arm with every seed, then print the table."""
    root = Path.cwd()
    recipe = {"steps": steps, "epochs": None, "batch_size": batch_size, "warmup_steps": max(1, steps // 10)}
    recipe |= {"query_length": lengths[0], "passage_length": lengths[1]}
    folders = {arm: _prepared(root, out.resolve(), arm, recipe) for arm in ARMS}
    runs = [(folders[arm], arm, seed) for seed in range(seeds) for arm in ARMS]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda run: _train(*run, recipe, threads), runs))
    _print_table(root, {arm: [folders[arm] / f"seed-{seed}" for seed in range(seeds)] for arm in ARMS})


def _slug(arm: str) -> str:
    return arm.replace(" ", "-").replace(".", "")


def _prepared(root: Path, out: Path, arm: str, recipe: Mapping[str, Any]) -> Path:
    """Filter, judge and materialize the arm's negatives, unless that is done; some arms start from the reference's."""
    folder = out / _slug(arm)
    if (folder / "done").exists():
        return folder
    (folder / layout.DATA / "materialize").mkdir(parents=True, exist_ok=True)
    for name in (layout.folder("ingest"), layout.folder("mine"), layout.BASE, layout.LABELS, Path("sources")):
        if (root / name).exists() and not (folder / name).is_symlink():
            (folder / name).symlink_to(root / name)
    _write_params(root, folder, arm, recipe, 17)
    if ARMS[arm]:
        for stage in ("filter", "judge"):
            for name in _datasets(root):
                _run(folder, stage, name)
        _run(folder, "materialize")
    else:
        made = _prepared(root, out, REFERENCE, recipe) / layout.folder("materialize")
        shutil.copytree(made, folder / layout.folder("materialize"), dirs_exist_ok=True)
    if arm == "random":
        for path in sorted((folder / layout.SHARDS).glob("*.parquet")):
            _randomise(path, folder, made)
    (folder / "done").touch()
    return folder


def _datasets(root: Path) -> list[str]:
    return list(_YAML.load((root / layout.PARAMS).read_text(encoding="utf-8"))["datasets"])


def _write_params(root: Path, folder: Path, arm: str, recipe: Mapping[str, Any], seed: int) -> None:
    content = _YAML.load((root / layout.PARAMS).read_text(encoding="utf-8"))
    content["filter"].update(ARMS[arm])
    negatives = 0 if arm == "no hard negatives" else NEGATIVES
    content["students"][content["student"]]["recipe"].update({**recipe, "num_negatives": negatives, "seed": seed})
    # A margin leaves many queries with few negatives; without them the arms would train on other queries.
    content["materialize"]["on_shortage"] = "keep"
    content["runtime"]["device"] = "cpu"
    for entry in content["datasets"].values():
        # Their negatives are the other labels, whatever is mined: the arms would train the same steps.
        if entry["task"] in LABEL_TASKS:
            entry["weight"] = 0
    with (folder / layout.PARAMS).open("w", encoding="utf-8") as file:
        _YAML.dump(content, file)


def _randomise(path: Path, folder: Path, made: Path) -> None:
    """Put random passages in the place of a shard's negatives: none that the dev split has or that was dropped."""
    table = schemas.read(path, schemas.SHARD)
    said = schemas.metadata(table)
    if said["task"] in LABEL_TASKS:
        return
    tables = [folder / layout.table("ingest", said["dataset"], name) for name in ("corpus", "queries", "qrels")]
    corpus = schemas.read(tables[0], schemas.CORPUS).to_pydict()
    queries = schemas.read(tables[1], schemas.QUERIES)
    dev = pc.is_in(
        (qrels := schemas.read(tables[2], schemas.QRELS))["query_id"],
        queries.filter(pc.equal(queries["split"], "dev"))["query_id"],
    )
    dropped = schemas.read(made / "dropped.parquet", schemas.DROPPED)
    dropped = dropped.filter(pc.equal(dropped["dataset"], said["dataset"]))
    never = {*qrels.filter(dev)["passage_id"].to_pylist(), *dropped["passage_id"].to_pylist()}
    texts = list(map(passage_text, corpus["title"], corpus["text"]))
    found = table.to_pydict()
    for place, query_id in enumerate(found["query_id"]):
        refused = {*found["positive_ids"][place], *found["masked_ids"][place]} | never
        wanted = len(found["negative_ids"][place])
        drawn = rng(17, said["dataset"], query_id).permutation(len(texts)).tolist()
        allowed = (one for one in drawn if corpus["passage_id"][one] not in refused)
        kept = list(islice(allowed, wanted))
        found["negative_scores"][place], found["negative_ranks"][place] = [0.0] * len(kept), [0] * len(kept)
        found["negative_ids"][place] = [corpus["passage_id"][one] for one in kept]
        found["negatives"][place] = [texts[one] for one in kept]
    schemas.write(path, schemas.SHARD, schemas.build(schemas.SHARD, found, said))


def _train(folder: Path, arm: str, seed: int, recipe: Mapping[str, Any], threads: int) -> None:
    """Run the stage finetune in a folder of its own, unless the model is there."""
    own = folder / f"seed-{seed}"
    if (own / layout.MODEL / "modules.json").exists():
        return
    (own / layout.DATA / "materialize").mkdir(parents=True, exist_ok=True)
    for name in (layout.SHARDS, layout.BASE, layout.SELECTION):
        if not (own / name).is_symlink():
            (own / name).symlink_to((folder / name).resolve())
    _write_params(folder, own, arm, recipe, 17 + 100 * seed)
    _run(own, "finetune", threads=threads)


def _run(folder: Path, stage: str, *arguments: str, threads: int = 1) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": str(threads)}
    print(f"{folder.name}: {stage} {' '.join(arguments)}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"stages.{stage}", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{folder}: {stage} failed\n{done.stderr[-2000:]}")


def _print_table(root: Path, models: Mapping[str, Sequence[Path]]) -> None:
    params = load()
    sets = {name: dev_set(name, entry, *schemas.read_ingested(name)) for name, entry in params.datasets.items()}
    sets = {name: one for name, one in sets.items() if measuring.unmeasurable(one) is None}
    scores = {arm: [_measured(params, sets, folder, root) for folder in folders] for arm, folders in models.items()}
    base = _of_model(params, sets, "base")
    print("| row | metric | n | base | arm | mean of seeds | lowest, highest | less bm25 30-100 (95 %) | outcome |")
    print("|---|---|---|---|---|---|---|---|---|")
    for arm, runs in scores.items():
        compared = _rows(params, sets, scores[REFERENCE], runs)
        each = [_rows(params, sets, [base], [run]) for run in runs]
        for number, row in enumerate(compared):
            print(_line(row, arm, [one[number] for one in each]), flush=True)


def _rows(
    params: Params,
    sets: Mapping[str, DevSet],
    left: Sequence[Mapping[str, Scores]],
    right: Sequence[Mapping[str, Scores]],
) -> list[Row]:
    measured = [
        Measured(
            name,
            one.task,
            {"base": _averaged([run[name] for run in left]), "tuned": _averaged([run[name] for run in right])},
            "",
            proxy=False,
        )
        for name, one in sets.items()
    ]
    return rows(measured, params.evaluate)


def _line(row: Row, arm: str, runs: Sequence[Row]) -> str:
    values = [run.tuned for run in runs]
    cells = [row.name, row.metric, str(row.queries), f"{runs[0].base:.4f}", arm, f"{np.mean(values):.4f}"]
    cells.append(f"{min(values):.4f}, {max(values):.4f}")
    if arm == REFERENCE:
        cells += ["", "the reference"]
    else:
        needed = f" (it would take n = {row.needed:,})" if row.needed else ""
        cells += [f"{row.difference:+.4f} ({row.low:+.4f} to {row.high:+.4f})", row.outcome + needed]
    return f"| {' | '.join(cells)} |"


def _averaged(runs: Sequence[Scores]) -> Scores:
    """One set of scores whose figures are the mean over runs of the same queries; the bootstrap draws runs too."""
    first = runs[0]
    statistics = [run.statistic for run in runs]

    def mean(draws: Any, generator: Any) -> Any:  # noqa: ANN401 - as bootstrap.Statistic
        figures = np.stack([one(draws, generator) for one in statistics], axis=1)
        if generator is not None:
            # Other seeds would have given other models: runs are drawn too, of each arm by itself.
            figures = np.take_along_axis(figures, generator.integers(len(runs), size=figures.shape), axis=1)
        return figures.mean(axis=1)

    return replace(first, values=np.mean([run.values for run in runs], axis=0), statistic=mean)


def _measured(params: Params, sets: Mapping[str, DevSet], folder: Path, root: Path) -> dict[str, Scores]:
    os.chdir(folder)
    print(f"evaluate {folder}", file=sys.stderr, flush=True)
    try:
        return _of_model(params, sets, "tuned")
    finally:
        os.chdir(root)


def _of_model(params: Params, sets: Mapping[str, DevSet], model: str) -> dict[str, Scores]:
    read = loaders(params)[model]()
    return {
        name: measuring.measure(one, read(params.datasets[name]), params.evaluate.seed) for name, one in sets.items()
    }


if __name__ == "__main__":
    typer.run(main)
