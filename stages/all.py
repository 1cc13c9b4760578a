"""Run the whole pipeline in a plain loop, for people without DVC; nothing is cached, everything runs."""

from embedder.cli.stage import stage_app


def run_all() -> None:
    """Run every stage in order, each in a process of its own as DVC does, and stop at the first that fails."""
    import subprocess
    import sys

    import typer

    from embedder import layout
    from embedder.params.load import load

    for stage in layout.STAGES:
        for dataset in list(load().datasets) if stage in layout.PER_DATASET else [None]:
            command = [sys.executable, "-m", f"stages.{stage}", *([dataset] if dataset else [])]
            code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own stages, no shell
            if code:
                raise typer.Exit(code)


app = stage_app(run_all)

if __name__ == "__main__":
    app()
