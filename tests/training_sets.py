"""Made-up shards, a small offline student and its entry, for tests of training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embedder import schemas
from embedder.params.models import Student
from embedder.training import shards
from embedder.training.shards import TrainingSet

COLOURS = ["red", "green", "blue", "amber", "violet", "silver"]
THINGS = [
    "apple",
    "boat",
    "candle",
    "door",
    "engine",
    "feather",
    "garden",
    "hammer",
    "island",
    "jacket",
    "kettle",
    "ladder",
]

_STUDENT: dict[str, Any] = {
    "model": {
        "kind": "offline",
        "layers": 1,
        "hidden": 16,
        "heads": 2,
        "vocabulary": 300,
        "max_length": 32,
        "seed": 1,
    },
    "recipe": {
        "steps": 6,
        "epochs": None,
        "batch_size": 8,
        "homogeneous": True,
        "size_exponent": 0.0,
        "rows_per_query": None,
        "learning_rate": 0.1,
        "warmup_steps": 2,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "losses": {"info_nce": 1.0},
        "distilled": None,
        "temperature": 0.05,
        "score_mask": None,
        "dimensions": [],
        "num_negatives": 2,
        "query_length": 8,
        "passage_length": 16,
        "datasets": {},
        "lora": {"r": 2, "alpha": 4, "dropout": 0.0, "targets": "all-linear"},
        "gradient_checkpointing": False,
        "seed": 1,
    },
}


def student(model: Mapping[str, Any] | None = None, /, **recipe: object) -> Student:
    """Return a student of a few thousand parameters whose training takes a second."""
    return Student.model_validate(
        {"model": model or _STUDENT["model"], "recipe": _STUDENT["recipe"] | recipe},
    )


def texts() -> list[str]:
    """Return the train texts of the offline student, sorted."""
    return sorted({passage(number) for number in range(72)} | {query(number) for number in range(72)})


def query(number: int) -> str:
    """Return the text of a query."""
    return f"where is the {COLOURS[number % 6]} {THINGS[number // 6 % 12]}"


def passage(number: int) -> str:
    """Return the text of the passage that answers the query of that number."""
    colour, thing = COLOURS[number % 6], THINGS[number // 6 % 12]
    return f"The {thing} painted {colour} stands in room {number}, beside a {THINGS[number % 12]}."


def row(number: int, negatives: Sequence[int], **changes: object) -> dict[str, Any]:
    """Return a shard's row for a query and the numbers of its negatives."""
    return {
        "dataset": "rooms",
        "query_id": f"q{number:03}",
        "positive_id": f"p{number:03}",
        "query": query(number),
        "instruction": "Find it",
        "positive": passage(number),
        "positive_ids": [f"p{number:03}"],
        "masked_ids": [],
        "positive_score": 1.0,
        "negative_ids": [f"p{one:03}" for one in negatives],
        "negatives": [passage(one) for one in negatives],
        "negative_ranks": list(range(1, len(negatives) + 1)),
        "negative_scores": [0.5] * len(negatives),
        "positive_judge_score": None,
        "negative_judge_scores": None,
        "task": "retrieval",
        "teacher": "made-up",
        "teacher_revision": "0",
    } | changes


def rows(count: int = 24) -> list[dict[str, Any]]:
    """Return rows with three negatives each."""
    return [row(number, [(number + step) % 72 for step in (7, 19, 31)]) for number in range(count)]


def training_set(
    content: Sequence[Mapping[str, Any]], name: str = "rooms", task: str = "retrieval", weight: float = 1.0
) -> TrainingSet:
    """Make a training set of rows in memory."""
    columns = {column: [one[column] for one in content] for column in schemas.SHARD.schema.names}
    said = {"task": task, "weight": str(weight), "instruction": "Find it", "instruct_passages": "false"}
    return shards.training_set(name, said, schemas.build(schemas.SHARD, columns))


def write_shards(folder: Path, name: str = "rooms", task: str = "retrieval", **metadata: str) -> None:
    """Write a dataset's rows as two shards."""
    said = {"dataset": name, "task": task, "weight": "1.0", "instruction": "Find it", "instruct_passages": "false"}
    content = [one | {"dataset": name, "task": task} for one in rows()]
    for number, part in enumerate((content[:16], content[16:])):
        columns = {column: [one[column] for one in part] for column in schemas.SHARD.schema.names}
        table = schemas.build(schemas.SHARD, columns, said | metadata)
        schemas.write(folder / f"{name}-{number:05}.parquet", schemas.SHARD, table)
