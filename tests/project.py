"""A whole tiny project in a folder: a made-up package to read, tiny parameters, this repository's stages and dvc.yaml."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "tinydocs"

VERBS = (
    "add",
    "bend",
    "carry",
    "draw",
    "enter",
    "fold",
    "gather",
    "hold",
    "index",
    "join",
    "keep",
    "load",
    "merge",
    "note",
    "open",
    "pack",
)
NOUNS = ("matrix", "vector", "graph", "table")
_PHRASES = (
    "The {noun} is read row by row and every {noun} cell is checked before the next {verb} step begins.",
    "Values that are missing in the {noun} are left alone, because to {verb} them would change their meaning.",
    "This takes time that grows with the size of the {noun}, and memory that does not.",
)


def make_package(site: Path, functions: int = 64) -> None:
    """Write an installed package of documented functions below `site`."""
    folder = site / PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Made-up functions."""\n')
    modules: dict[str, list[str]] = {}
    for number in range(functions):
        verb, noun = VERBS[number % len(VERBS)], NOUNS[number // len(VERBS) % len(NOUNS)]
        modules.setdefault(noun, []).append(_function(f"{verb}_{noun}", verb, noun, number))
    for noun, sources in modules.items():
        (folder / f"{noun}s.py").write_text(f'"""About the {noun}."""\n\n\n' + "\n\n".join(sources))
    info = site / f"{PACKAGE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    files = sorted(path.relative_to(site).as_posix() for path in folder.rglob("*.py"))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in [*files, f"{info.name}/METADATA"]))


def make_project(folder: Path, params: Mapping[str, Any]) -> Path:
    """Write a project: code, dvc.yaml, lock, the made-up package in `site`, git and DVC set up."""
    folder.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("stages", "embedder"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("config", ".gitignore"):
        (folder / ".dvc").mkdir(exist_ok=True)
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc" / name)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / ".gitignore", folder / "data" / ".gitignore")
    shutil.copytree(ROOT / "labels", folder / "labels")
    (folder / "requirements.lock").write_text(f"{PACKAGE}==1.0\n")
    make_package(folder / "site")
    write_params(folder, params)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def write_params(folder: Path, params: Mapping[str, Any]) -> None:
    """Write params.yaml as a user would: block style, no anchors."""
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda *_: True
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(dict(params), file)


def commit(folder: Path) -> None:
    """Commit all that git does not ignore."""
    who = ["-c", "user.name=Made Up", "-c", "user.email=made@up.invalid"]
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", *who, "commit", "--quiet", "-m", "A state"], cwd=folder, check=True)


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in the project, with its code and its package and nothing of this repository."""
    paths = os.pathsep.join([str(folder), str(folder / "site")])
    environ = os.environ | {
        "PYTHONPATH": paths,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "site"),
        **environment,
    }
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def outputs(folder: Path) -> dict[str, str]:
    """Hash every file below data/, less the cache."""
    data = folder / "data"
    files = sorted(p for p in data.rglob("*") if p.is_file() and p.relative_to(data).parts[0] != "cache")
    return {p.relative_to(data).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def dataset(view: str, packages: Sequence[str] = (PACKAGE,)) -> dict[str, Any]:
    """Return the entry of a retrieval dataset of the made-up package."""
    return {
        "task": "retrieval",
        "instruction": "Given a summary, retrieve what it summarises",
        "instruct_passages": False,
        "language": "en",
        "licence": "CC0-1.0",
        "path": "requirements.lock",
        "source": {
            "loader": "python-env",
            "view": view,
            "packages": list(packages),
            "versions": "locked",
            "dev_share": 0.25,
            "within": None,
        },
        "positive_at": 1,
        "negative_at": 0,
        "weight": 1.0,
        "label_mode": None,
        "ingest": {},
        "filter": {},
    }


def tiny_params() -> dict[str, Any]:
    """Return the parameters of a project that runs through in seconds."""
    bm25 = {
        "method": "lucene",
        "k1": 1.5,
        "b": 0.75,
        "delta": 0.5,
        "stem": True,
        "stop_words": True,
    }
    return {
        "teacher": "bm25",
        "student": "tiny",
        "judge": "none",
        "datasets": {"docs": dataset("pydoc-search"), "code": dataset("code-search")},
        "teachers": {
            "bm25": {"kind": "bm25", **bm25},
            "bm25-reference": {"kind": "bm25-reference", **bm25},
            "unused": {"kind": "bm25", **bm25, "k1": 0.9},
        },
        "ingest": {"max_characters": 10000, "max_reject_share": 0.5},
        "mine": {"depth": 12, "cosines": False},
        "filter": {
            "min_rank": 2,
            "max_rank": 10,
            "counted": "without_positives",
            "max_score": None,
            "min_score": None,
            "max_score_percentile": None,
            "min_score_percentile": None,
            "absolute_margin": None,
            "relative_margin": None,
            "percentile_margin": None,
            "reference": "lowest",
            "near_copy_jaccard": 0.8,
            "near_copy_size": 5,
            "near_copy_cosine": None,
        },
        "leak": {
            "draws": 2,
            "sample": 20,
            "controls": 10,
            "bootstrap_samples": 100,
            "confidence": 0.95,
            "seed": 1,
        },
        "judges": {"none": {"kind": "none"}},
        "materialize": {
            "num_negatives": 4,
            "min_negatives": 1,
            "sampling": "random",
            "max_reuse": None,
            "positives_per_query": 2,
            "on_shortage": "drop",
            "max_dropped_share": 0.9,
            "decontaminate_jaccard": 0.95,
            "shard_rows": 100,
            "seed": 1,
        },
        "students": {"tiny": _student(16), "small": _student(32)},
        "evaluate": {"lexical": "bm25", "bootstrap_samples": 100, "confidence": 0.95, "seed": 1},
        "finetune": {
            "backend": "own",
            "mini_batch_tokens": None,
            "cached_tokens": None,
            "merged": True,
            "selection": None,
        },
        "runtime": {"device": "cpu", "threads": 1, "log_interval": 10},
    }


def _student(hidden: int) -> dict[str, Any]:
    return {
        "model": {
            "kind": "offline",
            "layers": 1,
            "hidden": hidden,
            "heads": 2,
            "vocabulary": 500,
            "max_length": 64,
            "seed": 1,
        },
        "recipe": {
            "steps": 3,
            "epochs": None,
            "batch_size": 4,
            "homogeneous": True,
            "size_exponent": 0.0,
            "rows_per_query": None,
            "learning_rate": 0.001,
            "warmup_steps": 1,
            "weight_decay": 0.0,
            "max_grad_norm": 1.0,
            "losses": {"info_nce": 1.0},
            "distilled": None,
            "temperature": 0.05,
            "score_mask": None,
            "dimensions": [],
            "num_negatives": 2,
            "query_length": 16,
            "passage_length": 48,
            "datasets": {},
            "lora": {"r": 2, "alpha": 4, "dropout": 0.0, "targets": "all-linear"},
            "gradient_checkpointing": False,
            "seed": 1,
        },
    }


def _function(name: str, verb: str, noun: str, number: int) -> str:
    phrases = " ".join(phrase.format(verb=verb, noun=noun) for phrase in _PHRASES[number % 3 :])
    return f'''def {name}(values, limit={number}):
    """{verb.capitalize()} the values of a {noun} until limit {number} is met.

    {phrases}
    Callers {verb} at most {number} rows of the {noun} at once; number {number * 7 + 3} is where it stops to {verb}.
    """
    result = []
    for position, value in enumerate(values):
        if position > limit + {number}:
            break
        result.append((value, {number}, "{verb}", "{noun}"))
    return result
'''
