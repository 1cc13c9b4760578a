"""Let a judge look at what the filter kept; without one, pass it on."""

from typing import TYPE_CHECKING

from embedder.cli.stage import Dataset, DryRun, stage_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedder.judging import Judged, Tables
    from embedder.params.models import Dataset as Entry


def judge(dataset: Dataset, dry_run: DryRun = False) -> None:  # noqa: FBT002 - a flag
    """Let the judge look at what the filter of DATASET kept; `judge: none` passes it on."""
    from embedder import judges, judging
    from embedder.contamination.estimate import estimate
    from embedder.errors import EmbedderError
    from embedder.judges import reports, texts
    from embedder.judges.options import Judging
    from embedder.params.load import dataset_of, load
    from embedder.progress import say

    params = load()
    name, entry, options = params.judge, dataset_of(params, dataset), params.judges[params.judge]
    # The passages of label tasks are labels: what is true of them is known.
    rules = options if isinstance(options, Judging) and not entry.labelled else None
    tables = _tables(dataset, entry)
    asked = judging.select(tables, rules.top) if rules else judging.nothing(tables)
    try:
        pairs = texts.read(dataset, asked.pairs)
        chosen = judges.build(options, judges.Subject(dataset, entry.instruction), params.runtime)
        if rules or dry_run:
            say(f"judge {dataset}: {name}: {reports.cost_line(chosen.cost(pairs))}")
        if dry_run:
            return
        answers = chosen.ask(pairs)
        known = judging.of_positives(tables, asked, answers.scores)
        threshold = rules.relevant_from(known) if rules and len(pairs) else None
    except EmbedderError as error:
        raise type(error)(f"datasets.{dataset}, judges.{name}: {error}") from error
    action, failed = rules and rules.action, reports.failed(answers)
    found = judging.apply(tables, asked, answers.scores, failed, threshold, relabel=action == "relabel", judge=name)
    said = {"judge": name, "kind": getattr(options, "kind", ""), "threshold": threshold, "action": action}
    contamination = estimate(found.labels, params.leak).as_json() if found.labels.num_rows else None
    answered = reports.answers_report(answers, chosen.identity())
    _write(dataset, found, {**said, "counts": found.counts, **answered, "contamination": contamination})
    counts = found.counts
    judged = f"{counts['judged']:,} of {counts['kept_before']:,} kept candidates judged" if rules else "no judge"
    print(f"judge {dataset}: {judged}, {counts['relevant']:,} relevant, {counts['kept_after']:,} kept")


def _tables(dataset: str, entry: "Entry") -> "Tables":
    from embedder import judging, layout, schemas

    candidates = schemas.read(layout.table("filter", dataset, "candidates"), schemas.CANDIDATES)
    judged = schemas.read(layout.table("mine", dataset, "judged"), schemas.JUDGED)
    sample = schemas.read(layout.table("filter", dataset, "sample"), schemas.SAMPLE)
    return judging.Tables(candidates, judged, sample, entry.positive_at, entry.negative_at)


def _write(dataset: str, found: "Judged", report: "Mapping[str, object]") -> None:
    from embedder import files, layout, schemas

    with files.replacing(layout.folder("judge", dataset)) as folder:
        schemas.write(folder / "candidates.parquet", schemas.JUDGED_CANDIDATES, found.candidates)
        schemas.write(folder / "judged.parquet", schemas.JUDGEMENTS, found.judged)
        schemas.write(folder / "labels.parquet", schemas.LABELS, found.labels)
        files.write_json(folder / "report.json", report)


app = stage_app(judge)

if __name__ == "__main__":
    app()
