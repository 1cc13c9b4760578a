"""What is looked for. Adding a check: its SQL, one line in CHECKS.

Each SQL returns file, row, query, passage (keys of texts, or null) and detail of what it finds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from embedder.audit.evidence import Evidence
from embedder.audit.findings import Example, Finding, Findings, Level
from embedder.store import Store

_TEXT = 240


@dataclass(frozen=True)
class Check:
    """One thing to look for.

    Attributes:
        name: as it is printed and allowed.
        level: whether finding it makes the audit fail.
        says: what it looks for, in words.
        sql: finds it.
    """

    name: str
    level: Level
    says: str
    sql: str


def noted(check: str) -> str:
    """What was noted while rows were read."""
    return f"SELECT file, row, NULL AS query, NULL AS passage, detail FROM notes WHERE check_name = '{check}'"


def _pairs(condition: str, detail: str = "''") -> str:
    return f"SELECT file, row, query, passage, {detail} AS detail FROM pairs {condition}"


# Rows of one query and positive, with how many rows before had the same negatives, and how many had any.
_TWICE = """(SELECT p.*, row_number() OVER (PARTITION BY scope, query, passage, role, n.negatives ORDER BY file, row) AS same,
        row_number() OVER (PARTITION BY scope, query, passage, role ORDER BY file, row) AS nth
    FROM pairs p SEMI JOIN (SELECT scope, query, passage, role FROM pairs
        WHERE role IN ('positive', 'graded', 'label', 'labels') GROUP BY ALL HAVING count(*) > 1) USING (scope, query, passage, role)
    LEFT JOIN (SELECT scope, query, record, list_sort(list(DISTINCT passage)) AS negatives FROM pairs
        WHERE role = 'negative' GROUP BY ALL) n USING (scope, query, record))"""
_POSITIVES = "(SELECT DISTINCT scope, query, passage{} FROM pairs WHERE role IN ('positive', 'known'))"
_IN_ROW = f"role = 'negative' AND (scope, query, passage, record) IN {_POSITIVES.format(', record')}"
_ANYWHERE = f"role = 'negative' AND (scope, query, passage) IN {_POSITIVES.format('')}"
_LOWEST = """(SELECT scope, query, record, min(score) AS lowest FROM pairs
    WHERE role IN ('positive', 'known') AND isfinite(score) GROUP BY ALL)"""
_TWO_GRADES = (
    "(SELECT scope, query, passage FROM pairs WHERE role = 'graded' GROUP BY ALL HAVING count(DISTINCT score) > 1)"
)
_TWO_LABELS = "(SELECT scope, query FROM pairs WHERE role = 'label' GROUP BY ALL HAVING count(DISTINCT passage) > 1)"


def _overlap(near: str) -> str:
    """Training queries and positives of which a copy is held out."""
    return f"""SELECT file, row, query, passage,
            CASE WHEN q.key IS NULL THEN concat('positive: ', p.held_by) ELSE concat('query: ', q.held_by) END AS detail
        FROM (SELECT * FROM pairs WHERE role IN ('positive', 'graded', 'label', 'labels') AND scope NOT LIKE 'dev%') x
        LEFT JOIN (FROM leaks WHERE near = {near}) q ON x.query = q.key
        LEFT JOIN (FROM leaks WHERE near = {near}) p ON x.passage = p.key AND NOT x.is_label
        WHERE q.key IS NOT NULL OR p.key IS NOT NULL"""


# A row whose query or positive is held out is one finding, not two.
_NEARLY = f"SELECT * FROM ({_overlap('true')}) ANTI JOIN ({_overlap('false')}) USING (file, row)"

CHECKS = (
    Check("unreadable", "fault", "rows that cannot be read", noted("unreadable")),
    Check("empty_text", "fault", "texts without a character", noted("empty_text")),
    Check("id_of_two_texts", "fault", "ids that stand for different texts", noted("id_of_two_texts")),
    Check("unknown_id", "fault", "judgements of a query or passage that is not there", noted("unknown_id")),
    Check("duplicate_row", "fault", "the same query, positive and negatives as a row before",
          f"SELECT file, row, query, passage, '' AS detail FROM {_TWICE} WHERE same > 1"),
    Check("repeated_positive", "warning", "the same query and positive as a row before, other negatives",
          f"SELECT file, row, query, passage, '' AS detail FROM {_TWICE} WHERE nth > 1 AND same = 1"),
    Check("positive_in_negatives", "fault", "a negative that is a positive of the same row", _pairs(f"WHERE {_IN_ROW}")),
    Check("positive_of_other_row", "fault", "a negative that is a positive of the same query in another row",
          _pairs(f"WHERE {_ANYWHERE} AND NOT ({_IN_ROW})")),
    Check("query_in_negatives", "fault", "a negative that says what its query says",
          _pairs("WHERE role = 'negative' AND query = passage AND NOT is_label")),
    Check("query_is_positive", "fault", "a positive that says what its query says",
          _pairs("WHERE role = 'positive' AND query = passage AND NOT is_label")),
    Check("near_copy", "fault", "a negative that is nearly a positive of its query",
          """SELECT n.file, n.row, n.query, n.passage, concat('positive: ', left(any_value(s.text), 200)) AS detail
             FROM pairs n JOIN pairs p USING (scope, query) JOIN near_copies c
                ON c.passage = n.passage AND c.positive = p.passage JOIN said s ON s.key = p.passage
             WHERE n.role = 'negative' AND p.role IN ('positive', 'known') GROUP BY ALL"""),
    Check("repeated_negative", "fault", "the same negative twice in one row",
          _pairs("WHERE role = 'negative' QUALIFY row_number() OVER "
                 "(PARTITION BY scope, query, record, passage ORDER BY file, row) > 1")),
    Check("score_not_finite", "fault", "scores and grades that are infinite or no number",
          _pairs("WHERE NOT isfinite(score)", "concat(role, ' ', score)")),
    Check("conflicting_labels", "fault", "texts with two labels, pairs with two grades",
          f"""SELECT file, row, query, passage, concat('grade ', score) AS detail FROM pairs
              WHERE role = 'graded' AND (scope, query, passage) IN {_TWO_GRADES}
              UNION ALL SELECT file, row, query, passage, '' FROM pairs
              WHERE role = 'label' AND (scope, query) IN {_TWO_LABELS}"""),
    Check("held_out", "fault", "queries and positives that are held out for evaluation", _overlap("false")),
    Check("held_out_nearly", "fault", "near copies of what is held out for evaluation", _NEARLY),
    Check("above_positive", "warning", "negatives that score above a positive of their row",
          f"""SELECT file, row, query, passage, concat(score, ' > ', lowest) AS detail
              FROM pairs JOIN {_LOWEST} USING (scope, query, record)
              WHERE role = 'negative' AND isfinite(score) AND score > lowest"""),
    Check("string_for_list", "warning", "a text where FlagEmbedding expects a list", noted("string_for_list")),
    Check("no_licence", "warning", "datasets that state no licence", noted("no_licence")),
    Check("restricted_licence", "warning", "licences against commercial use or changes", noted("restricted_licence")),
)  # fmt: skip


def findings(evidence: Evidence, source: str, form: str, licences: Mapping[str, str], examples: int) -> Findings:
    """Ask everything of settled evidence, and say what was found.

    Args:
        evidence: settled.
        source: what was audited.
        form: what it was read as.
        licences: what it states.
        examples: the most of each check.
    """
    unreadable = evidence.store.one(
        "SELECT count(*) FROM (SELECT DISTINCT file, row FROM notes WHERE check_name = 'unreadable')"
    )
    found = tuple(look(evidence.store, evidence.rows, examples))
    return Findings(source, form, evidence.rows, unreadable, dict(licences), found)


def look(store: Store, rows: int, examples: int) -> Iterator[Finding]:
    """Yield what each check finds.

    Args:
        store: the evidence, settled.
        rows: rows read, of which shares are shares.
        examples: the most examples of one check.
    """
    for check in CHECKS:
        store.run(f"CREATE OR REPLACE TABLE found AS {check.sql}")
        count = store.one("SELECT count(*) FROM (SELECT DISTINCT file, row FROM found)")
        shown = tuple(_examples(store, examples)) if count else ()
        yield Finding(check.name, check.level, check.says, count, count / max(rows, 1), shown)


def _examples(store: Store, most: int) -> Iterator[Example]:
    store.run(f"""CREATE OR REPLACE TABLE shown AS SELECT * FROM found
        ORDER BY file, row, detail, passage LIMIT {most}""")
    rows = store.all(f"""SELECT file, row, left(q.text, {_TEXT}), left(p.text, {_TEXT}), detail FROM shown
        LEFT JOIN said q ON q.key = query LEFT JOIN said p ON p.key = passage ORDER BY file, row, detail, passage""")
    for file, row, query, passage, detail in rows:
        yield Example(f"{file}:{row}" if row else file, query or "", passage or "", detail or "")
