"""The filter stage on made-up runs: seconds and peak memory at two sizes, and whether torch was loaded.

Each size has 128 candidates a query over one corpus; a tenth of the queries have a second positive, which is a near copy
of the first. Other rows are drawn at random: the rules are asked of every row, whatever its passage.
"""

import shutil
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import arms
import made_up
import numpy as np
import pyarrow as pa

from embedder import layout, schemas
from embedder.params import load

_DEPTH = 128
_WORDS = 60
_STAGE = (
    "import runpy, sys; sys.argv = ['filter', 'made-up']\n"
    "try: runpy.run_module('stages.filter', run_name='__main__')\n"
    "except SystemExit as end: assert not end.code\n"
    "print('torch loaded' if 'torch' in sys.modules else 'no torch')"
)
_ENTRY = {
    "task": "retrieval",
    "instruction": "Find it",
    "instruct_passages": False,
    "language": None,
    "licence": "CC0-1.0",
    "path": "nowhere",
    "source": {"loader": "beir"},
    "positive_at": 1,
    "negative_at": 0,
    "weight": 1,
    "label_mode": None,
    "ingest": {},
    "filter": {},
}


def main() -> None:
    """Print the table."""
    asked = arms.parser(__doc__, rows=1_000_000, fewer=100_000, passages=20_000, rounds=3).parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = {rows: _measure(Path(name) / str(rows), rows, asked) for rows in (asked.fewer, asked.rows)}
    print(arms.heading(f"Filter: {asked.passages:,} passages, {_DEPTH} candidates a query", asked))
    print("| candidate rows | seconds (median) | rows a second | peak MB | torch |\n|---|---|---|---|---|")
    for rows, (seconds, peak, said) in results.items():
        print(f"| {rows:,} | {seconds:.1f} | {rows / seconds:,.0f} | {peak:,.0f} | {said} |")
    few, many = (results[rows][1] for rows in (asked.fewer, asked.rows))
    print(f"\nPeak memory at {asked.rows:,} rows over that at {asked.fewer:,}: {many / few:.2f}")


def _measure(folder: Path, rows: int, asked: Namespace) -> tuple[float, float, str]:
    """Return the median seconds, the highest peak in MB and what was said of torch."""
    _project(folder, rows // _DEPTH, asked.passages)
    runs = [arms.process([sys.executable, "-c", _STAGE], folder) for _ in range(asked.rounds)]
    return float(np.median([run[0] for run in runs])), max(run[1] for run in runs), runs[0][2].splitlines()[-1]


def _project(folder: Path, queries: int, passages: int) -> None:
    from ruamel.yaml import YAML

    root = Path(load.__file__).resolve().parents[2]
    folder.mkdir(parents=True)
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["datasets"] = {"made-up": _ENTRY}
    yaml.dump(params, folder / layout.PARAMS)
    shutil.copytree(root / "stages", folder / "stages")
    words = made_up.vocabulary()
    texts = made_up.texts(passages, _WORDS, 1, words)
    # The last tenth are near copies of the first.
    for place in range(passages // 10):
        texts[-1 - place] = f"{texts[place]} {words[place]}"
    for path, table, data in _tables(queries, texts, made_up.texts(queries, 8, 2, words)):
        schemas.write(folder / path, table, data)


def _tables(queries: int, texts: list[str], asked: list[str]) -> list[tuple[Path, schemas.Table, pa.Table]]:
    draw = np.random.default_rng(made_up.SEED)
    query_ids, passage_ids = [f"q{i:07}" for i in range(queries)], [f"p{i:07}" for i in range(len(texts))]
    steps = draw.permutation(len(texts))[:_DEPTH]
    first = draw.integers(0, len(texts), queries)
    found = (first[:, None] + steps[None, :]) % len(texts)
    rank = np.tile(np.arange(1, _DEPTH + 1), queries)
    score = (20 / np.sqrt(rank)).astype(np.float32)
    owner = pa.array(np.repeat(np.arange(queries), _DEPTH))
    made_by = {"teacher": "made-up", "revision": "0" * 40, "depth": str(_DEPTH)}
    run = {
        "query_id": pa.array(query_ids).take(owner),
        "rank": rank,
        "passage_id": pa.array(passage_ids).take(pa.array(found.ravel())),
        "score": score,
    }
    places = [(query, place) for query in range(queries) for place in ((0, 40) if query % 10 == 0 else (0,))]
    judged = {
        "query_id": [query_ids[query] for query, _ in places],
        "passage_id": [passage_ids[found[query, place]] for query, place in places],
        "relevance": np.ones(len(places)),
        "score": [float(score[place]) for _, place in places],
        "rank": [place + 1 for _, place in places],
    }
    ingested = {
        "queries": {"query_id": query_ids, "text": asked, "split": ["train"] * queries, "group_id": query_ids}
        | {"labels": pa.nulls(queries, pa.list_(pa.string()))},
        "corpus": {"passage_id": passage_ids, "title": [""] * len(texts), "text": texts},
        "qrels": {name: judged[name] for name in schemas.QRELS.schema.names},
    }
    declared = {"queries": schemas.QUERIES, "corpus": schemas.CORPUS, "qrels": schemas.QRELS}
    return [
        *(
            (layout.table("ingest", "made-up", n), declared[n], schemas.build(declared[n], c))
            for n, c in ingested.items()
        ),
        (layout.table("mine", "made-up", "run"), schemas.RUN, schemas.build(schemas.RUN, run, made_by)),
        (layout.table("mine", "made-up", "judged"), schemas.JUDGED, schemas.build(schemas.JUDGED, judged, made_by)),
    ]


if __name__ == "__main__":
    main()
