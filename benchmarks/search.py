"""Exact search by inner product: this project's engines, FAISS, and torch; and memory as the corpus grows."""

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

import arms
import made_up
import numpy as np
from numpy.typing import NDArray

from embedder.search.streamed import Merge, top_k

if TYPE_CHECKING:
    from embedder.vectors.store import Space

Floats = NDArray[np.float32]
Found = tuple[NDArray[np.int64], Floats]

_UNIT = 8_192
_TOLERANCE = 1e-5
_ALLOWED_GROWTH = 1.3
_BLOCK = 1_000
# What the teachers of kind dense take at once.
_SHARD_BYTES = 2**28


def ours(asked: Namespace) -> arms.Result:
    """Search with the engine that a teacher takes on a CPU: tiles of bfloat16 where the CPU has it."""
    from embedder.search.engines import engine

    return _ours(asked, "ours", engine("cpu"))


def ours_plain(asked: Namespace) -> arms.Result:
    """Search with FAISS's proposals, whatever the CPU has."""
    from embedder.search.engines import faiss_cpu
    from embedder.search.streamed import proposing

    return _ours(asked, "ours, plain", proposing(faiss_cpu))


def faiss(asked: Namespace) -> arms.Result:
    """Search with FAISS itself."""
    import faiss as library

    def search(queries: Floats, passages: Floats) -> Found:
        scores, places = library.knn(queries, passages, asked.k, metric=library.METRIC_INNER_PRODUCT)
        return places, scores

    return _measured(asked, "faiss.knn", search)


def torch(asked: Namespace) -> arms.Result:
    """Search with torch's matrix product and top k, queries in blocks."""
    import torch as library

    def search(queries: Floats, passages: Floats) -> Found:
        corpus, parts = library.from_numpy(passages).T, []
        for start in range(0, len(queries), _BLOCK):
            scores, places = (library.from_numpy(queries[start : start + _BLOCK]) @ corpus).topk(asked.k, dim=1)
            parts.append((places.numpy(), scores.numpy()))
        return np.concatenate([one for one, _ in parts]), np.concatenate([one for _, one in parts])

    return _measured(asked, "torch", search)


def fill(asked: Namespace) -> arms.Result:
    """Write a store of vectors, as encoding would."""
    from embedder.vectors.keys import text_keys

    space = _space(asked)
    with arms.measured() as found:
        for start in range(0, asked.passages, _UNIT):
            count = min(_UNIT, asked.passages - start)
            vectors = made_up.vectors(count, asked.dimensions, 3 + start, asked.centres)
            space.add(text_keys(map(str, range(start, start + count))), vectors)
    return found


