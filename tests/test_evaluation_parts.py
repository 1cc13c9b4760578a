"""Facts about the dev queries that are set aside to choose by, and about the score that they give."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sentence_transformers import SentenceTransformer

from embedder import layout, schemas, set_aside
from embedder.errors import StudentError, TableError
from embedder.evaluation.dev import DevSet, Scores
from embedder.evaluation.measuring import measure
from embedder.evaluation.parts import choosing, reported
from embedder.evaluation.rankers import Encoder
from embedder.evaluation.results import METRICS, rows
from embedder.evaluation.scoring import Scorer, mean_of_tasks, scorer_of
from embedder.params.models import Params
from tests import project
from tests.test_evaluation_results import SETTINGS, _measured
from tests.test_set_aside import queries
from tests.training_sets import student

SHARE = 0.4


def params(selection: Mapping[str, object] | None, weight: float = 1.0) -> Params:
    """Return the parameters of a tiny project with this selection, and this weight of the dataset code."""
    tiny = project.tiny_params()
    tiny["datasets"]["code"]["weight"] = weight
    return Params.model_validate(tiny | {"finetune": tiny["finetune"] | {"selection": selection}})


CHOSEN = {"share": SHARE, "every": None, "patience": None, "scales": [1.0], "seeds": 1}


@pytest.fixture
def ingested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two ingested datasets that share their groups: 60 dev queries in 20 groups, and 20 train queries."""
    monkeypatch.chdir(tmp_path)
    groups = [f"g{number % 20}" for number in range(60)] + [f"t{number}" for number in range(20)]
    table = queries(groups, ["dev"] * 60 + ["train"] * 20)
    ids = table.column("query_id").to_pylist()
    for name in ("docs", "code"):
        folder = layout.folder("ingest", name)
        folder.mkdir(parents=True)
        passages = [f"p{one}" for one in ids]
        corpus = {"passage_id": passages, "title": [""] * 80, "text": [f"passage {one}" for one in ids]}
        qrels = {"query_id": ids, "passage_id": passages, "relevance": [1.0] * 80}
        schemas.write(folder / "queries.parquet", schemas.QUERIES, table)
        schemas.write(folder / "corpus.parquet", schemas.CORPUS, schemas.build(schemas.CORPUS, corpus))
        schemas.write(folder / "qrels.parquet", schemas.QRELS, schemas.build(schemas.QRELS, qrels))
    return tmp_path


def chosen_by(asked: Params) -> dict[str, DevSet]:
    """Write what is set aside as materialize does, and read it as finetune does."""
    selection = asked.finetune.selection
    assert selection
    layout.SELECTION.parent.mkdir(parents=True, exist_ok=True)
    ingested = {name: schemas.read_ingested(name) for name in asked.datasets}
    set_aside.write(layout.SELECTION, selection, asked.datasets, ingested)
    return choosing(set_aside.read(layout.SELECTION, selection.share))


def test_both_parts_are_all_dev_queries(ingested: Path) -> None:
    """What is reported and what chooses share no query and leave none out; the corpus is whole in both."""
    del ingested
    asked = params(CHOSEN)
    report, choice = reported(asked), chosen_by(asked)
    for name in asked.datasets:
        one, other = report[name], choice[name]
        assert not set(one.dev.query_ids) & set(other.dev.query_ids)
        assert len(one.dev.query_ids) + len(other.dev.query_ids) == 60
        assert one.set_aside == len(other.dev.query_ids) > 0
        assert len(one.passages) == len(other.passages) == 80
        assert len(one.rows) == len(one.dev.query_ids)
    assert report["docs"].dev.query_ids == report["code"].dev.query_ids


def test_without_a_selection_all_dev_queries_are_reported(ingested: Path) -> None:
    """With selection null every dev query is measured, none is set aside, and there is no scorer."""
    del ingested
    asked = params(None)
    assert {(len(one.dev.query_ids), one.set_aside) for one in reported(asked).values()} == {(60, 0)}
    assert scorer_of(asked) is None


def test_a_score_is_the_avg_of_the_results() -> None:
    """Over all tasks the score is the base's and the tuned model's figure in the AVG row, two datasets of a task included."""
    measured = [_measured(task, task, gain=0.1, n=20 + place) for place, task in enumerate(METRICS)]
    measured += [_measured("more", "retrieval", gain=0.3, n=70), _measured("other", "sts", gain=0.3, n=70)]
    average = rows(measured, SETTINGS)[-1]
    tasks = {one.dataset: one.task for one in measured}
    for model, figure in (("base", average.base), ("tuned", average.tuned)):
        assert mean_of_tasks(tasks, {one.dataset: one.scores[model] for one in measured}) == pytest.approx(figure)


