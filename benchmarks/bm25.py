"""BM25: the best 100 passages of many queries, by this project's teacher, by bm25s alone and by rank-bm25."""

import os
from argparse import Namespace
from importlib.util import find_spec
from typing import Any

import arms
import made_up
import numpy as np

_MEAN_WORDS = 60
_QUERY_WORDS = 6
_DISTINCT = 50_000
_K1, _B = 1.5, 0.75
_BACKEND = "numba" if find_spec("numba") else "numpy"


def ours(asked: Namespace) -> arms.Result:
    """Index and score as the mine stage does, the best passages taken out."""
    from embedder import teachers
    from embedder.ranking import scored_queries
    from embedder.teachers.bm25 import Options

    passages, queries = _texts(asked)
    ids = [f"{i:07}" for i in range(len(passages))]
    options = Options(kind="bm25", method="lucene", k1=_K1, b=_B, delta=0.5, stem=False, stop_words=False)
    with arms.measured() as indexing:
        teacher = teachers.build(options, teachers.Corpus(ids, passages))
    with arms.measured() as found:
        asking = teachers.Queries([str(i) for i in range(len(queries))], queries)
        scored = [one for block in teacher.score(asking) for one in scored_queries(block, len(ids))]
        best = [one.best(asked.k)[0][: asked.k] for one in scored]
    return _done(asked, "ours", found, indexing, best)


def bm25s(asked: Namespace) -> arms.Result:
    """Use bm25s at its best: numba where it is installed, one thread a core, compiled before the clock starts."""
    import bm25s as library

    passages, queries = _texts(asked)
    words: dict[str, Any] = {"stopwords": None, "show_progress": False}
    with arms.measured() as indexing:
        index = library.BM25(k1=_K1, b=_B, method="lucene", backend=_BACKEND)
        index.index(library.tokenize(passages, **words), show_progress=False)
    search: dict[str, Any] = {"k": asked.k, "n_threads": os.cpu_count(), "show_progress": False}
    index.retrieve(library.tokenize(queries[:1], **words), **search)
    with arms.measured() as found:
        best = index.retrieve(library.tokenize(queries, **words), **search).documents
    return _done(asked, "bm25s", found, indexing, list(best))


def rank_bm25(asked: Namespace) -> arms.Result:
    """Use rank-bm25 for few queries; the seconds are what all of them would take."""
    from rank_bm25 import BM25Okapi

    passages, queries = _texts(asked)
    some = queries[: asked.slow_queries]
    with arms.measured() as indexing:
        index = BM25Okapi([text.split() for text in passages], k1=_K1, b=_B)
    with arms.measured() as found:
        best = []
        for text in some:
            scores = index.get_scores(text.split())
            top = np.argpartition(scores, -asked.k)[-asked.k :]
            best.append(top[np.argsort(-scores[top])])
    found["seconds"] *= len(queries) / len(some)
    return _done(asked, "rank-bm25", found, indexing, best)


def compare(asked: Namespace) -> None:
    """Print the table."""
    results = arms.in_turn(ARMS, list(ARMS), asked.rounds, asked)
    best = {name: np.load(asked.folder / f"{name}.npy") for name in ARMS}
    for name, ran in results.items():
        for one in ran:
            one["per_second"] = asked.queries / one["seconds"]
            one["overlap"] = _overlap(best[name], best["ours"])
    print(arms.heading(f"BM25: best {asked.k} of {asked.passages:,} passages for {asked.queries:,} queries", asked))
    print(f"Zipf words, {_MEAN_WORDS} a passage. Seconds are of the search, queries tokenized in it; ", end="")
    print(f"bm25s has its {_BACKEND} backend and a thread a core. ", end="")
    print(
        f"rank-bm25 answered {min(asked.slow_queries, asked.queries)} queries; its seconds are extrapolated. ", end=""
    )
    print("Overlap is of the best passages with ours; rank-bm25 has another IDF.\n")
    more = {"index_s": "index seconds", "per_second": "queries/s", "overlap": "overlap"}
    print(arms.table(results, "ours", **more), end="\n\n")


def _texts(asked: Namespace) -> tuple[list[str], list[str]]:
    words = made_up.vocabulary(_DISTINCT)
    return (
        made_up.texts(asked.passages, _MEAN_WORDS, 1, words),
        made_up.texts(asked.queries, _QUERY_WORDS, 2, words),
    )


def _done(asked: Namespace, name: str, found: arms.Result, indexing: arms.Result, best: list[Any]) -> arms.Result:
    rows = np.full((len(best), asked.k), -1, np.int64)
    for row, places in enumerate(best):
        rows[row, : len(places)] = places
    np.save(asked.folder / f"{name}.npy", rows)
    return found | {"index_s": indexing["seconds"]}


def _overlap(found: Any, reference: Any) -> float:  # noqa: ANN401 - arrays
    pairs = zip(found, reference[: len(found)], strict=True)
    return float(np.mean([len(np.intersect1d(one, other)) / len(np.unique(other)) for one, other in pairs]))


ARMS: dict[str, arms.Arm] = {"ours": ours, "bm25s": bm25s, "rank-bm25": rank_bm25}

if __name__ == "__main__":
    numbers = {"passages": 50_000, "queries": 2_000, "k": 100, "slow_queries": 20, "rounds": 3}
    arms.main(ARMS, arms.parser(__doc__, **numbers).parse_args(), compare)
