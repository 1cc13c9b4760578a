"""`embedder show --worst`: the kept negatives that are most likely false, for a person to judge."""

import numpy as np
from numpy.typing import NDArray

from embedder.cli import query_view
from embedder.cli.terminal import console
from embedder.filters import percentile
from embedder.inspection import Candidate, Mined, Tables, nearest, shared_words


def worst(dataset: str, most: int, positive_at: float, *, full: bool) -> None:
    """Print the kept negatives of a dataset that are most likely false, the likeliest first.

    Args:
        dataset: its name.
        most: how many.
        positive_at: the relevance from which a passage is a positive.
        full: whether texts and ids are printed whole.

    Raises:
        TableError: the dataset has no candidates yet.
    """
    out, tables = console(), Tables(dataset)
    query_view.print_facts(out, dataset, tables.made_by())
    keys = tables.worst(most, positive_at)
    out.print(
        f"{len(keys):,} of the kept negatives that no person judged, most likely relevant first: by how near they score to "
        "a positive, and after those by the judge's score where it looked"
    )
    threshold = tables.judge().get("threshold")
    scale = tables.scale(positive_at)
    found = {mined.query_id: mined for mined in tables.inspect({query_id for query_id, _ in keys}, positive_at)}
    for query_id, rank in keys:
        mined = found[query_id]
        candidate = next(one for one in mined.candidates if one.rank == rank)
        facts = _facts(mined, candidate, scale)
        query_view.print_candidate(out, mined, candidate, full=full, facts=facts | _judged(candidate, threshold))


def _facts(mined: Mined, candidate: Candidate, scale: NDArray[np.float64]) -> dict[str, str]:
    """Say which words candidate and nearest positive share, and where both scores lie among the dataset's positives."""
    positive = nearest(candidate.text, mined.positives)
    words, either = shared_words(candidate.text, positive.text) if positive else ([], 0)
    known = [one.score for one in mined.positives if one.score is not None]
    places = [f"{100 * place:.0f}" for place in percentile(np.array([candidate.score, *known]), scale)]
    lowest = f"its lowest positive's at {places[1 + known.index(min(known))]}" if known else "no positive of it has one"
    return {
        "shared": f"{len(words)} of {either} words{': ' if words else ''}{' '.join(words)}",
        "scale": f"score at percentile {places[0]} of the positives', {lowest}",
    }


def _judged(candidate: Candidate, threshold: float | None) -> dict[str, str]:
    """Say how far below its threshold the judge's score lies, where it looked."""
    if candidate.judge_score is None or threshold is None:
        return {}
    return {
        "judge": f"{threshold - candidate.judge_score:g} below {threshold:g}, from where it calls a passage relevant"
    }
