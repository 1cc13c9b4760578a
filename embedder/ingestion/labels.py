"""Labels as passages: what makes a classification or clustering dataset one that can be mined."""

from collections import Counter
from collections.abc import Mapping, Sequence

from embedder.ingestion.gathering import key
from embedder.store import Store

EXAMPLES_PER_LABEL = 16


def refuse_conflicts(store: Store) -> None:
    """Refuse every row of a text that has different labels in a source where a text has one; before they are merged."""
    store.run("""
        CREATE OR REPLACE TABLE conflicting AS SELECT key FROM (SELECT key, unnest(labels) AS label FROM queries)
        GROUP BY key HAVING count(DISTINCT label) > 1""")
    store.run("""
        INSERT INTO notes SELECT 'query', query_id, 'conflicting_labels', file, row, 'refused' FROM queries
        SEMI JOIN conflicting USING (key)""")
    store.run("CREATE OR REPLACE TABLE queries AS SELECT * FROM queries ANTI JOIN conflicting USING (key)")


def refuse_lonely(store: Store) -> None:
    """Take away labels that only one query has: nothing shares them; who has no other label is refused later."""
    store.run("""
        CREATE OR REPLACE TABLE lonely AS SELECT label FROM (SELECT unnest(labels) AS label FROM settled_queries)
        GROUP BY label HAVING count(*) = 1""")
    store.run("""
        CREATE OR REPLACE TABLE left_alone AS
        SELECT query_id, any_value(chosen) AS chosen, any_value(split) AS split,
            coalesce(list(s.label ORDER BY s.label) FILTER (alone.label IS NULL), []) AS labels
        FROM (SELECT query_id, chosen, split, unnest(labels) AS label FROM settled_queries) s
        LEFT JOIN lonely alone ON s.label = alone.label GROUP BY query_id HAVING count(alone.label) > 0""")
    store.run("""
        INSERT INTO notes SELECT 'query', a.query_id, 'label_with_one_member', file, row,
            CASE WHEN len(a.labels) > 0 THEN 'repaired' ELSE 'refused' END
        FROM left_alone a JOIN queries q ON q.nth = a.chosen""")
    store.run("DELETE FROM settled_queries WHERE query_id IN (SELECT query_id FROM left_alone)")
    store.run("INSERT INTO settled_queries SELECT * FROM left_alone WHERE len(labels) > 0")


def label_passages(store: Store, names: Mapping[str, str]) -> None:
    """Make each label of a training query a passage (SFR-Embedding-Mistral); a label seen in dev alone is no passage.

    Args:
        store: with `settled_queries`; gets passages and qrels.
        names: what a label is called; without a name it is written as words.
    """
    found = store.all("""
        SELECT DISTINCT unnest(labels) AS label FROM settled_queries WHERE split = 'train' ORDER BY label""")
    labels = [label for (label,) in found]
    for nth, (label, text) in enumerate(zip(labels, called(labels, names), strict=True)):
        store.append("passages", (label, "", text, key(text), "", 0, nth), len(text))
    store.flush()
    store.run("""
        INSERT INTO qrels SELECT query_id, label, 1.0, NULL, '', 0, 0
        FROM (SELECT query_id, unnest(labels) AS label FROM settled_queries)
        WHERE label IN (SELECT passage_id FROM passages)""")


def example_passages(store: Store) -> None:
    """Make up to 16 training queries of each label its passages (NV-Embed, arXiv 2405.17428, section 4.2).

    A query is relevant to the examples that share a label with it, and never to itself.
    """
    store.run(f"""
        CREATE OR REPLACE TABLE examples AS
        SELECT label, query_id FROM (SELECT unnest(labels) AS label, query_id FROM settled_queries WHERE split = 'train')
        QUALIFY row_number() OVER (PARTITION BY label ORDER BY sha256(query_id), query_id) <= {EXAMPLES_PER_LABEL}""")
    store.run("""
        INSERT INTO passages SELECT q.query_id, '', text, key, file, row, nth
        FROM settled_queries s JOIN queries q ON q.nth = s.chosen
        WHERE s.query_id IN (SELECT query_id FROM examples)""")
    store.run("""
        INSERT INTO qrels SELECT DISTINCT q.query_id, e.query_id, 1.0, NULL, '', 0, 0
        FROM (SELECT query_id, unnest(labels) AS label FROM settled_queries) q
        JOIN examples e ON q.label = e.label AND q.query_id <> e.query_id""")


def called(labels: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Return what labels are called: their names, or they themselves as words; as they are where words coincide."""
    plain: set[str] = set()
    while True:
        texts = [label if label in plain else names.get(label) or readable(label) for label in labels]
        often = Counter(map(key, texts))
        same = {label for label, text in zip(labels, texts, strict=True) if often[key(text)] > 1} - plain
        if not same:
            return texts
        plain |= same


def readable(label: str) -> str:
    """Write a label as words: `card_arrival` -> `card arrival`, `scipy/stats` -> `scipy stats`."""
    return " ".join(label.replace("_", " ").replace("-", " ").replace("/", " ").split()) or label
