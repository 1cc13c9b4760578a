"""The sentence similarity view, a proxy: how alike two summaries are by what names and links say of the definitions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

from embedder.loaders.python_env.groups import unit
from embedder.loaders.python_env.relations import Relations, relate
from embedder.loaders.python_env.rows import Entry, Rows, counts, query, reject
from embedder.records import Passage, Qrel

GRADES = {
    "same name": 4.0,
    "mutual links": 3.0,
    "one link": 2.0,
    "same module": 1.0,
    "same package": 0.0,
    "other package": 0.0,
}
MIN_SHARED = 0.5
# What every estimator has: equal names that say nothing of what is computed.
ESTIMATOR_METHODS = frozenset(
    {
        "apply",
        "decision_function",
        "fit",
        "fit_predict",
        "fit_transform",
        "get_feature_names_out",
        "get_metadata_routing",
        "get_params",
        "inverse_transform",
        "partial_fit",
        "path",
        "predict",
        "predict_log_proba",
        "predict_proba",
        "score",
        "score_samples",
        "set_output",
        "set_params",
        "staged_decision_function",
        "staged_predict",
        "staged_predict_proba",
        "transform",
    }
)

Pair = tuple[int, int]
Pools = dict[tuple[str, str], dict[str, list[Pair]]]


def doc_similarity(entries: Sequence[Entry]) -> Rows:
    """Grade pairs of summaries: same name 4, mutual links 3, one link 2, same module and far 1, unrelated 0.

    Every grade has as many pairs as the others, in each package and on each side of the split; half of the unrelated
    pairs lie within a package. A pair lies on one side of the split, and its two summaries differ.
    """
    # In the order of a hash, so that which summary asks and which answers does not follow the alphabet.
    entries = sorted(entries, key=lambda entry: unit(entry.definition.id))
    relations = relate(entries)
    rows = Rows(rejects=list(relations.links.rejects))
    pools = _pools(relations, _usable(relations, rows), rows)
    graded = {pair: GRADES[kind] for key in sorted(pools) for kind, pair in _balanced(relations, pools[key])}
    rows.queries = [query(entries[a], entries[a].definition.summary) for a in sorted({a for a, _ in graded})]
    for b in sorted({b for _, b in graded}):
        rows.passages.append(Passage(entries[b].definition.id, "", entries[b].definition.summary))
    for (a, b), grade in graded.items():
        rows.qrels.append(Qrel(entries[a].definition.id, entries[b].definition.id, grade))
    rows.facts["grades"] = counts(f"{grade:.0f}" for grade in graded.values())
    rows.facts["pairs"] = counts(kind for pool in pools.values() for kind, pairs in pool.items() for _ in pairs)
    return rows


def _usable(relations: Relations, rows: Rows) -> dict[str, int]:
    """The position that stands for each summary; the methods of estimators and further equal summaries are refused."""
    first: dict[str, int] = {}
    for position, entry in enumerate(relations.entries):
        if relations.name(position) in ESTIMATOR_METHODS:
            rows.rejects.append(reject(entry.definition, "estimator method"))
        elif first.setdefault(relations.texts[position], position) != position:
            rows.rejects.append(reject(entry.definition, "equal summaries"))
    return first


def _pools(relations: Relations, first: Mapping[str, int], rows: Rows) -> Pools:
    """All pairs that have a grade, by split and package of the definition they start at, then by kind."""
    usable = sorted(first.values())
    kinds = dict(_linked(relations, first)) | dict.fromkeys(_same_name(relations, usable), "same name")
    # Links and names come last, so that what they relate is never called unrelated.
    kinds = dict(_unrelated(relations, usable)) | dict.fromkeys(_same_module(relations, usable), "same module") | kinds
    pools: Pools = defaultdict(lambda: {kind: [] for kind in GRADES})
    for (a, b), kind in kinds.items():
        start, end = relations.entries[a], relations.entries[b].definition
        if relations.together(a, b):
            pools[start.split, start.definition.package][kind].append((a, b))
        else:
            id_ = f"{start.definition.id} | {end.id}"
            rows.rejects.append(reject(start.definition, "straddles the split", "pair", id_))
    return pools


def _linked(relations: Relations, first: Mapping[str, int]) -> Iterator[tuple[Pair, str]]:
    texts = relations.texts
    ends = {(first.get(texts[a], -1), first.get(texts[b], -1)) for a, b in relations.links.sure}
    for a, b in sorted(ends):
        if a != b and min(a, b) >= 0:
            yield (min(a, b), max(a, b)), "mutual links" if (b, a) in ends else "one link"


def _same_name(relations: Relations, usable: Sequence[int]) -> Iterator[Pair]:
    """Pairs of one name in one package that share at least half of the parameters of the one with fewer."""
    names: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position in usable:
        names[relations.entries[position].definition.package, relations.name(position)].append(position)
    for alike in names.values():
        for a, b in combinations(alike, 2):
            left, right = (set(relations.entries[i].definition.parameters) for i in (a, b))
            if len(left & right) >= max(1.0, MIN_SHARED * min(len(left), len(right))):
                yield a, b


def _same_module(relations: Relations, usable: Sequence[int]) -> Iterator[Pair]:
    chosen = set(usable)
    for module in relations.modules().values():
        for a, b in combinations([position for position in module if position in chosen], 2):
            if relations.together(a, b) and relations.far(a, b):
                yield a, b


def _unrelated(relations: Relations, usable: Sequence[int]) -> Iterator[tuple[Pair, str]]:
    """Draw for each definition one of its package, from another module, and one of another package, by hash."""
    partners = _partners(relations, usable)
    for a, kind in product(usable, ("same package", "other package")):
        start = relations.entries[a]
        found = partners[start.split, start.definition.package, kind]
        if not found:
            continue
        b = found[int(unit(f"{kind}\t{start.definition.id}") * len(found))]
        if start.definition.module != relations.entries[b].definition.module and relations.far(a, b):
            yield (min(a, b), max(a, b)), kind


def _partners(relations: Relations, usable: Sequence[int]) -> dict[tuple[str, str, str], list[int]]:
    """The positions on one side of the split within each package, and outside it."""
    found = {}
    for split, package in {(entry.split, entry.definition.package) for entry in relations.entries}:
        side = [position for position in usable if relations.entries[position].split == split]
        inside = {position for position in side if relations.entries[position].definition.package == package}
        found[split, package, "same package"] = sorted(inside)
        found[split, package, "other package"] = sorted(set(side) - inside)
    return found


def _balanced(relations: Relations, pool: Mapping[str, list[Pair]]) -> Iterator[tuple[str, Pair]]:
    """Choose equally many pairs of each grade, by a hash of their ids."""
    halves = 2 * min(len(pool["same package"]), len(pool["other package"]))
    number = min(halves, *(len(pairs) for kind, pairs in pool.items() if GRADES[kind] > 0))
    sizes = dict.fromkeys(GRADES, number) | {"same package": number - number // 2, "other package": number // 2}
    for kind, pairs in pool.items():
        ids = {pair: "\t".join(relations.entries[i].definition.id for i in pair) for pair in pairs}
        for pair in sorted(pairs, key=lambda pair: unit(ids[pair]))[: sizes[kind]]:
            yield kind, pair
