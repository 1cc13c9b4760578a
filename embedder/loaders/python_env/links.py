"""See Also links: which definitions the names in a docstring mean, and which are few links apart."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from embedder.loaders.python_env.parse import Definition
from embedder.loaders.python_env.rows import Entry, reject
from embedder.records import Reject

NEAR_HOPS = 3


@dataclass
class Links:
    """Links between positions of definitions.

    Attributes:
        sure: (source, target) of every name that means one definition.
        possible: (source, target) of every definition that an ambiguous name may mean.
        rejects: names that mean none, several, or the definition itself.
    """

    sure: set[tuple[int, int]] = field(default_factory=set)
    possible: set[tuple[int, int]] = field(default_factory=set)
    rejects: list[Reject] = field(default_factory=list)


def resolve(definitions: Sequence[Definition]) -> Links:
    """Find what every See Also name means; a name with several meanings in its closest scope is dropped, not guessed."""
    index: dict[str, list[int]] = defaultdict(list)
    for position, definition in enumerate(definitions):
        index[definition.name].append(position)
    links = Links()
    for source, definition in enumerate(definitions):
        for name in definition.see_also:
            found = _meanings(definition, name, definitions, index)
            links.possible.update((source, target) for target in found)
            if len(found) == 1 and found != [source]:
                links.sure.add((source, found[0]))
                continue
            reason = "names itself" if found == [source] else "ambiguous" if found else "unresolved"
            links.rejects.append(reject(definition, reason, "link", f"{definition.id} -> {name}"))
    return links


def near(entries: Sequence[Entry], links: Links) -> sparse.csr_matrix:
    """Tell which definitions are at most NEAR_HOPS undirected links apart; a group counts as one place.

    Ambiguous names count as links to all they may mean, so that what is not near is surely not named.

    Returns:
        [definitions, definitions] CSR of booleans, the diagonal set.
    """
    _, group = np.unique([entry.group for entry in entries], return_inverse=True)
    size, places = len(entries), int(group.max(initial=-1)) + 1
    member = sparse.csr_matrix((np.ones(size, dtype=bool), (np.arange(size), group)), shape=(size, places))
    pairs = np.array(sorted(links.possible | links.sure), dtype=np.int64).reshape(-1, 2)
    ends = (group[pairs[:, 0]], group[pairs[:, 1]])
    step = sparse.csr_matrix((np.ones(len(pairs), dtype=bool), ends), shape=(places, places))
    step = step + step.T + sparse.identity(places, dtype=bool, format="csr")
    reached = step
    for _ in range(NEAR_HOPS - 1):
        reached = reached @ step
    return (member @ reached @ member.T).tocsr()


def _meanings(
    source: Definition, name: str, definitions: Sequence[Definition], index: dict[str, list[int]]
) -> list[int]:
    """What `name` means in the closest scope of `source` in which it means anything."""
    *path, leaf = name.split(".")
    matching = [i for i in index.get(leaf, ()) if _matches(definitions[i], path, source)]
    for scope in _scopes(source, path):
        found = [i for i in matching if definitions[i].id.startswith(scope)]
        if found:
            return found
    return []


def _matches(target: Definition, path: list[str], source: Definition) -> bool:
    """Whether `path` leads to `target`: its class, if any, must be named; modules may be left out."""
    if target.kind == "method":
        if not path:
            return target.owner == source.owner and source.kind == "method"
        if path[-1] != target.owner.rsplit(".", 1)[-1]:
            return False
        path = path[:-1]
    modules = iter(target.module.split("."))
    return all(part in modules for part in path)


def _scopes(source: Definition, path: list[str]) -> Iterator[str]:
    """Prefixes of ids from the closest to the widest: class, module, subpackage, package, the package that is named."""
    if source.kind == "method":
        yield f"{source.module}.{source.owner}."
    yield f"{source.module}."
    if source.subpackage:
        yield f"{source.package}.{source.subpackage}."
    yield f"{source.package}."
    if path:
        yield f"{path[0]}."
