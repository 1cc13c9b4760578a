"""Pairs whose answer is known, to measure a judge: known positives, and random passages."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedder import schemas, seeds
from embedder.contamination.priorities import priorities
from embedder.params.models import Leak

_TRIES = 100


@dataclass(frozen=True)
class Known:
    """What is known of the mined queries.

    Attributes:
        positives: columns query_id and passage_id, each pair once.
        judged: the same columns, of every judged pair, positives included.
        passage_ids: of the corpus, in order.
    """

    positives: pa.Table
    judged: pa.Table
    passage_ids: pa.Array | pa.ChunkedArray


def with_controls(kept: pa.Table, known: Known, settings: Leak) -> pa.Table:
    """Return table `sample`: the sampled candidates `kept`, known positives, and random passages; no pair twice."""
    tables = [kept, _positives(known, settings), _random(kept, known, settings)]
    return schemas.build(schemas.SAMPLE, pa.concat_tables([table.replace_schema_metadata(None) for table in tables]))


def _positives(known: Known, settings: Leak) -> pa.Table:
    """Draw among all positives, each with the same chance."""
    pairs = known.positives.select(["query_id", "passage_id"])
    order = np.argsort(priorities(f"{settings.seed} positive", *pairs.columns), kind="stable")
    return _table(pairs.take(pa.array(order[: settings.controls])), "positive")


def _random(kept: pa.Table, known: Known, settings: Leak) -> pa.Table:
    """Draw queries, each with the same chance, and for each a passage of the corpus of which nobody said anything."""
    queries = pc.unique(known.positives["query_id"])
    nothing = pa.array([""] * len(queries), pa.string())
    order = np.argsort(priorities(f"{settings.seed} random", queries, nothing), kind="stable")
    asked = queries.take(pa.array(order[: settings.controls])).to_pylist()
    taken = _passages(known.judged, asked)
    for query, passages in _passages(kept, asked).items():
        taken[query] |= passages
    found = []
    # Where there are fewer queries than controls, each is asked more than once.
    for number in range(settings.controls if asked else 0):
        query = asked[number % len(asked)]
        passage = _free(known.passage_ids, taken[query], f"{query} {number // len(asked)}", settings.seed)
        if passage is not None:
            taken[query].add(passage)
            found.append((query, passage))
    columns = [pa.array([pair[i] for pair in found], pa.string()) for i in range(2)]
    return _table(pa.table(columns, names=["query_id", "passage_id"]), "random")


def _passages(pairs: pa.Table, queries: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    chosen = pairs.filter(pc.is_in(pairs["query_id"], pa.array(queries, pa.string())))
    for query, passage in zip(chosen["query_id"].to_pylist(), chosen["passage_id"].to_pylist(), strict=True):
        found[query].add(passage)
    return found


def _free(passage_ids: pa.Array | pa.ChunkedArray, taken: set[str], what: str, seed: int) -> str | None:
    """Return a random passage that is not taken; None where hardly any is free."""
    for place in seeds.rng(seed, "random passage", what).integers(len(passage_ids), size=_TRIES).tolist():
        passage: str = passage_ids[place].as_py()
        if passage not in taken:
            return passage
    return None


def _table(pairs: pa.Table, kind: str) -> pa.Table:
    """Controls stand for themselves."""
    count = pairs.num_rows
    same = {"kind": pa.array([kind] * count, pa.string()), "stratum": pa.array([kind] * count, pa.string())}
    columns = {name: pairs[name] for name in ("query_id", "passage_id")}
    return schemas.conform(schemas.SAMPLE, columns | same | {"weight": pa.array(np.ones(count))})
