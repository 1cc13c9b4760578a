"""The section `leak` for tests, and what a judge of known errors answers."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder import schemas
from embedder.params.models import Leak

_LEAK: dict[str, Any] = {
    "draws": 7,
    "sample": 200,
    "controls": 100,
    "bootstrap_samples": 400,
    "confidence": 0.95,
    "seed": 17,
}


def leak(**changes: object) -> Leak:
    """Return a section that samples 200 pairs and 100 controls of each kind."""
    return Leak.model_validate(_LEAK | changes)


def answered(
    sample: pa.Table,
    relevant: NDArray[np.bool_],
    errors: tuple[float, float],
    generator: np.random.Generator,
    fails: float = 0.0,
) -> pa.Table:
    """Return table `labels` of a judge with the sensitivity and the specificity in `errors`."""
    says = generator.random(len(relevant)) < np.where(relevant, errors[0], 1 - errors[1])
    failed = generator.random(len(relevant)) < fails
    answers = {"judge_score": pa.array(says.astype(np.float32), mask=failed), "relevant": pa.array(says, mask=failed)}
    return schemas.build(schemas.LABELS, {name: sample[name] for name in sample.column_names} | answers)
