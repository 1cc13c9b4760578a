"""Losses over a batch's similarities. Adding one: one function with the signature of `Loss`, one line in LOSSES."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Protocol):
    """What a loss is: it sees similarities, which column is each query's positive, and which columns count."""

    def __call__(self, similarities: "Tensor", targets: "Tensor", allowed: "Tensor", temperature: float) -> "Tensor":
        """Return the mean loss of the queries, a float32 scalar.

        Args:
            similarities: [queries, passages] cosines; a distinct passage is one column.
            targets: [queries] int64, the column of each query's positive.
            allowed: [queries, passages] bool, whether the passage counts for the query; its positive always does.
            temperature: what similarities are divided by.
        """
        ...


def info_nce(similarities: "Tensor", targets: "Tensor", allowed: "Tensor", temperature: float) -> "Tensor":
    """InfoNCE (van den Oord et al. 2018, arXiv 1807.03748, eq. 4), in float32 whatever the model's dtype.

    -log(exp(s+ / t) / sum over allowed p of exp(s_p / t)), meant over queries. A query whose positive alone is allowed
    has loss and gradient 0.
    """
    from torch.nn.functional import cross_entropy

    logits = (similarities.float() / temperature).masked_fill(~allowed, float("-inf"))
    return cross_entropy(logits, targets)


LOSSES: dict[str, Loss] = {"info_nce": info_nce}
