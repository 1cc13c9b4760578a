"""The reranking view: from a summary to the summaries that its See Also section names."""

from collections import defaultdict
from collections.abc import Sequence

from embedder.loaders.python_env.groups import unit
from embedder.loaders.python_env.relations import Relations, relate
from embedder.loaders.python_env.rows import Entry, Rows, query, reject
from embedder.records import Passage, Qrel, Reject

MAX_NEGATIVES = 10


def see_also(entries: Sequence[Entry]) -> Rows:
    """Judge by See Also: what is named has relevance 1, what is surely unrelated 0, all else has none.

    Relevance 0 needs the same module, at least four undirected links between the two, another name, and summaries
    that share less than half of the shorter one's words; at most MAX_NEGATIVES a query.
    """
    relations = relate(entries)
    positives, rejects = _positives(relations)
    rows = Rows(rejects=[*relations.links.rejects, *rejects])
    modules = relations.modules()
    used: set[int] = set()
    for position, entry in enumerate(entries):
        named = positives.get(position, [])
        module = modules[entry.definition.module]
        unrelated = _negatives(relations, position, module) if named else []
        reason = _refused(entry, named, unrelated)
        if reason:
            rows.rejects.append(reject(entry.definition, reason))
            continue
        used.update(named, unrelated)
        rows.queries.append(query(entry, entry.definition.summary))
        rows.qrels += [Qrel(entry.definition.id, entries[p].definition.id, 1.0) for p in named]
        rows.qrels += [Qrel(entry.definition.id, entries[p].definition.id, 0.0) for p in unrelated]
    rows.passages = [Passage(entries[p].definition.id, "", entries[p].definition.summary) for p in sorted(used)]
    return rows


def _refused(entry: Entry, named: Sequence[int], unrelated: Sequence[int]) -> str | None:
    if not named:
        return "no link"
    # Without a judged negative every ranking of a dev query is perfect, so it would measure nothing.
    return "nothing to rank" if entry.split == "dev" and not unrelated else None


def _positives(relations: Relations) -> tuple[dict[int, list[int]], list[Reject]]:
    """The positions each definition names on its own side of the split, and the links refused."""
    kept: dict[int, list[int]] = defaultdict(list)
    refused: list[Reject] = []
    for source, target in sorted(relations.links.sure):
        start, end = relations.entries[source].definition, relations.entries[target].definition
        if not relations.together(source, target):
            reason = "straddles the split"
        elif relations.texts[source] == relations.texts[target]:
            reason = "equal summaries"
        else:
            kept[source].append(target)
            continue
        refused.append(reject(start, reason, "link", f"{start.id} -> {end.id}"))
    return kept, refused


def _negatives(relations: Relations, position: int, module: Sequence[int]) -> list[int]:
    """Pick what is surely unrelated from the query's module and side of the split, by a hash of the two ids.

    A dev query judged against summaries that are trained on would be won by pushing down what was seen.
    """
    start = relations.entries[position]
    found = [o for o in module if relations.entries[o].split == start.split and relations.far(position, o)]
    ids = {other: f"{start.definition.id}\t{relations.entries[other].definition.id}" for other in found}
    return sorted(found, key=lambda other: unit(ids[other]))[:MAX_NEGATIVES]