def test_a_score_is_of_the_tasks_there_are() -> None:
    """Tasks that are missing count nothing, and classification counts only where it is alone."""
    found = {task: _measured(task, task, gain=0.1, n=20 + place).scores["tuned"] for place, task in enumerate(METRICS)}

    def of(*names: str) -> float:
        return mean_of_tasks({name: name for name in names}, {name: found[name] for name in names})

    def figure(scores: Scores) -> float:
        return float(np.mean(scores.values))

    assert of("sts", "classification") == pytest.approx(figure(found["sts"]))
    assert of("classification") == pytest.approx(figure(found["classification"]))
    assert of("sts", "retrieval") == pytest.approx((figure(found["sts"]) + figure(found["retrieval"])) / 2)


def test_the_scorer_searches_the_whole_corpus_with_the_model(
    ingested: Path,
    fresh: Callable[[], SentenceTransformer],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A score is the metric on the part to choose by against the whole corpus, and what it took is said."""
    del ingested
    asked = params(CHOSEN)
    sets = chosen_by(asked)
    seen = []

    def counted(data: DevSet, encoder: Encoder, seed: int) -> Scores:
        seen.append(len(data.passages))
        return measure(data, encoder, seed)

    monkeypatch.setattr("embedder.evaluation.scoring.measure", counted)
    scorer = Scorer(
        sets | {"empty": reported(params(CHOSEN | {"share": 0.999999}))["docs"]}, _entries(asked), student()
    )
    value = scorer(fresh())
    assert 0 < value <= 1
    assert value == scorer(fresh())
    assert seen == [80] * 4
    report: Any = scorer.report()
    assert report["queries"] == {name: len(one.dev.query_ids) for name, one in sets.items()}
    assert list(report["without_queries"]) == ["empty"]
    assert "finetune: score 0." in capsys.readouterr().err


def test_a_share_that_sets_nothing_aside_is_one_line(ingested: Path) -> None:
    """Without a query to choose by the stage ends before it trains."""
    del ingested
    asked = params(CHOSEN | {"share": 1e-9})
    chosen_by(asked)
    with pytest.raises(StudentError, match=r"finetune\.selection\.share sets no dev query aside; raise it"):
        scorer_of(asked)


def test_the_scorer_of_a_project_reads_the_folder(ingested: Path) -> None:
    """A scorer counts the queries of the folder; where it is of another share, or missing, the stage to run is named."""
    del ingested
    asked = params(CHOSEN)
    with pytest.raises(TableError, match=r"selection\.json: no such file; run `python -m stages\.materialize`"):
        scorer_of(asked)
    sets, scorer = chosen_by(asked), scorer_of(asked)
    assert scorer
    assert scorer.report()["queries"] == {name: len(one.dev.query_ids) for name, one in sets.items()}
    with pytest.raises(TableError, match=r"of share 0\.4, not 0\.3; run `python -m stages\.materialize` again"):
        scorer_of(params(CHOSEN | {"share": 0.3}))


def test_what_is_evaluated_only_chooses_nothing(ingested: Path) -> None:
    """A dataset without weight scores no model; of it those queries are left out whose groups choose elsewhere."""
    asked = params(CHOSEN, weight=0.0)
    report, choice = reported(asked), chosen_by(asked)
    assert list(choice) == ["docs"]
    assert report["code"].set_aside == report["docs"].set_aside > 0
    path = ingested / layout.table("ingest", "code", "queries")
    others = schemas.read(path, schemas.QUERIES).to_pydict()
    others["group_id"] = [f"other {one}" for one in others["group_id"]]
    schemas.write(path, schemas.QUERIES, schemas.build(schemas.QUERIES, others))
    assert reported(asked)["code"].set_aside == 0


def _entries(asked: Params) -> dict[str, Any]:
    return dict(asked.datasets) | {"empty": asked.datasets["docs"]}


def test_what_is_set_aside_is_counted(ingested: Path) -> None:
    """Dev queries are counted once, on one side."""
    del ingested
    table = schemas.read(layout.table("ingest", "docs", "queries"), schemas.QUERIES)
    dev = int(pc.sum(pc.equal(table.column("split"), "dev").cast(pa.int64())).as_py())
    assert reported(params(CHOSEN))["docs"].set_aside + len(reported(params(CHOSEN))["docs"].dev.texts) == dev