def stored(asked: Namespace) -> arms.Result:
    """Search what a store holds, as a teacher does."""
    from embedder.search.engines import engine
    from embedder.vectors.keys import text_keys

    queries, chosen = made_up.vectors(asked.queries, asked.dimensions, 2, asked.centres), engine("cpu")
    top_k(queries, [(np.arange(asked.k), queries[: asked.k])], 1, chosen)
    with arms.measured() as found:
        keys = text_keys(map(str, range(asked.passages)))
        shards = _space(asked).shards(keys, max(1, _SHARD_BYTES // (4 * asked.dimensions)))
        top_k(queries, shards, asked.k, chosen)
    return found | _rate(asked, found)


def compare(asked: Namespace) -> None:
    """Print the tables, and stop with an error where a result is not the exact one."""
    print(arms.heading(f"Exact search: best {asked.k}, vectors of {asked.dimensions} numbers", asked))
    wrong: list[str] = []
    for centres, said in ((0, "anywhere on the sphere"), (asked.centres, f"around {asked.centres} centres")):
        results = arms.in_turn(ARMS, list(ARMS)[:4], asked.rounds, asked, centres=centres)
        print(f"{asked.queries:,} queries, {asked.passages:,} passages, {said}:\n")
        print(arms.table(results, "ours", gflops="GFLOP/s"), end="\n\n")
        wrong += [f"{said}: {line}" for line in _check(asked)]
    wrong += _growth(asked)
    if wrong:
        raise SystemExit("\n".join(wrong))


def _ours(asked: Namespace, name: str, engine: Merge) -> arms.Result:
    def search(queries: Floats, passages: Floats) -> Found:
        rows = max(1, _SHARD_BYTES // (4 * asked.dimensions))
        places = np.arange(len(passages))
        parts = [slice(start, start + rows) for start in range(0, len(passages), rows)]
        return top_k(queries, ((places[part], passages[part]) for part in parts), asked.k, engine)

    return _measured(asked, name, search)


def _measured(asked: Namespace, name: str, search: Callable[[Floats, Floats], Found]) -> arms.Result:
    queries = made_up.vectors(asked.queries, asked.dimensions, 2, asked.centres)
    passages = made_up.vectors(asked.passages, asked.dimensions, 1, asked.centres)
    # Threads start, and libraries load, before the clock does.
    search(queries[: asked.k], passages[: 2 * asked.k])
    with arms.measured() as found:
        places, scores = search(queries, passages)
    np.savez(asked.folder / f"{name}.npz", places=places, scores=scores)
    return found | _rate(asked, found)


def _rate(asked: Namespace, found: arms.Result) -> arms.Result:
    return {"gflops": 2e-9 * asked.queries * asked.passages * asked.dimensions / found["seconds"]}


def _check(asked: Namespace) -> list[str]:
    """Print how far the arms agree, and return what they may not differ in."""
    kept = {name: np.load(asked.folder / f"{name}.npz") for name in list(ARMS)[:4]}
    exact, wrong = kept["ours"], []
    same = all(np.array_equal(exact[part], kept["ours, plain"][part]) for part in ("places", "scores"))
    print(f"Both of ours give {'the same' if same else 'OTHER'} places and bits of scores.", end=" ")
    if not same:
        wrong.append("our engines differ")
    for name in ("faiss.knn", "torch"):
        apart = float(np.abs(exact["scores"] - kept[name]["scores"]).max())
        share = float(np.mean(exact["places"] == kept[name]["places"]))
        print(f"Scores of {name} lie within {apart:.1e}, {share:.2%} of its places are ours.", end=" ")
        if apart > _TOLERANCE:
            wrong.append(f"scores of {name} differ by {apart:.1e}")
    print("\n")
    return wrong


def _growth(asked: Namespace) -> list[str]:
    """Search a small and a large store, print times and memory, and return what grows too much."""
    sizes = {f"{count:,} vectors": {"passages": count, "queries": asked.few} for count in (asked.passages, asked.many)}
    for one in sizes.values():
        arms.once(ARMS, "fill", asked, **one)
    results: dict[str, list[arms.Result]] = {name: [] for name in sizes}
    for _ in range(asked.rounds):
        for name, one in sizes.items():
            results[name].append(arms.once(ARMS, "stored", asked, **one))
    small, large = results
    print(f"{asked.few:,} queries against a store of vectors (float16), read in shards of 256 MiB:\n")
    print(arms.table(results, small, gflops="GFLOP/s"), end="\n\n")
    grown = max(one["peak_mb"] for one in results[large]) / max(one["peak_mb"] for one in results[small])
    print(f"Peak memory grows {grown:.2f} times, from {small} to {large}; {_ALLOWED_GROWTH} are allowed.\n")
    return [f"memory grows {grown:.2f} times"] if grown > _ALLOWED_GROWTH and not asked.trial else []


def _space(asked: Namespace) -> "Space":
    from embedder.vectors.store import Space

    facts = {"benchmark": "search", "passages": asked.passages, "dimensions": asked.dimensions}
    return Space(asked.folder / "vectors", facts, "float16")


ARMS: dict[str, arms.Arm] = {
    "ours": ours,
    "ours, plain": ours_plain,
    "faiss.knn": faiss,
    "torch": torch,
    "fill": fill,
    "stored": stored,
}

if __name__ == "__main__":
    numbers = {"queries": 10_000, "passages": 100_000, "dimensions": 768, "k": 128, "rounds": 3}
    growth = {"few": 1_000, "many": 1_000_000, "centres": 200}
    arms.main(ARMS, arms.parser(__doc__, **numbers, **growth).parse_args(), compare)
