"""`embedder show --blame`: which training rows have the passages of dev queries that tuning lost as negatives."""

import difflib
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from embedder import languages, layout, schemas
from embedder.blame import COLUMNS, Change, Golds, Push, Source, changes, pushes, reasons
from embedder.cli.terminal import console, one_line, visible, whole
from embedder.errors import EmbedderError, TableError
from embedder.evaluation.results import METRICS
from embedder.filters import rules_of
from embedder.params.load import dataset_of, load
from embedder.params.models import Dataset, Params
from embedder.texts import passage_text

_ROWS = 2**12
_NEIGHBOURS = 5_000
# Of the rows that pushed a passage away, and of the queries that are named, where texts are cut.
_SHOWN = 3
_LABELS = 9


def blame(dataset: str, query_id: str | None, *, jaccard: float, most: int, full: bool) -> None:
    """Print for dev queries that tuning lost the training rows that have their passage as a negative, and why.

    Args:
        dataset: the dev queries' dataset; the training rows of all datasets are looked through.
        query_id: the query to look at, lost or not; None for the largest losses.
        jaccard: the similarity from which a text is a near copy.
        most: how many queries.
        full: whether everything is printed whole.

    Raises:
        EmbedderError: the dataset has no dev queries that could be lost, or not this one.
        TableError: there is no evaluation yet, or there are no shards.
    """
    params = load()
    entry = dataset_of(params, dataset)
    found = _changes(dataset, entry)
    lost = [change for change in found if change.is_loss]
    wanted = lost if query_id is None else [_require(query_id, found, dataset)]
    texts = _Texts(dataset, entry, [change.query_id for change in wanted])
    golds = Golds(
        {name: texts.passages[name] for names in texts.golds.values() for name in names},
        languages.of(entry.language).unit,
        jaccard,
    )
    blamed = _by_query(pushes(_shards(params), golds), texts.golds)
    out = console()
    _print_summary(out, dataset, f"{len(lost):,} of {len(found):,}", jaccard, [c for c in wanted if blamed[c.query_id]])
    for change in wanted[:most]:
        _print_change(out, change, entry, texts, full=full)
        _print_pushes(out, blamed[change.query_id], params, full=full)


class _Texts:
    """The dev queries asked about, and their passages."""

    def __init__(self, dataset: str, entry: Dataset, query_ids: Sequence[str]) -> None:
        queries, corpus, qrels = schemas.read_ingested(dataset)
        asked = set(query_ids)
        rows = queries.select(["query_id", "text"]).to_pylist()
        self.queries = {row["query_id"]: row["text"] for row in rows if row["query_id"] in asked}
        self.golds: dict[str, list[str]] = {name: [] for name in query_ids}
        for row in schemas.positives(qrels, entry.positive_at).to_pylist():
            if row["query_id"] in asked:
                self.golds[row["query_id"]].append(row["passage_id"])
        golds = {name for names in self.golds.values() for name in names}
        self.passages = {
            row["passage_id"]: passage_text(row["title"], row["text"])
            for batch in corpus.to_batches()
            for row in batch.to_pylist()
            if row["passage_id"] in golds
        }


def _changes(dataset: str, entry: Dataset) -> list[Change]:
    if entry.task not in {"retrieval", "reranking"}:
        what = "labels are nobody's passage to push away" if entry.labelled else "its pairs have no figure of their own"
        raise EmbedderError(f"dataset '{dataset}' is of task {entry.task}: --blame is not about it, for {what}")
    if not layout.SCORES.exists():
        raise TableError(f"{layout.SCORES}: no evaluation yet; run dvc repro evaluate")
    found = changes(schemas.read(layout.SCORES, schemas.SCORES), dataset)
    if not found:
        raise TableError(f"{layout.SCORES}: knows nothing of dataset '{dataset}'; run dvc repro evaluate")
    return found


