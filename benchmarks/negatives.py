"""Which negatives to take: pass-through, evidence of contamination and hardness of five settings, on mined datasets.

Run in the folder of a project whose datasets are mined: `python /path/to/benchmarks/negatives.py [DATASET ...]`.
"""

import sys
from collections.abc import Iterator
from typing import Any

from embedder import layout, row_groups, schemas
from embedder.candidates import Filtering, made_by
from embedder.held_out import dev_positives
from embedder.leak.rows import Row
from embedder.leak.settings import Setting, settings
from embedder.leak.stored import Stored
from embedder.leak.suggestion import suggest
from embedder.measures import Measures
from embedder.params.load import dataset_of, load
from embedder.params.models import Filter, Params

RATE = 0.01
# Below, percentages have three digits.
_FINE = 0.01
_OFF = dict.fromkeys(name for name in Filter.model_fields if "score" in name or "rank" in name or "margin" in name)
_CHOICES: dict[str, dict[str, Any]] = {
    "0-100": {"min_rank": 1, "max_rank": 100},
    "30-100": {"min_rank": 30, "max_rank": 100},
    "50-100": {"min_rank": 50, "max_rank": 100},
    "percentile margin 0.1": {"percentile_margin": 0.1},
}


def main() -> None:
    """Print the table."""
    params = load()
    print("| set | setting | pass-through | drawn at random | contamination, at least | kept a query | hardness |")
    print("|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or params.datasets:
        for called, rules in _choices(params, name):
            row, bound = _measured(params, name, rules)
            print(f"| {name} | {called} | {_cells(row, bound)} |", flush=True)


def _choices(params: Params, name: str) -> Iterator[tuple[str, Filter]]:
    current = params.filter_of(name).model_copy(update=_OFF)
    for called, changes in _CHOICES.items():
        yield called, current.model_copy(update=changes)
    stored = Stored(name, dataset_of(params, name))
    grid = settings(stored.rules, int(stored.made_by["depth"]), scored=True)
    found = suggest(stored.parts(), stored.query_ids, stored.left, grid, params.leak, params.materialize, RATE).chosen
    if found is not None:
        yield f"suggested under {RATE:.0%}: {found.name}", found.rules


def _measured(params: Params, name: str, rules: Filter) -> tuple[Row, dict[str, Any]]:
    entry, path = dataset_of(params, name), layout.table("mine", name, "run")
    queries, corpus, qrels = schemas.read_ingested(name)
    judged = schemas.read(layout.table("mine", name, "judged"), schemas.JUDGED)
    filtering = Filtering(queries, corpus, judged, dev_positives(queries, qrels, entry), entry, rules)
    made = made_by(schemas.peek(path, schemas.RUN).schema, rules)
    grid = [Setting("current", rules)]
    stored = params.materialize.num_negatives
    measures = Measures(filtering, queries, qrels, judged, entry, params.leak, made, grid, stored)
    for block in filtering.blocks(row_groups.read(path, schemas.RUN, schemas.RUN.schema.names)):
        measures.add(block)
    return measures.rows()[0], measures.report()["contamination"]


def _cells(row: Row, bound: dict[str, Any]) -> str:
    kept = f"{row.kept_per_query:.0f}" if row.kept_per_query is not None else ""
    hardness = f"{row.hardness:.3f}" if row.hardness is not None else ""
    return " | ".join(
        [
            _share(row.pass_through, row.low, row.high) or "not identifiable from labels",
            _share(row.drawn_random, row.drawn_random_low, row.drawn_random_high),
            _share(bound["lower"], bound["low"], bound["high"]),
            kept,
            hardness,
        ]
    )


def _share(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return ""
    digits = 1 if value >= _FINE else 3
    return f"{value:.{digits}%} ({low:.{digits}%} to {high:.{digits}%})"


if __name__ == "__main__":
    main()
