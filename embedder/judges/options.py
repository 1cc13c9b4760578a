"""What every judge's entry says but that of `none`."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from embedder.errors import JudgeError
from embedder.params.base import Model
from embedder.params.models import Percentile


class Judging(Model):
    """What is judged, and what becomes of a candidate that is judged relevant.

    Attributes:
        threshold: the score from which a passage is relevant; null where threshold_percentile says it.
        threshold_percentile: the same as a percentile (0 to 100) of the judge's scores of known positives; null where
            threshold says it.
        action: a relevant candidate is dropped, or it is relabelled: from there on it is a positive.
        top: how many kept candidates of each query are judged, best ranks first; null for all; 0 for none but those of
            the sample that measures contamination and those that a person has given a verdict on.
    """

    threshold: float | None
    threshold_percentile: Percentile | None
    action: Literal["drop", "relabel"]
    top: Annotated[int, Field(ge=0)] | None

    @model_validator(mode="after")
    def _one_threshold(self) -> "Judging":
        if (self.threshold is None) == (self.threshold_percentile is None):
            raise ValueError("one of threshold and threshold_percentile must be a number, and the other null")
        return self

    def relevant_from(self, positives: NDArray[np.float32]) -> float:
        """Return the score from which a passage is relevant, as float32 holds it.

        Args:
            positives: the judge's scores of known positives.

        Raises:
            JudgeError: a percentile is wanted, and no positive has a score.
        """
        if self.threshold is not None:
            return float(np.float32(self.threshold))
        if not len(positives):
            raise JudgeError("threshold_percentile: no known positive has a score of this judge; write a threshold")
        return float(np.float32(np.percentile(positives, self.threshold_percentile or 0.0)))
