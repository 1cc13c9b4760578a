"""What a training run was: one row a step, the same bytes for the same run."""

import csv
from collections.abc import Mapping, Sequence
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
        masked_own: negatives that rows drew and that do not count: known to be right for their query, or nearly so.
        masked_in_batch: pairs of a row and a passage of another row that do not count for the same reason.
        masked_by_score: more such pairs, by the recipe's `score_mask`.
        rows_alone: rows that are left with their positive alone; they have loss 0.
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
    masked_own: int
    masked_in_batch: int
    masked_by_score: int
    rows_alone: int


def masked(history: Sequence[Step]) -> dict[str, int]:
    """Add up what did not count in some steps, by the names of the columns."""
    names = [field.name for field in fields(Step) if field.name.startswith("masked_")] + ["rows_alone"]
    return {name: sum(getattr(step, name) for step in history) for name in names}


def write_history(path: Path, runs: Mapping[int, Sequence[Step]]) -> None:
    """Write the histories of runs, by their seeds, as CSV: first the seed, floats at six significant digits."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["seed", *(field.name for field in fields(Step))])
        for seed, history in runs.items():
            for step in history:
                row = asdict(step).values()
                writer.writerow([seed, *(f"{value:.6g}" if isinstance(value, float) else value for value in row)])