def _require(query_id: str, found: Sequence[Change], dataset: str) -> Change:
    by_id = {change.query_id: change for change in found}
    if query_id not in by_id:
        known = sorted(by_id)
        at = bisect(known, query_id)
        close = difflib.get_close_matches(query_id, known[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS], n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"embedder show {dataset} --blame shows some"
        raise EmbedderError(f"dataset '{dataset}' has no evaluated dev query {query_id!r}; {hint}")
    return by_id[query_id]


def _shards(params: Params) -> Iterator[tuple[Source, pa.Table]]:
    paths = sorted(layout.SHARDS.glob("*.parquet"))
    if not paths:
        raise TableError(f"{layout.SHARDS}: no training data yet; run dvc repro materialize")
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                source = _source(path, schemas.metadata(file.schema_arrow.empty_table()), params)
                for batch in file.iter_batches(_ROWS, columns=list(COLUMNS)):
                    yield source, pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            raise TableError(f"{path}: not a readable shard ({error}); run materialize again") from error


def _source(path: Path, made_by: Mapping[str, str], params: Params) -> Source:
    name = made_by.get("dataset", path.stem)
    entry = params.datasets.get(name)
    rules = rules_of(made_by, str(path)) if "rules" in made_by else None
    return Source(name, languages.of(entry.language if entry else None).unit, made_by, rules)


def _by_query(found: Sequence[Push], golds: Mapping[str, Sequence[str]]) -> dict[str, list[Push]]:
    of_gold: dict[str, list[Push]] = {}
    for push in found:
        of_gold.setdefault(push.gold_id, []).append(push)
    return {query: [push for gold in names for push in of_gold.get(gold, ())] for query, names in golds.items()}


def _print_summary(out: Console, dataset: str, lost: str, jaccard: float, blamed: Sequence[Change]) -> None:
    out.print(
        f"{dataset}: {lost} dev queries lost by tuning; training rows are those that have a passage with a Jaccard of "
        f"{jaccard:g} or more to theirs stored as a negative, those that only meet it in a batch aside; a step draws some of "
        "what is stored, so this need not be why"
    )
    names = ", ".join(visible(change.query_id) for change in blamed[:_SHOWN])
    more = f" and {len(blamed) - _SHOWN:,} more" if len(blamed) > _SHOWN else ""
    out.print(f"queries with such rows: {len(blamed):,}{': ' if names else ''}{names}{more}")


def _print_change(out: Console, change: Change, entry: Dataset, texts: _Texts, *, full: bool) -> None:
    query_id = Text(visible(change.query_id), style="bold")
    out.print()
    # A rule would cut an id that is wider than the terminal.
    out.print(Rule(query_id, align="left", style="dim") if query_id.cell_len < out.width - 4 else query_id)
    ranks = f"first positive at rank {_rank(change.base_rank)}, then {_rank(change.tuned_rank)}"
    verdict = "" if change.is_loss else "; not lost"
    said = f"{METRICS[entry.task]} {change.base:.3f} before tuning, {change.tuned:.3f} after; {ranks}{verdict}"
    fields = [("query", texts.queries[change.query_id])]
    fields += [("gold", texts.passages[name]) for name in texts.golds[change.query_id]]
    out.print(Padding(Text(said), (0, 0, 0, 2)))
    _print_fields(out, fields, full=full)


def _print_pushes(out: Console, found: Sequence[Push], params: Params, *, full: bool) -> None:
    if not found:
        out.print(Padding(Text("No training row has its passage stored as a negative."), (0, 0, 0, 2)))
        return
    shown = found if full else found[:_SHOWN]
    # One row may have several near copies.
    rows = len({(push.source.dataset, push.row["query_id"], push.row["positive_id"]) for push in found})
    have = "training row has" if rows == 1 else "training rows have"
    out.print(Padding(Text(f"{rows:,} {have} it stored as a negative, {len(shown)} shown:"), (0, 0, 0, 2)))
    draws = params.students[params.student].recipe.num_negatives
    for push in shown:
        alike = "the same text as" if push.jaccard == 1 else f"Jaccard {push.jaccard:.2f} to"
        fields = [("row", f"{push.source.dataset}, {push.row['query_id']} -> {push.row['positive_id']}")]
        fields += [("draws", f"a step draws {min(draws, push.stored)} of {push.stored} stored negatives")]
        fields += [("query", push.row["query"]), ("positive", push.row["positive"])]
        fields += [("negative", push.text), ("is", f"{push.negative_id}, {alike} {push.gold_id}")]
        fields += [("kept by", "; ".join(reasons(push, params.materialize)))]
        out.print()
        _print_fields(out, fields, full=full)


def _print_fields(out: Console, fields: Sequence[tuple[str, str]], *, full: bool) -> None:
    """Print texts beside their labels, each on one line unless all is wanted; reasons are always whole."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=_LABELS, style="dim")
    grid.add_column(ratio=1, overflow="fold")
    for label, text in fields:
        uncut = full or label == "kept by"
        cell = Text(
            whole(text) if uncut else one_line(text, out.width),
            no_wrap=not uncut,
            overflow=None if uncut else "ellipsis",
        )
        grid.add_row(Text(label), cell)
    out.print(Padding(grid, (0, 0, 0, 2)))


def _rank(rank: int | None) -> str:
    return "beyond 1,000" if rank is None else str(rank)
