"""Draw the negatives and write the training shards of all datasets, with what was dropped and why."""

from embedder.cli.stage import stage_app


def materialize() -> None:
    """Draw the negatives and write the training shards of all datasets, with what was dropped and why."""
    from embedder import decontamination, files, layout, schemas, set_aside, shards
    from embedder.audit.materialized import audit_shards
    from embedder.false_negatives import in_words, measured
    from embedder.filters import rules_of
    from embedder.manifest import card, manifest
    from embedder.params.load import load
    from embedder.training_rows import check_losses, choose, unchosen

    params = load()
    settings = params.materialize
    ingested = {name: schemas.read_ingested(name) for name in params.datasets}
    texts = {name: decontamination.texts_of(*tables, params.datasets[name]) for name, tables in ingested.items()}
    contaminated = decontamination.contaminated(texts, settings.decontaminate_jaccard)
    dropped: list[tuple[str, str, str, str]] = []
    counts: dict[str, dict[str, object]] = {}
    false_negatives = {}
    written = []
    with files.replacing(layout.folder("materialize")) as folder:
        for name, entry in params.datasets.items():
            path = layout.table("judge", name, "candidates")
            candidates = schemas.read(path, schemas.JUDGED_CANDIDATES)
            made_by = schemas.metadata(candidates)
            rules, expected = rules_of(made_by, str(path)), {"revision": made_by["revision"]}
            judged = schemas.read(layout.table("judge", name, "judged"), schemas.JUDGEMENTS, expected)
            own = texts[name].own_passages
            chosen = unchosen(judged)
            if entry.weight:
                chosen = choose(candidates, judged, entry, rules, settings, contaminated[name], own)
                check_losses(name, chosen, settings.max_dropped_share)
            dropped += [(name, *row) for row in chosen.dropped]
            false_negatives[name] = measured(name)
            known = {"rules": rules.model_dump(mode="json"), "false_negatives": false_negatives[name]}
            counts[name] = {**chosen.report(), **made_by, **known}
            tables = shards.Texts(ingested[name][0], ingested[name][1], candidates, judged)
            written += shards.write_shards(
                folder / layout.SHARDS.name, name, entry, chosen.rows, tables, made_by, settings.shard_rows
            )
            queries = len({row.query_id for row in chosen.rows})
            print(f"materialize {name}: {len(chosen.rows):,} rows of {queries:,} of {chosen.mined:,} queries")
        set_aside.write(folder / layout.SELECTION.name, params.finetune.selection, params.datasets, ingested)
        audited = audit_shards(folder / layout.SHARDS.name)
        print(f"materialize: {audited.rows:,} rows audited")
        content = manifest(list(shards.describe(written, folder)), counts, params.datasets, settings, audited.as_json())
        rows = {name: int(str(count["rows"])) for name, count in counts.items()}
        schemas.write(folder / layout.DROPPED.name, schemas.DROPPED, schemas.from_rows(schemas.DROPPED, dropped))
        files.write_json(folder / layout.MANIFEST.name, content)
        files.write_json(folder / "report.json", counts)
        said = {name: in_words(found) for name, found in false_negatives.items()}
        (folder / layout.CARD.name).write_text(card(content, params.datasets, rows, said), encoding="utf-8")


app = stage_app(materialize)

if __name__ == "__main__":
    app()
