"""Tune the student on the shards, choose the best where that is asked for, and save the adapter and the whole model."""

from embedder.cli.stage import DryRun, stage_app


def finetune(dry_run: DryRun = False) -> None:  # noqa: FBT002 - a flag
    """Tune the student on the shards, choose the best where that is asked for, and save the adapter and the model."""
    from embedder import devices, files, layout, schemas
    from embedder.evaluation.scoring import scorer_of
    from embedder.params.load import load, student_of
    from embedder.training import exporting, plan_table, runs
    from embedder.training.adapters import load_base
    from embedder.training.asked import Asked
    from embedder.training.finetuning import tune
    from embedder.training.identity import inputs_of
    from embedder.training.launching import launch
    from embedder.training.processes import joined
    from embedder.training.shards import read_shards

    params = load()
    if dry_run:
        from embedder.cli.forecast import print_forecast

        print_forecast(params)
        return
    launch("stages.finetune", params.runtime)
    device, student = devices.configure(params.runtime), student_of(params)
    asked = Asked(params.student, student, params.finetune)
    sets, scorer = read_shards(layout.SHARDS), scorer_of(params)
    exporting.check(asked)
    inputs = inputs_of([layout.BASE_MODEL, layout.SHARDS, *([layout.SELECTION] if scorer else [])])
    with joined(device) as processes, runs.alone(processes):
        model = load_base(student, layout.BASE, device)
        tuned = tune(
            model, student, sets, params.finetune, params.runtime, inputs=inputs, scorer=scorer, processes=processes
        )
        if processes.index:
            return
        with files.replacing(layout.folder("finetune")) as folder:
            schemas.write(folder / layout.PLAN.name, schemas.PLAN, plan_table.table(tuned.batches))
            report = tuned.report | {"student": params.student, "cosines": exporting.export(tuned, sets, folder, asked)}
            files.write_json(folder / "report.json", report)
        runs.forget()
    print(f"finetune {params.student}: {len(tuned.history)} steps, last loss {tuned.history[-1].loss:.3f}")
    if tuned.chosen:
        print(f"chosen: {tuned.chosen}")


app = stage_app(finetune)

if __name__ == "__main__":
    app()
