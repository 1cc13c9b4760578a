"""How two definitions of the corpus stand to each other: linked, near, or surely apart."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from embedder.loaders.python_env.links import Links, near, resolve
from embedder.loaders.python_env.rows import Entry
from embedder.texts import normalise

MAX_OVERLAP = 0.5


@dataclass(frozen=True)
class Relations:
    """What the views of pairs ask about entries, by position.

    Attributes:
        entries: the definitions with group and split.
        links: their See Also links.
        texts: their normalised summaries.
        words: the words of those.
        near: for each, the positions at most three undirected links away, itself and its group included.
    """

    entries: Sequence[Entry]
    links: Links
    texts: list[str]
    words: list[frozenset[str]]
    near: list[frozenset[int]]

    def together(self, left: int, right: int) -> bool:
        """Whether both are on one side of the split."""
        return self.entries[left].split == self.entries[right].split

    def far(self, left: int, right: int) -> bool:
        """Whether nothing suggests that the two are related: links, names, a class, or words of their summaries."""
        if right in self.near[left] or self.name(left) == self.name(right) or self._inside(left, right):
            return False
        shared = len(self.words[left] & self.words[right])
        return shared < MAX_OVERLAP * min(len(self.words[left]), len(self.words[right]))

    def _inside(self, left: int, right: int) -> bool:
        """Whether one of the two is a class that holds the other."""
        short, long = sorted((self.entries[left].definition.id, self.entries[right].definition.id), key=len)
        return long.startswith(f"{short}.")

    def name(self, position: int) -> str:
        """The last part of a definition's qualified name."""
        return self.entries[position].definition.name

    def modules(self) -> dict[str, list[int]]:
        """The positions of each module's definitions."""
        found: dict[str, list[int]] = defaultdict(list)
        for position, entry in enumerate(self.entries):
            found[entry.definition.module].append(position)
        return found


def relate(entries: Sequence[Entry]) -> Relations:
    """Resolve the links of the entries and find what is near each."""
    links = resolve([entry.definition for entry in entries])
    matrix = near(entries, links)
    rows = [frozenset(matrix.indices[a:b].tolist()) for a, b in zip(matrix.indptr, matrix.indptr[1:], strict=False)]
    texts = [normalise(entry.definition.summary) for entry in entries]
    return Relations(entries, links, texts, [frozenset(re.findall(r"\w+", text)) for text in texts], rows)
