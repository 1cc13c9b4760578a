"""Draw negatives among what the rules kept: judged ones first, then by rank or at random with a seed per query."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder.seeds import rng


def draw(
    judged: NDArray[np.bool_], most: int, how: Literal["top", "random"], seed: int, query_id: str
) -> NDArray[np.int64]:
    """Draw up to `most` of a query's kept candidates.

    Args:
        judged: [kept] whether a candidate is a judged negative; candidates in ascending rank.
        most: how many are wanted.
        how: `top` takes the best ranks, `random` every candidate with the same chance.
        seed: the seed of the stage.
        query_id: the query, which seeds the draw.

    Returns:
        Indices into the candidates, ascending, so ranks ascend too.
    """
    if len(judged) <= most:
        return np.arange(len(judged))
    order = np.arange(len(judged)) if how == "top" else rng(seed, query_id).permutation(len(judged))
    # Stable: judged negatives first, the draw's order within them and within the rest.
    first = order[np.argsort(~judged[order], kind="stable")][:most]
    return np.sort(first)
