"""Build the student's starting checkpoint, or record which one it is."""

from embedder.cli.stage import stage_app


def base() -> None:
    """Build the student's starting checkpoint from train texts, or record which existing model it is."""
    from embedder import devices, files, layout, schemas
    from embedder.held_out import dev_positives
    from embedder.params.load import load, student_of
    from embedder.students import build_base
    from embedder.train_texts import Ingested, train_texts

    params = load()
    devices.configure(params.runtime)
    tables = {}
    for name, entry in params.datasets.items():
        queries, corpus, qrels = schemas.read_ingested(name)
        tables[name] = Ingested(queries, corpus, dev_positives(queries, qrels, entry), entry.weight)
    texts, counts = train_texts(tables)
    with files.replacing(layout.BASE) as folder:
        facts = build_base(student_of(params).model, texts, folder)
        files.write_json(folder / "report.json", {"student": params.student, "base": facts, "texts": counts})
    print(f"base {params.student}: {len(texts):,} train texts seen")


app = stage_app(base)

if __name__ == "__main__":
    app()
