"""Tune the student on the shards with LoRA, and save the adapter and the whole model."""

from embedder.cli.stage import stage_app


def finetune() -> None:
    """Tune the student on the shards with LoRA, and save the adapter and the whole model."""
    from embedder import devices, files, layout
    from embedder.params.load import load, student_of
    from embedder.students import load_student
    from embedder.training.exporting import export
    from embedder.training.finetuning import tune
    from embedder.training.shards import read_shards

    params = load()
    device, student = devices.configure(params.runtime), student_of(params)
    sets = read_shards(layout.SHARDS)
    model = load_student(student.model, layout.BASE, device)
    tuned = tune(model, student, sets, params.finetune, params.runtime)
    with files.replacing(layout.folder("finetune")) as folder:
        gate = export(tuned, sets, folder)
        report = tuned.report | {"student": params.student, "cosines": gate}
        files.write_json(folder / "report.json", report)
    last = tuned.history[-1]
    print(f"finetune {params.student}: {len(tuned.history)} steps, last loss {last.loss:.3f}")


app = stage_app(finetune)

if __name__ == "__main__":
    app()
