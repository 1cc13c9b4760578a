"""Where every file lies, relative to the project's root: the one convention dvc.yaml repeats and a test compares."""

from pathlib import Path

PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
LOCK = Path("requirements.lock")
DATA = Path("data")
CACHE = DATA / "cache"
VECTORS = CACHE / "vectors"
TRAINING = CACHE / "finetune"
SPEED = TRAINING / "speed.csv"
MODELS = Path("models")
LABELS = Path("labels")

# In an order in which each finds what it reads.
STAGES = ("ingest", "base", "mine", "filter", "judge", "materialize", "finetune", "evaluate", "report")
PER_DATASET = frozenset({"ingest", "mine", "filter", "judge"})
SHARDS = DATA / "materialize" / "train"
MANIFEST = DATA / "materialize" / "manifest.json"
DROPPED = DATA / "materialize" / "dropped.parquet"
CARD = DATA / "materialize" / "README.md"
SELECTION = DATA / "materialize" / "selection"
BASE = DATA / "base"
BASE_MODEL = BASE / "model"
ADAPTER = DATA / "finetune" / "adapter"
MODEL = DATA / "finetune" / "model"
HISTORY = DATA / "finetune" / "history.csv"
PLAN = DATA / "finetune" / "plan.parquet"
METRICS = DATA / "evaluate" / "metrics.json"
SCORES = DATA / "evaluate" / "queries.parquet"
RESULTS = DATA / "evaluate" / "results.csv"
MODEL_CARD = DATA / "evaluate" / "model_card.md"
PAGE = DATA / "report" / "index.html"


def folder(stage: str, dataset: str | None = None) -> Path:
    """The folder a stage writes: `data/mine/faq`, or `data/evaluate` where all datasets share it."""
    return DATA / stage / dataset if dataset else DATA / stage


def table(stage: str, dataset: str, name: str) -> Path:
    """The Parquet file of one table: `data/mine/faq/run.parquet`."""
    return folder(stage, dataset) / f"{name}.parquet"


def labels(dataset: str) -> Path:
    """The verdicts of people on a dataset's pairs: a source, kept in git: `labels/faq.csv`."""
    return LABELS / f"{dataset}.csv"


def report(stage: str, dataset: str | None = None) -> Path:
    """The counts a stage leaves beside its tables."""
    return folder(stage, dataset) / "report.json"
