"""Draw negatives among what the rules kept: judged ones first, then by rank, by chance or by score."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder.seeds import rng

Floats = NDArray[np.float64]
How = Literal["top", "random", "score-weighted"]


def draw(judged: NDArray[np.bool_], scores: Floats, most: int, how: How, seed: int, *names: str) -> NDArray[np.int64]:
    """Draw up to `most` of a query's kept candidates.

    Args:
        judged: [kept] whether a candidate is a judged negative; candidates in ascending rank.
        scores: [kept] the teacher's.
        most: how many are wanted.
        how: `top` takes the best ranks; `random` every candidate with the same chance; `score-weighted` the next
            one always with a chance in proportion to exp(z), z its score standardised within the query.
        seed: the seed of the stage.
        names: what seeds the draw: the query, and its positive where each row has its own draw.

    Returns:
        Indices into the candidates, ascending, so ranks ascend too.
    """
    if len(judged) <= most:
        return np.arange(len(judged))
    if how == "top":
        order = np.arange(len(judged))
    elif how == "random":
        order = rng(seed, *names).permutation(len(judged))
    else:
        order = weighted_order(standardised(scores), rng(seed, *names))
    # Stable: judged negatives first, the draw's order within them and within the rest.
    first = order[np.argsort(~judged[order], kind="stable")][:most]
    return np.sort(first)


def standardised(scores: Floats) -> Floats:
    """Return the scores less their mean, in standard deviations: the same for BM25 and cosines; 0 where all are equal."""
    spread = scores.std()
    # Equal scores differ from their own mean by a rounding error, which is no spread.
    return (scores - scores.mean()) / spread if np.ptp(scores) > 0 and spread > 0 else np.zeros(len(scores))


def weighted_order(logits: Floats, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw all without replacement, the next one always with a chance in proportion to exp(logit).

    One exponential variable a candidate, divided by its weight, smallest first (Efraimidis and Spirakis 2006, algorithm
    A); in logarithms that is the Gumbel-top-k trick (Kool et al. 2019, arXiv 1903.06059). Equal keys by index.
    """
    with np.errstate(divide="ignore"):
        keys = np.log(-np.log1p(-random.random(len(logits)))) - logits
    return np.argsort(keys, kind="stable")
