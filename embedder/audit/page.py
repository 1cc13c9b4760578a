"""The page of an audit: what each check found, and examples."""

from collections.abc import Sequence

from embedder.audit.findings import Finding, Findings
from embedder.report.html import Html, document, tag

_CLASSES = {"fault": "outcome not-better", "warning": "outcome not-resolvable-here", "ok": "outcome better"}


def render(findings: Findings, most: float) -> str:
    """Write the whole page.

    Args:
        findings: of the audit.
        most: the share of rows up to which a fault is let pass.
    """
    return document("audit", _header(findings, most), tag("main", *_main(findings)))


def _header(findings: Findings, most: float) -> Html:
    faults = findings.faults(most)
    verdict = f"{len(faults)} kinds of faults" if faults else "No fault"
    licences = ", ".join(f"{name}: {licence or 'none'}" for name, licence in findings.licences.items())
    return tag(
        "header",
        tag("p", findings.form, class_="made"),
        tag("h1", findings.source),
        tag("p", tag("strong", verdict, class_=_CLASSES["fault" if faults else "ok"]), class_="lead"),
        tag("p", f"{findings.rows:,} rows read = {findings.audited:,} audited + {findings.unreadable:,} unreadable"),
        *(tag("p", one.says) for one in findings.held_out),
        tag("p", f"Licences: {licences or 'none stated'}", class_="hint"),
    )


def _main(findings: Findings) -> list[Html]:
    found = [one for one in findings.found if one.count]
    names = ("check", "", "rows", "share", "what it looks for")
    rows = [[one.check, _level(one), f"{one.count:,}", f"{one.share:.2%}", one.says] for one in findings.found]
    hint = "Texts are shown as they are compared: case and white space folded."
    return [tag("h2", "Checks"), _table(names, rows), tag("h2", "Examples"), tag("p", hint, class_="hint"),
            *map(_examples, found)]  # fmt: skip


def _examples(finding: Finding) -> Html:
    rows = [[one.place, tag("pre", one.query), tag("pre", one.passage), one.detail] for one in finding.examples]
    title = tag("h3", finding.check, tag("small", finding.level), tag("small", f"{finding.count:,} rows"))
    hint = tag("p", finding.says, class_="hint")
    return tag("section", title, hint, _table(("where", "query", "passage", ""), rows))


def _level(finding: Finding) -> Html:
    level = finding.level if finding.count else "ok"
    return tag("span", level, class_=_CLASSES[level])


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    body = [
        tag("tr", *(tag("td", cell, data_label=name or None) for name, cell in zip(names, row, strict=True)))
        for row in rows
    ]
    return tag("div", tag("table", head, tag("tbody", *body)), class_="wide")
