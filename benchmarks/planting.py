"""Relevant passages planted in a set, and known ones hidden: what is relevant to each query, and what stays judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.seeds import rng
from embedder.texts import passage_text

SEED = 17
# What is planted: copies of a positive, edited copies of one, nothing (known positives are hidden), edited copies of
# passages that have nothing to do with the query.
KINDS = ("exact", "edited", "answer", "unrelated")
# Which of the relevant passages stay judged: a random half, the one that ranks best, the one that another teacher has best.
SCHEMES = ("random", "best", "other")
_PARTS = 8

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """An ingested set, some of its train queries chosen, those first that have several positives.

    Attributes:
        name: of its folder.
        positive_at: the relevance from which a passage is a positive.
        queries: table `queries` of the chosen ones.
        all_queries: table `queries`.
        corpus: table `corpus`.
        qrels: table `qrels`.
    """

    name: str
    positive_at: float
    queries: pa.Table
    all_queries: pa.Table
    corpus: pa.Table
    qrels: pa.Table

    @cached_property
    def texts(self) -> dict[str, str]:
        """The text of each passage."""
        columns = (self.corpus[name].to_pylist() for name in ("passage_id", "title", "text"))
        return {passage: passage_text(title, text) for passage, title, text in zip(*columns, strict=True)}

    @cached_property
    def relevant(self) -> list[list[str]]:
        """The known positives of each chosen query."""
        known: dict[str, list[str]] = {query: [] for query in self.queries["query_id"].to_pylist()}
        found = schemas.positives(self.qrels, self.positive_at)
        for query, passage in zip(found["query_id"].to_pylist(), found["passage_id"].to_pylist(), strict=True):
            if query in known:
                known[query].append(passage)
        return list(known.values())


@dataclass(frozen=True)
class Planted:
    """What was done to a set.

    Attributes:
        texts: the planted passages by id.
        relevant: of each chosen query, all relevant passages, planted ones included.
        hidden: of each chosen query, how many of them are to be hidden.
        reached: the dose that this makes of the dose that was asked for.
        also: of each chosen query, planted passages that were made of a positive of it for another query.
    """

    texts: Mapping[str, str]
    relevant: Sequence[Sequence[str]]
    hidden: Ints
    reached: float
    also: Sequence[Sequence[str]]

    @property
    def pairs(self) -> list[frozenset[str]]:
        """All that is relevant to each chosen query, judged or not."""
        return [frozenset([*one, *more]) for one, more in zip(self.relevant, self.also, strict=True)]


def choose(source: Source, count: int) -> Source:
    """Return the set with `count` of its queries."""
    several = np.array([len(positives) > 1 for positives in source.relevant])
    chance = rng(SEED, "queries", source.name).random(len(several))
    chosen = np.sort(np.lexsort((chance, ~several))[:count])
    return Source(
        source.name,
        source.positive_at,
        source.queries.take(pa.array(chosen)),
        source.all_queries,
        source.corpus,
        source.qrels,
    )


def plant(source: Source, kind: str, scheme: str, dose: float, depth: int) -> Planted:
    """Plant what makes `dose` of the candidates of a run of `depth` relevant and unjudged, were all of it retrieved."""
    known = source.relevant
    counts = np.array([len(one) for one in known], dtype=np.int64)
    total = round(dose * len(known) * depth)
    half = scheme == "random"
    caps = (
        (counts // 2 if half else counts - 1) if kind == "answer" else np.full(len(counts), 2 + int(3 * dose * depth))
    )
    hidden = _spread(caps, total, rng(SEED, source.name, "spread", (kind == "answer" and scheme) or "planted"))
    reached = float(hidden.sum() / (len(known) * depth))
    wanted = np.where(hidden > 0, np.maximum(counts, 2 * hidden if half else hidden + 1), counts) - counts
    nothing: list[list[str]] = [[] for _ in known]
    if kind == "answer":
        return Planted({}, known, hidden, reached, nothing)
    made = _made(source, kind, hidden if kind == "unrelated" else wanted)
    texts = {one: text for one, (text, _) in made.items()}
    of = {source: [one for one, (_, made_of) in made.items() if made_of == source] for _, source in made.values()}
    if kind == "unrelated":
        return Planted(texts, known, np.zeros_like(hidden), reached, nothing)
    copies = [[copy for passage in one for copy in of.get(passage, ())] for one in known]
    relevant = [[*one, *(_id(kind, i, j) for j in range(wanted[i]))] for i, one in enumerate(known)]
    also = [sorted(set(copied) - set(own)) for copied, own in zip(copies, relevant, strict=True)]
    return Planted(texts, relevant, hidden, reached, also)


def order(
    scheme: str, query: int, relevant: Sequence[str], scores: Mapping[str, Mapping[str, float]], own: str
) -> list[str]:
    """Put a query's relevant passages in the order in which they stay judged.

    Args:
        scheme: see `SCHEMES`.
        query: its number.
        relevant: the passages.
        scores: of each teacher, the scores of the passages; none where it did not retrieve one.
        own: the teacher that mines.
    """
    chance = dict(zip(relevant, rng(SEED, "order", str(query)).random(len(relevant)), strict=True))
    if scheme == "random":
        return sorted(relevant, key=lambda one: chance[one])
    judge = own if scheme == "best" else next(name for name in scores if name != own)
    return sorted(relevant, key=lambda one: (-scores[judge].get(one, -np.inf), chance[one]))


def _spread(caps: Ints, total: int, generator: np.random.Generator) -> Ints:
    """Spread so many over queries by chance, none above its cap."""
    slots = np.repeat(np.arange(len(caps)), caps)
    return np.bincount(generator.permutation(slots)[:total], minlength=len(caps))


def _id(kind: str, query: int, number: int) -> str:
    """Name a planted passage so that ties fall as they may."""
    return f"{sha256(f'{kind} {query} {number}'.encode()).hexdigest()[:16]}-planted"


def _made(source: Source, kind: str, counts: Ints) -> dict[str, tuple[str, str]]:
    """Make so many passages for each query; of each its text, and the passage that it is made of."""
    passages = list(source.texts)
    asked_for = {passage for relevant in source.relevant for passage in relevant}
    others = [passage for passage in passages if passage not in asked_for]
    found = {}
    for query, count in enumerate(counts.tolist()):
        for number in range(count):
            generator = rng(SEED, source.name, kind, str(query), str(number))
            pool = others if kind == "unrelated" else source.relevant[query]
            of, other = (one[int(generator.integers(len(one)))] for one in (pool, passages))
            text = source.texts[of]
            made = text if kind == "exact" else _edited(text, source.texts[other], generator)
            found[_id(kind, query, number)] = made, of
    return found


def _edited(text: str, other: str, generator: np.random.Generator) -> str:
    """Lengthen a text by 20 to 200 % of foreign words, or put foreign words in the place of 10 to 70 % of its parts."""
    words, foreign = text.split(), other.split() or ["other"]
    if generator.random() < 1 / 2:
        more = max(1, int(len(words) * generator.uniform(0.2, 2)))
        return " ".join([*words, *(foreign * (more // len(foreign) + 1))[:more]])
    length = max(1, len(words) // _PARTS)
    lost = generator.uniform(0.1, 0.7)
    for start in range(0, len(words), length):
        if generator.random() < lost:
            place = int(generator.integers(max(1, len(foreign) - length)))
            words[start : start + length] = (foreign[place : place + length] * length)[
                : len(words[start : start + length])
            ]
    return " ".join(words)


def with_planted(corpus: pa.Table, texts: Mapping[str, str]) -> pa.Table:
    """Return table `corpus` with the planted passages."""
    more = {"passage_id": list(texts), "title": [""] * len(texts), "text": list(texts.values())}
    both = pa.concat_tables([corpus.replace_schema_metadata(None), schemas.conform(schemas.CORPUS, more)])
    return both.take(pc.sort_indices(both, [("passage_id", "ascending")]))
