"""Let a judge look at what the filter kept; without one, pass it on."""

from typing import TYPE_CHECKING

from embedder.cli.stage import Dataset, DryRun, stage_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedder.asked import Bools, Tables
    from embedder.judging import Judged
    from embedder.params.models import Dataset as Entry


def judge(dataset: Dataset, dry_run: DryRun = False) -> None:  # noqa: FBT002 - a flag
    """Let the judge look at what the filter of DATASET kept; `judge: none` passes it on."""
    from embedder import asked, judges, judging
    from embedder.cli.label import estimate_lines
    from embedder.contamination.estimate import estimate
    from embedder.errors import EmbedderError, JudgeError
    from embedder.judges import reports, texts
    from embedder.judges.options import Judging
    from embedder.params.load import dataset_of, load
    from embedder.progress import say

    params = load()
    name, entry, options = params.judge, dataset_of(params, dataset), params.judges[params.judge]
    # The passages of label tasks are labels: what is true of them is known.
    how = options if isinstance(options, Judging) and not entry.labelled else None
    kind, tables = getattr(options, "kind", ""), asked.read(dataset, entry.positive_at, entry.negative_at)
    try:
        chosen = judges.build(options, judges.Subject(dataset, entry.instruction), params.runtime)
        of = asked.select(tables, how.top, chosen.known()) if how else asked.nothing(tables)
        pairs = texts.read(dataset, of.pairs)
        if how or dry_run:
            say(f"judge {dataset}: {name}: {reports.cost_line(chosen.cost(pairs))}")
        if dry_run:
            return
        if how and kind == "person" and not chosen.known():
            say(f"judge {dataset}: nobody has given a verdict yet; embedder show {dataset} --label asks for some")
        answers = chosen.ask(pairs)
        known = asked.of_positives(tables, of, answers.scores)
        threshold = how.relevant_from(known) if how and len(pairs) else None
    except EmbedderError as error:
        raise type(error)(f"datasets.{dataset}, judges.{name}: {error}") from error
    said = judging.Said(answers.scores, reports.failed(answers), threshold)
    copies = _near_copies(dataset, entry, tables, judging.relevant(tables, of, said))
    action = how and how.action
    found = judging.apply(tables, of, said, copies, relabel=action == "relabel", judge=name)
    by = {"judge": name, "kind": kind, "threshold": threshold, "action": action}
    estimated = estimate(found.labels, params.leak) if found.labels.num_rows else None
    if estimated and estimated.blind and found.counts["kept_after"] < found.counts["kept_before"]:
        raise JudgeError(f"datasets.{dataset}, judges.{name}: {reports.blind_line(estimated)}")
    contamination = estimated and estimated.as_json()
    answered = reports.answers_report(answers, chosen.identity())
    words = [judging.MARGINS_STAY] if found.counts["relabelled"] else []
    counts = {"counts": found.counts, "contamination": contamination, "words": words}
    _write(dataset, found, {**by, **answered, **counts})
    _print(dataset, found.counts, judged=how is not None)
    for line in estimate_lines(estimated, "the judge's") if estimated else ():
        print(f"judge {dataset}: {line}")


def _near_copies(dataset: str, entry: "Entry", tables: "Tables", relevant: "Bools") -> "Bools":
    """Find the near copies of relevant candidates; where there are none of these, there are none of those."""
    from embedder import judging, languages, layout, schemas
    from embedder.filters import rules_of
    from embedder.judges.texts import passages

    if not relevant.any():
        return relevant
    rules = rules_of(schemas.metadata(tables.candidates), str(layout.table("filter", dataset, "candidates")))
    unit = languages.of(entry.language).unit
    return judging.near_copies(tables, relevant, rules, unit, lambda ids: passages(dataset, ids))


def _write(dataset: str, found: "Judged", report: "Mapping[str, object]") -> None:
    from embedder import files, layout, schemas

    with files.replacing(layout.folder("judge", dataset)) as folder:
        schemas.write(folder / "candidates.parquet", schemas.JUDGED_CANDIDATES, found.candidates)
        schemas.write(folder / "judged.parquet", schemas.JUDGEMENTS, found.judged)
        schemas.write(folder / "labels.parquet", schemas.LABELS, found.labels)
        files.write_json(folder / "report.json", report)


def _print(dataset: str, counts: "Mapping[str, int]", *, judged: bool) -> None:
    said = f"{counts['judged']:,} of {counts['kept_before']:,} kept candidates judged" if judged else "no judge"
    removed = f"{counts['relevant']:,} relevant, {counts['near_copies_of_relevant']:,} near copies of those"
    print(f"judge {dataset}: {said}, {removed}, {counts['kept_after']:,} kept")


app = stage_app(judge)

if __name__ == "__main__":
    app()
