"""What loaders yield: one record a query, passage, judgement or mined negative, as found and where it was found."""

from typing import NamedTuple

Row = int
"""A line or record of a file, counted from 1 and with the header; 0 where a source has no rows."""


class Query(NamedTuple):
    """A query as the source has it.

    Attributes:
        query_id: unique in the source; two records of one id must have equal texts.
        text: what is asked, or the text that is classified, or the first of two sentences.
        split: `train` or `dev`; None where its judgements say it.
        group_id: what must not be divided between the splits; None where the source doesn't say.
        labels: of a label task, None elsewhere.
        file: where it stands, for messages and the table of rejects.
        row: where in the file.
    """

    query_id: str
    text: str
    split: str | None
    group_id: str | None
    labels: tuple[str, ...] | None
    file: str = ""
    row: Row = 0


class Passage(NamedTuple):
    """A passage of the corpus; the title may be empty."""

    passage_id: str
    title: str
    text: str
    file: str = ""
    row: Row = 0


class Qrel(NamedTuple):
    """A judgement: how relevant a passage is to a query, as the source grades it.

    Attributes:
        split: of the query, where judgements and not queries are divided; dev wins over train.
    """

    query_id: str
    passage_id: str
    relevance: float
    file: str = ""
    row: Row = 0
    split: str | None = None


class Given(NamedTuple):
    """A passage that somebody else mined for a query.

    Attributes:
        place: its place in the source's own order, 1 = first; settles ties, and orders what has no score.
        score: the miner's score, larger is better; None where the source has none.
    """

    query_id: str
    passage_id: str
    place: int
    score: float | None
    file: str = ""
    row: Row = 0


class Reject(NamedTuple):
    """Something that was refused: what it was, its id, why, and where it stands."""

    kind: str
    id: str
    reason: str
    file: str = ""
    row: Row = 0


class Repair(NamedTuple):
    """Something that was kept after a change: what it was, its id, what was mended, and where it stands."""

    kind: str
    id: str
    reason: str
    file: str = ""
    row: Row = 0


Record = Query | Passage | Qrel | Given | Reject | Repair
