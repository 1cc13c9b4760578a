"""What a training run was: one row a step, the same bytes for the same run."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One row of the history.

    Attributes:
        step: from 0.
        dataset: its name; empty where a batch is of several.
        epoch: how often the dataset had been gone through.
        rows: of the batch.
        passages: that its rows are compared with.
        texts: distinct ones, which were encoded.
        tokens: of these texts, without padding.
        padding: the share of padding in what was encoded.
        loss: the recipe's.
        learning_rate: of the step.
        gradient_norm: before it was shortened.
        positive_10: a tenth of the positives have a lower cosine; positive_50 and positive_90 likewise.
        negative_10: a tenth of the negatives that count have a lower cosine; negative_50 and negative_90 likewise.
    """

    step: int
    dataset: str
    epoch: int
    rows: int
    passages: int
    texts: int
    tokens: int
    padding: float
    loss: float
    learning_rate: float
    gradient_norm: float
    positive_10: float
    positive_50: float
    positive_90: float
    negative_10: float
    negative_50: float
    negative_90: float


def write_history(path: Path, history: Sequence[Step]) -> None:
    """Write the history as CSV, floats at six significant digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Step)])
        for step in history:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in asdict(step).values()])
