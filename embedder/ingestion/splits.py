"""Splits: as the source has them, or made anew, what belongs together on one side, by the hash of its group."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder.store import Store

Ints = NDArray[np.int32]


def divide(store: Store, dev_share: float | None, links: str | None) -> None:
    """Give every settled query its group and its split.

    Args:
        store: with `settled_queries`, and `settled_qrels` where judgements link; gets group_id and split in
            `settled_queries`.
        dev_share: None keeps the source's splits, and a query without a group is one by itself. Else a group is dev
            when its hash falls into that share of all hashes, whatever the source says: a share of groups, not of
            queries.
        links: which judgements keep a query and a passage on one side, as an SQL condition; None where none does.
    """
    if dev_share is None:
        store.run("""
            CREATE OR REPLACE TABLE settled_queries AS
            SELECT s.*, coalesce(group_id, s.query_id) AS group_id
            FROM settled_queries s JOIN queries q ON q.nth = s.chosen""")
        return
    _link(store, links)
    store.run(
        """
        CREATE OR REPLACE TABLE settled_queries AS
        SELECT s.* REPLACE (CASE WHEN ('0x' || substr(sha256(g.query_id), 1, 13))::UBIGINT < ? * 16.0 ** 13
            THEN 'dev' ELSE 'train' END AS split), g.query_id AS group_id
        FROM settled_queries s JOIN numbered n USING (query_id) JOIN components c ON c.number = n.number
        JOIN numbered g ON g.number = c.first""",
        dev_share,
    )


def _link(store: Store, links: str | None) -> None:
    """Make `components` (number, first): the queries that belong together, called by the smallest of them.

    Linked are queries of one group of the source, also where texts of several groups were merged, and queries that a
    text links: as their own, or as that of a passage judged for them. So no text stands on both sides. Numbers of
    queries and links are held in memory, 12 bytes a link and some 20 while components are looked for.
    """
    judged = (
        f"""UNION ALL SELECT r.query_id, p.key FROM settled_qrels r JOIN settled_passages s USING (passage_id)
        JOIN passages p ON p.nth = s.chosen WHERE {links}"""
        if links
        else ""
    )
    store.run("""CREATE OR REPLACE TABLE numbered AS
        SELECT query_id, (row_number() OVER (ORDER BY query_id) - 1)::INTEGER AS number FROM settled_queries""")
    store.run(f"""
        CREATE OR REPLACE TABLE links AS
        SELECT number, (dense_rank() OVER (ORDER BY other) - 1)::INTEGER AS other FROM (
            SELECT kept AS query_id, key AS other FROM queries JOIN query_ids USING (query_id)
            UNION ALL SELECT kept, unhex(md5('group ' || group_id)) FROM queries JOIN query_ids USING (query_id)
                WHERE group_id IS NOT NULL
            {judged}) JOIN numbered USING (query_id)""")
    pairs = store.arrow("SELECT * FROM links")
    count = int(store.one("SELECT count(*) FROM numbered"))
    first = _first_of_component(count, pairs["number"].to_numpy(), pairs["other"].to_numpy())
    store.put("components", pa.table({"number": np.arange(count, dtype=np.int32), "first": first}))


def _first_of_component(queries: int, query: Ints, other: Ints) -> Ints:
    """Return for each query the smallest query that it is linked to; `other` are numbers of what links them."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    nodes = queries + (int(other.max()) + 1 if len(other) else 0)
    graph = coo_matrix((np.ones(len(query), dtype=np.int8), (query, other + np.int32(queries))), shape=(nodes, nodes))
    _, component = connected_components(graph.tocsr(), directed=False)
    _, first, inverse = np.unique(component[:queries], return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int32)
