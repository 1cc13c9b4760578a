"""Splits made anew: what belongs together goes to one side, chosen by the hash of its group."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder.store import Store

Ints = NDArray[np.int64]


def as_given(store: Store) -> None:
    """Keep the source's splits; a query without a group is one by itself. Makes the table `groups`."""
    store.run("""
        CREATE OR REPLACE TABLE groups AS SELECT s.query_id, coalesce(group_id, s.query_id) AS group_id, s.split
        FROM settled_queries s JOIN queries q ON q.rowid = s.chosen""")


def by_group(store: Store, dev_share: float, links: str | None) -> None:
    """Make the splits anew: a group is dev when its hash falls into the first `dev_share` of all hashes.

    A group is what the source calls one; where it names none, all queries that are linked through passages, directly
    or by others, so that no passage answers both sides. It is called by its smallest query id.

    Args:
        store: with `settled_queries` and `settled_qrels`; gets the table `groups` (query_id, group_id, split).
        dev_share: the share of groups, not of queries.
        links: which judgements link a query to a passage, as an SQL condition; None where none does.
    """
    if store.one("SELECT count(group_id) FROM queries"):
        edges = """SELECT DISTINCT kept AS query_id, group_id AS other FROM queries JOIN query_ids USING (query_id)
            WHERE group_id IS NOT NULL"""
    else:
        edges = f"SELECT query_id, passage_id AS other FROM settled_qrels WHERE {links or 'false'}"
    queries = store.arrow("SELECT query_id FROM settled_queries ORDER BY query_id")["query_id"].combine_chunks()
    pairs = store.arrow(f"""
        WITH numbered AS (SELECT query_id, row_number() OVER (ORDER BY query_id) - 1 AS number FROM settled_queries)
        SELECT number AS query, dense_rank() OVER (ORDER BY other) - 1 AS other
        FROM ({edges}) JOIN numbered USING (query_id)""")
    first = _first_of_component(len(queries), pairs["query"].to_numpy(), pairs["other"].to_numpy())
    store.put("components", pa.table({"query_id": queries, "group_id": queries.take(pa.array(first))}))
    store.run(
        """
        CREATE OR REPLACE TABLE groups AS SELECT query_id, group_id,
            CASE WHEN ('0x' || substr(sha256(group_id), 1, 13))::UBIGINT < ? * 16.0 ** 13 THEN 'dev' ELSE 'train' END AS split
        FROM components""",
        dev_share,
    )


def _first_of_component(queries: int, query: Ints, other: Ints) -> Ints:
    """Return for each query the smallest query that it is linked to; `other` are numbers of what links them."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    nodes = queries + (int(other.max()) + 1 if len(other) else 0)
    ones = np.ones(len(query), dtype=np.int8)
    graph = coo_matrix((ones, (query, other + queries)), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    _, first, inverse = np.unique(component[:queries], return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)
