"""What the filter measures while a dataset's blocks go by: counts, pass-through, evidence, and pairs to be labelled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedder import files, languages, schemas
from embedder.candidates import Block, Filtering
from embedder.contamination import lower, twins
from embedder.contamination.controls import Known, with_controls
from embedder.contamination.evidence import Evidence, Pairs
from embedder.contamination.sample import Draw, strata
from embedder.filter_report import Tally
from embedder.judged import Ints, index
from embedder.leak.left_out import left_out
from embedder.leak.pass_through import Meter
from embedder.leak.rows import Row, write_csv
from embedder.leak.settings import Setting
from embedder.leak.strata import query_words
from embedder.params.models import Dataset, Leak


class Measures:
    """Everything that is measured of a dataset; label tasks have no windows, so of them rows are counted and no more.

    Args:
        filtering: the dataset's.
        queries: table `queries`.
        qrels: table `qrels`.
        judged: table `judged` of the run.
        entry: the dataset's entry.
        leak: how it is measured.
        made_by: the metadata of table `candidates`.
        grid: the settings whose pass-through is measured, the current one first.
        stored: how many negatives materialize stores of a query.
        cosines: table `cosines` of the run, where mine wrote it.
    """

    def __init__(
        self,
        filtering: Filtering,
        queries: pa.Table,
        qrels: pa.Table,
        judged: pa.Table,
        entry: Dataset,
        leak: Leak,
        made_by: Mapping[str, str],
        grid: Sequence[Setting],
        stored: int,
        cosines: Path | None = None,
    ) -> None:
        self._filtering, self._judged, self._entry, self._leak = filtering, judged, entry, leak
        self._made_by = made_by
        self.tally = Tally(filtering, entry, leak.draws)
        self._left_out = [schemas.LEFT_OUT.schema.empty_table()]
        self._lower, self._draw = lower.Tally(), Draw(leak)
        self._all_queries = index(filtering.query_ids, queries["query_id"].combine_chunks())
        if not entry.labelled:
            words = query_words(filtering.query_texts, entry.language)
            self._meter = Meter(grid, leak, stored, filtering.query_ids.to_pylist(), words)
            self._evidence, self._thresholds = self._evidenced(queries, qrels, cosines)

    def add(self, block: Block) -> None:
        """Measure one block; blocks come in order and once."""
        self.tally.add(block)
        if self._entry.labelled:
            return
        positives = block.positives
        left = left_out(positives.query, positives.rank, positives.score, positives.refused_by)
        self._meter.add(block.query, block.candidates, left)
        ids = self._ids(positives.query, positives.passage)
        self._left_out.append(left.table(*ids))
        self._look(block)

    def _look(self, block: Block) -> None:
        """Look for evidence on what is kept and nobody judged, and let it go by the draw of the sample.

        What was judged is no guess, whether it is a negative or graded between a negative and a positive.
        """
        found, passed = block.candidates, block.refused_by == 0
        unjudged = pc.is_null(block.table["relevance"]).to_numpy()
        kept = np.flatnonzero(passed & unjudged)
        query, passage = block.query[kept], block.passage[kept]
        evidence = self._evidence.of(self._all_queries[query], passage)
        self._lower.add(query, evidence, judged=int(np.count_nonzero(passed & ~unjudged)))
        rank = found.counted_rank(self._filtering.rules)[kept]
        scores = found.score[kept], found.positive_score[kept]
        self._draw.add(*self._ids(query, passage), strata(rank, *scores, found.scale, evidence.suspicious))

    def rows(self) -> list[Row]:
        """Return the rows of leak.csv."""
        return [] if self._entry.labelled else self._meter.rows()

    def report(self) -> dict[str, Any]:
        """Return what report.json says."""
        bound = None if self._entry.labelled else self._lower.report(self._leak, self._thresholds)
        return {**self.tally.report(self._made_by), "contamination": bound}

    def write(self, folder: Path) -> None:
        """Write left_out, sample, leak.csv and report.json."""
        left = schemas.build(schemas.LEFT_OUT, pa.concat_tables(self._left_out), self._made_by)
        schemas.write(folder / "left_out.parquet", schemas.LEFT_OUT, left)
        schemas.write(folder / "sample.parquet", schemas.SAMPLE, self._sample())
        write_csv(folder / "leak.csv", self.rows())
        files.write_json(folder / "report.json", self.report())

    def _sample(self) -> pa.Table:
        if self._entry.labelled:
            return schemas.build(schemas.SAMPLE, schemas.SAMPLE.schema.empty_table(), self._made_by)
        positives = schemas.positives(self._judged, self._entry.positive_at)
        known = Known(positives, self._judged, self._filtering.passage_ids)
        sample = with_controls(self._draw.kept(), known, self._leak)
        return schemas.build(schemas.SAMPLE, sample.replace_schema_metadata(None), self._made_by)

    def _ids(self, query: Ints, passage: Ints) -> tuple[pa.Array, pa.Array]:
        filtering = self._filtering
        return filtering.query_ids.take(pa.array(query)), filtering.passage_ids.take(pa.array(passage))

    def _evidenced(
        self, queries: pa.Table, qrels: pa.Table, cosines: Path | None
    ) -> tuple[Evidence, Mapping[str, float | None] | None]:
        """Return what is asked for evidence, and from which cosine on each teacher has twins; None without cosines."""
        filtering, rules = self._filtering, self._filtering.rules
        if filtering.shingles is None:
            raise AssertionError("a dataset without labels has shingles")
        query_ids = queries["query_id"].combine_chunks()
        relevant = schemas.positives(qrels, self._entry.positive_at)
        positives = Pairs(index(relevant["query_id"], query_ids), index(relevant["passage_id"], filtering.passage_ids))
        found = twins.read(cosines, query_ids, filtering.passage_ids, positives) if cosines else None
        evidence = Evidence(
            queries["text"].to_pylist(),
            positives,
            filtering.shingles,
            languages.of(self._entry.language).unit,
            rules.near_copy_size,
            rules.near_copy_jaccard,
            found.pairs if found else None,
        )
        return evidence, found.thresholds if found else None
