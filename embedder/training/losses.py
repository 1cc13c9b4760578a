"""Losses over a batch's similarities. Adding one: one function with the signature of `Loss`, one line in LOSSES."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Compared:
    """What a loss sees of a batch; a distinct passage is one column.

    Attributes:
        similarities: [rows, passages] float32 cosines of each row's query.
        targets: [rows] int64, the column of each row's positive.
        allowed: [rows, passages] bool, whether the passage counts for the row; its positive always does.
        temperature: [rows, 1] float32, what similarities are divided by.
        listed: [rows, 1 + negatives] int64, the columns of the row's positive and of its own negatives.
        wanted: [rows, 1 + negatives] float32, the share of each that another model's scores give it; a row adds up to 1,
            or to 0 where there are no scores. None where nothing is distilled.
    """

    similarities: "Tensor"
    targets: "Tensor"
    allowed: "Tensor"
    temperature: "Tensor"
    listed: "Tensor"
    wanted: "Tensor | None"


Loss = Callable[[Compared], "Tensor"]
"""A loss: the mean over the rows of a batch, a float32 scalar."""


def info_nce(batch: Compared) -> "Tensor":
    """InfoNCE (van den Oord et al. 2018, arXiv 1807.03748, eq. 4), in float32 whatever the model's dtype.

    -log(exp(s+ / t) / sum over allowed p of exp(s_p / t)), meant over rows. A row whose positive alone is allowed has
    loss and gradient 0.
    """
    from torch.nn.functional import cross_entropy

    logits = (batch.similarities.float() / batch.temperature).masked_fill(~batch.allowed, float("-inf"))
    return cross_entropy(logits, batch.targets)


def listwise(batch: Compared) -> "Tensor":
    """Cross-entropy to the shares that another model's scores give a row's positive and its own negatives.

    The listwise loss of Cao et al. 2007 (ListNet, top one), over the row's own passages; rows without scores have loss
    0 and are counted in the mean.
    """
    import torch

    if batch.wanted is None:
        raise ValueError("nothing to distil: the batch has no scores")
    logits = batch.similarities.float().gather(1, batch.listed) / batch.temperature
    # A repeated column stands for no passage: rows have different numbers of negatives.
    absent = batch.listed == batch.targets[:, None]
    absent[:, 0] = False
    shares = torch.log_softmax(logits.masked_fill(absent, float("-inf")), dim=1)
    return -(batch.wanted * shares.masked_fill(absent, 0.0)).sum(dim=1).mean()


LOSSES: dict[str, Loss] = {"info_nce": info_nce, "listwise": listwise}
