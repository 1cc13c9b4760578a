"""Identity: texts that are the same become one row, so that from here on equal ids and equal texts are one thing."""

from embedder.errors import SourceError
from embedder.store import Store

_MOST = 3.4e38
"""The largest float32: beyond it a relevance or a score is not finite."""


def settle_queries(store: Store) -> None:
    """Make queries of equal text one, with the smallest id and the labels of all; one of several splits is dev.

    Makes the tables `query_ids` (query_id, kept) and `settled_queries` (query_id, chosen = nth, split, labels).

    Raises:
        SourceError: two queries of one id have different texts.
    """
    _check_ids(store, "queries", "query_id", "query")
    _number(store, "queries", "query_id", "query_ids")
    store.run("""
        CREATE OR REPLACE TABLE dev_queries AS
        SELECT kept AS query_id FROM query_ids JOIN queries USING (query_id) WHERE split = 'dev'
        UNION SELECT kept FROM query_ids JOIN qrels USING (query_id) WHERE split = 'dev'""")
    store.run("""
        CREATE OR REPLACE TABLE settled_queries AS
        SELECT kept AS query_id, min(q.nth) FILTER (q.query_id = kept) AS chosen,
            CASE WHEN kept IN (FROM dev_queries) THEN 'dev' ELSE 'train' END AS split,
            CASE WHEN count(q.labels) > 0
                THEN list_sort(list_distinct(flatten(list(q.labels) FILTER (q.labels IS NOT NULL)))) END AS labels
        FROM queries q JOIN query_ids USING (query_id) GROUP BY kept""")
    _note_repeats(store, "queries", "query_id", "query")


def settle_passages(store: Store) -> None:
    """Make passages of equal text (title and text) one, with the smallest id.

    Makes the tables `passage_ids` (passage_id, kept) and `settled_passages` (passage_id, chosen = nth).

    Raises:
        SourceError: two passages of one id have different texts.
    """
    _check_ids(store, "passages", "passage_id", "passage")
    _number(store, "passages", "passage_id", "passage_ids")
    store.run("""
        CREATE OR REPLACE TABLE settled_passages AS
        SELECT passage_id, min(p.nth) AS chosen FROM passages p
        SEMI JOIN (SELECT DISTINCT kept FROM passage_ids) ON passage_id = kept GROUP BY passage_id""")
    _note_repeats(store, "passages", "passage_id", "passage")


def settle_qrels(store: Store) -> int:
    """Point qrels at what remains; of several for one pair the highest relevance wins.

    Makes the table `settled_qrels` (query_id, passage_id, relevance, file, row) and notes what points nowhere, and
    what contradicts a higher relevance.

    Returns:
        How many were merged into another.
    """
    pointed = _point(store, "qrels", "qrel", "relevance", "relevance_not_finite")
    store.run("""
        CREATE OR REPLACE TABLE settled_qrels AS
        SELECT query_id, passage_id, max(relevance)::FLOAT AS relevance, arg_min(file, nth) AS file,
            arg_min(row, nth) AS row
        FROM pointed GROUP BY query_id, passage_id""")
    store.run("""
        INSERT INTO notes SELECT 'qrel', query_id || chr(9) || passage_id, 'lower_relevance', p.file, p.row, 'merged'
        FROM pointed p JOIN settled_qrels s USING (query_id, passage_id) WHERE p.relevance::FLOAT < s.relevance""")
    return pointed - int(store.one("SELECT count(*) FROM settled_qrels"))


def settle_given(store: Store) -> int:
    """Rank what somebody else mined: best score first, then the source's own order.

    Makes the table `settled_given` (query_id, rank, passage_id, score, file, row). Where some have scores, those
    without are refused: they could not be ranked among the others.

    Returns:
        How many were merged into another.
    """
    if store.one("SELECT count(score) FROM given"):
        store.run("""INSERT INTO notes SELECT 'given', query_id || chr(9) || passage_id, 'no_score', file, row, 'refused'
            FROM given WHERE score IS NULL""")
        store.run("CREATE OR REPLACE TABLE given AS SELECT * FROM given WHERE score IS NOT NULL")
    pointed = _point(store, "given", "given", "score", "score_not_finite")
    store.run("""
        CREATE OR REPLACE TABLE settled_given AS
        SELECT query_id, passage_id, score, file, row,
            row_number() OVER (PARTITION BY query_id ORDER BY score DESC NULLS LAST, place, nth)::INTEGER AS rank
        FROM (SELECT query_id, passage_id, max(score)::FLOAT AS score, min(place) AS place,
            arg_min(file, nth) AS file, arg_min(row, nth) AS row, min(nth) AS nth
            FROM pointed GROUP BY query_id, passage_id)""")
    return pointed - int(store.one("SELECT count(*) FROM settled_given"))


def _check_ids(store: Store, table: str, column: str, kind: str) -> None:
    found = store.all(f"""SELECT {column} FROM {table} GROUP BY {column} HAVING count(DISTINCT key) > 1
        ORDER BY {column} LIMIT 1""")
    if not found:
        return
    name = found[0][0]
    places = store.all(
        f"""SELECT arg_min(file, nth), arg_min(row, nth) FROM {table} WHERE {column} = ?
        GROUP BY key ORDER BY min(nth) LIMIT 2""",
        name,
    )
    first, second = (f"{file}:{row}" for file, row in places)
    raise SourceError(
        f"{kind} id {name!r} has one text at {first} and another at {second}; ids must be unique: correct one of them"
    )


def _number(store: Store, table: str, column: str, made: str) -> None:
    """Make a table of each id and the smallest id that has its text."""
    store.run(f"""
        CREATE OR REPLACE TABLE {made} AS
        SELECT {column}, min({column}) OVER (PARTITION BY key) AS kept FROM (SELECT DISTINCT {column}, key FROM {table})""")


def _note_repeats(store: Store, table: str, column: str, kind: str) -> None:
    """Note rows that repeat an id and its text; ids that differ stand in the aliases."""
    store.run(f"""
        INSERT INTO notes SELECT '{kind}', t.{column}, 'same_id_and_text', t.file, t.row, 'merged' FROM {table} t
        JOIN (SELECT {column}, min(nth) AS first FROM {table} GROUP BY {column} HAVING count(*) > 1) USING ({column})
        WHERE t.nth > first""")


def _point(store: Store, table: str, kind: str, value: str, not_finite: str) -> int:
    """Make the table `pointed` of what can be used of `table`, with the ids that remain; note the rest; count it."""
    store.run(f"""
        CREATE OR REPLACE TABLE pointing AS
        SELECT t.* REPLACE (q.kept AS query_id, p.kept AS passage_id),
            t.query_id || chr(9) || t.passage_id AS id,
            CASE WHEN q.kept IS NULL THEN 'unknown_query' WHEN p.kept IS NULL THEN 'unknown_passage'
                WHEN NOT isfinite({value}) OR abs({value}) > {_MOST} THEN '{not_finite}' END AS reason
        FROM {table} t LEFT JOIN query_ids q ON t.query_id = q.query_id
        LEFT JOIN passage_ids p ON t.passage_id = p.passage_id""")
    store.run(f"""INSERT INTO notes SELECT '{kind}', id, reason, file, row, 'refused' FROM pointing
        WHERE reason IS NOT NULL""")
    store.run("CREATE OR REPLACE TABLE pointed AS SELECT * EXCLUDE (id, reason) FROM pointing WHERE reason IS NULL")
    store.run("DROP TABLE pointing")
    return int(store.one("SELECT count(*) FROM pointed"))
