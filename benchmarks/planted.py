"""Contamination as estimated against what is true: relevant passages are planted in real sets, or known ones hidden.

What is relevant is known, so a simulated judge of known errors answers the sample as a judge would. Ingested sets are given
as folders of tables; a teacher is BM25, the other the offline student, which `dvc repro base` builds.
"""

import csv
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import planted_cells
import planted_tables
import planting
from planted_cells import Ranked, Row, Study
from planting import Planted, Source

if TYPE_CHECKING:
    from embedder.params.base import Model

DOSES = (0.0, 0.005, 0.02, 0.1)
_SETS = ("data/ingest/pydoc-search", "data/ingest/see-also")
_LENGTH = 256


def main(asked: Namespace) -> None:
    """Run the cells, and print the tables."""
    sources = [planting.choose(read(folder), asked.queries) for folder in asked.sets]
    study = prepared(asked)
    rows: list[Row] = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        # Vectors are stored below the folder where a run is started.
        os.chdir(asked.folder or folder)
        for source in sources:
            rows += of_set(source, asked.doses, study)
    seconds = time.perf_counter() - start
    print(f"{len(rows):,} rows in {seconds:.0f} s", file=sys.stderr)
    if asked.rows:
        with asked.rows.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    text = planted_tables.report(rows, sources, study, asked)
    if asked.out:
        asked.out.write_text(text)
    else:
        print(text)


def parsed() -> Namespace:
    """Return the options."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(_SETS), help="FOLDER or FOLDER:POSITIVE_AT")
    parser.add_argument("--queries", type=int, default=300, help="of each set, default 300")
    parser.add_argument("--doses", nargs="+", type=float, default=list(DOSES), help="default 0 0.005 0.02 0.1")
    parser.add_argument("--model", type=Path, default=Path("data/base/model"), help="of the dense teacher")
    parser.add_argument("--folder", type=Path, help="where vectors are kept for the next time; default: nowhere")
    parser.add_argument("--out", type=Path, help="where the Markdown is written; default: printed")
    parser.add_argument("--rows", type=Path, help="where every row is written, as CSV")
    asked = parser.parse_args()
    for name in ("model", "folder", "out", "rows"):
        if getattr(asked, name):
            setattr(asked, name, getattr(asked, name).resolve())
    return asked


def read(folder: str) -> Source:
    """Read an ingested set; `FOLDER:2` where a passage is a positive from a relevance of 2 on."""
    from embedder import mining, schemas

    path, _, least = folder.partition(":")
    names = {"queries": schemas.QUERIES, "corpus": schemas.CORPUS, "qrels": schemas.QRELS}
    tables = {name: schemas.read(Path(path) / f"{name}.parquet", table) for name, table in names.items()}
    positive_at = float(least or 1)
    chosen = mining.minable(tables["queries"], tables["qrels"], positive_at)
    return Source(Path(path).resolve().name, positive_at, chosen, tables["queries"], tables["corpus"], tables["qrels"])


def prepared(asked: Namespace) -> Study:
    """Return the rules, the measuring and BM25 as params.yaml has them, and the dense teacher."""
    from embedder.params.load import load
    from embedder.params.runtime import Runtime

    params = load()
    entries = {"bm25": params.teachers["bm25"], "dense": dense(asked.model)}
    runtime = Runtime(device="cpu", threads=1, log_interval=3600)
    return Study(params.filter, params.leak, params.mine.depth, entries, runtime)


def dense(folder: Path) -> "Model":
    """Return the entry of a model that lies in a folder, as `embedder promote` writes it."""
    from embedder.promotion import Reading, entry_of
    from embedder.revisions import content_hash, file_hashes
    from embedder.teachers.dense import Options

    reading = Reading("", "", _LENGTH, _LENGTH, "none")
    return Options.model_validate(entry_of(folder, folder, content_hash(file_hashes(folder)), reading, {}))


def of_set(source: Source, doses: list[float], study: Study) -> Iterator[Row]:
    """Yield the rows of one set; a corpus is ranked once for all cells that share it."""
    bare = _ranked(source, planting.plant(source, "answer", "best", 0.0, study.depth), study)
    for dose in doses:
        for kind in planting.KINDS:
            several: dict[bool, Ranked] = {}
            # Nothing is hidden of what is unrelated: there is one way to hide it.
            for scheme in planting.SCHEMES if kind != "unrelated" else planting.SCHEMES[:1]:
                planted = planting.plant(source, kind, scheme, dose, study.depth)
                half = scheme == "random"
                if planted.texts and half not in several:
                    several[half] = _ranked(source, planted, study)
                of = several[half] if planted.texts else replace(bare, planted=planted)
                start = time.perf_counter()
                for row in planted_cells.cells(of, kind, scheme, study):
                    yield {"dose": dose, **row}
                _say(source, f"{kind} {scheme} {dose}", start)


def _ranked(source: Source, planted: Planted, study: Study) -> Ranked:
    start = time.perf_counter()
    found = planted_cells.ranked(source, planted, study)
    _say(source, f"{len(planted.texts):,} passages planted, ranked", start)
    return found


def _say(source: Source, what: str, start: float) -> None:
    print(f"{source.name}: {what}, {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(parsed())
