"""Facts about the dev queries that are set aside to choose a model by, and about the folder that training reads."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder import schemas
from embedder.errors import TableError
from embedder.evaluation.dev import DevSet, dev_set
from embedder.evaluation.measuring import measure
from embedder.evaluation.rankers import Side, Vectors
from embedder.params.finetune import Selection
from embedder.params.models import Dataset
from embedder.set_aside import Tables, groups, read, set_aside, write
from tests import tables

SHARE = 0.4
SELECTION = Selection(share=SHARE, every=None, patience=None, scales=[1.0], seeds=1)


def queries(names: Sequence[str], splits: Sequence[str] = ()) -> pa.Table:
    """Return a table of queries of these groups."""
    ids = [f"q{number:04}" for number in range(len(names))]
    columns = {
        "query_id": ids,
        "text": [f"text of {one}" for one in ids],
        "split": list(splits) or ["dev"] * len(names),
        "group_id": list(names),
        "labels": pa.nulls(len(ids), pa.list_(pa.string())),
    }
    return schemas.build(schemas.QUERIES, columns)


def aside(table: pa.Table, share: float) -> NDArray[np.bool_]:
    """Tell which queries of one dataset alone are set aside."""
    return set_aside(table, groups([table], share))


def ingested(task: str, dev: int = 40, judged: float = 1.0) -> Tables:
    """Return the tables of a dataset with labels a and b: 20 train queries, some dev queries, and a passage each."""
    names = {
        split: {f"{split}{place:02}": f"{split} {place}" for place in range(n)}
        for split, n in (("train", 20), ("dev", dev))
    }
    every = {**names["train"], **names["dev"]}
    labels = {one: ["ab"[place % 2]] for place, one in enumerate(every)}
    corpus = {f"p-{one}": f"passage of {text}" for one, text in every.items()} | {"unjudged": "of nobody"}
    pairs = [(one, f"p-{one}", judged) for one in every] + [
        (one, "p-train00", 0.0) for one in every if one != "train00"
    ]
    labelled = labels if task in ("classification", "clustering") else None
    return tables.queries(names["train"], names["dev"], labelled), tables.corpus(corpus), tables.qrels(pairs)


def written(
    folder: Path, entries: Mapping[str, Dataset], given: Mapping[str, Tables], selection: Selection | None
) -> dict[str, str]:
    """Write the folder; return the hash of each of its files."""
    write(folder, selection, entries, given)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def vectors(texts: Sequence[str], side: Side) -> Vectors:
    """Return a vector for each text that its bytes fix."""
    del side
    drawn = [np.random.default_rng(list(text.encode())).normal(size=8) for text in texts]
    return np.asarray([one / np.linalg.norm(one) for one in drawn], dtype=np.float32)


@given(st.lists(st.sampled_from([f"g{number}" for number in range(30)]), min_size=1, max_size=60), st.floats(0, 1))
def test_a_group_is_on_one_side(groups: list[str], share: float) -> None:
    """Queries of one group are set aside together or not at all, whichever other groups there are."""
    found = aside(queries(groups), share)
    alone = {group: bool(aside(queries([group]), share)[0]) for group in set(groups)}
    assert found.tolist() == [alone[group] for group in groups]


def test_the_share_is_one_of_groups() -> None:
    """Of 5,000 groups about the share is set aside; none of share 0, and a larger share sets aside those and more."""
    table = queries([f"g{number}" for number in range(5000)])
    found = aside(table, SHARE)
    assert found.mean() == pytest.approx(SHARE, abs=0.03)
    assert not aside(table, 0.0).any()
    assert not (found & ~aside(table, 0.6)).any()


def test_the_hash_is_another_than_that_of_the_split() -> None:
    """Among groups that ingest would make dev by their hash the same share is set aside: hashes are independent."""
    groups = [f"g{number}" for number in range(20_000)]
    dev = [one for one in groups if int(hashlib.sha256(one.encode()).hexdigest()[:13], 16) < 0.1 * 16**13]
    assert aside(queries(dev), SHARE).mean() == pytest.approx(SHARE, abs=0.05)


def test_train_queries_are_never_set_aside() -> None:
    """A train query of a group whose dev queries are set aside stays where it is."""
    table = queries(["g1", "g1"] * 50, ["dev", "train"] * 50)
    assert not aside(table, 1.0)[1::2].any()
    assert aside(table, 1.0)[::2].all()


def test_without_a_selection_the_folder_says_so(tmp_path: Path) -> None:
    """With selection null one constant file is written, whatever the datasets are."""
    one = written(tmp_path / "one", {"d": tables.entry()}, {"d": ingested("retrieval")}, None)
    other = written(tmp_path / "other", {"e": tables.entry("sts")}, {"e": ingested("sts", dev=3)}, None)
    assert one == other
    assert list(one) == ["selection.json"]
    assert json.loads((tmp_path / "one" / "selection.json").read_text()) == {"share": None, "datasets": {}}
    with pytest.raises(TableError, match=r"of share None, not 0\.4; run `python -m stages\.materialize` again"):
        read(tmp_path / "one", SHARE)


@pytest.mark.parametrize("task", ["retrieval", "reranking", "sts", "classification", "clustering"])
def test_a_score_of_the_folder_is_that_of_the_tables(task: str, tmp_path: Path) -> None:
    """A dataset is scored to the bit as if it were cut out of what ingest wrote, with its terms as they were."""
    entry, given_ = tables.entry(task), ingested(task)
    write(tmp_path / "x", SELECTION, {"d": entry}, {"d": given_})
    part = read(tmp_path / "x", SHARE)["d"]
    table, corpus, qrels = given_
    others = ~aside(table, SHARE) & np.asarray([split == "dev" for split in table["split"].to_pylist()])
    whole = dev_set("d", entry, table.filter(pa.array(~others)), corpus, qrels)
    found = dev_set("d", part.terms, *part.tables)
    assert found.dev == whole.dev
    assert 0 < len(found.dev.texts) < 40
    assert part.terms == entry.terms
    scores = [measure(data, vectors, 1) for data in (found, whole)]
    np.testing.assert_array_equal(scores[0].values, scores[1].values)


def test_what_no_score_needs_is_left_out(tmp_path: Path) -> None:
    """Retrieval keeps its corpus, others what is judged; label tasks keep their train queries; nobody the other dev ones."""
    found: dict[str, DevSet] = {}
    for task in ("retrieval", "reranking", "classification"):
        write(tmp_path / task, SELECTION, {"d": tables.entry(task)}, {"d": ingested(task)})
        part = read(tmp_path / task, SHARE)["d"]
        found[task] = dev_set("d", part.terms, *part.tables)
    dev = len(found["retrieval"].dev.texts)
    assert {task: len(one.passages) for task, one in found.items()} == {
        "retrieval": 61,
        "reranking": dev + 1,
        "classification": dev + 1,
    }
    assert {task: len(one.train.texts) for task, one in found.items()} == {
        "retrieval": 0,
        "reranking": 0,
        "classification": 20,
    }


def test_what_is_evaluated_only_changes_nothing(tmp_path: Path) -> None:
    """A dataset without weight leaves every byte as it was, and so do the others' dev queries that are not set aside."""
    entries, sets = {"d": tables.entry("sts")}, {"d": ingested("sts")}
    before = written(tmp_path / "before", entries, sets, SELECTION)
    assert set(before) == {"selection.json", *(f"d/{name}.parquet" for name in ("queries", "corpus", "qrels"))}
    more = {"e": tables.entry(weight=0.0)}, {"e": ingested("retrieval")}
    assert written(tmp_path / "more", entries | more[0], sets | more[1], SELECTION) == before
    table, corpus, qrels = sets["d"]
    kept = aside(table, SHARE)
    last = int(np.flatnonzero(~kept)[-1])
    fewer = table.filter(pa.array(np.arange(len(kept)) != last))
    assert written(tmp_path / "fewer", entries, {"d": (fewer, corpus, qrels)}, SELECTION) == before
    one_less = table.filter(pa.array(np.arange(len(kept)) != np.flatnonzero(kept)[0]))
    assert written(tmp_path / "other", entries, {"d": (one_less, corpus, qrels)}, SELECTION) != before


def test_what_is_chosen_among_changes_no_byte(tmp_path: Path) -> None:
    """Scales, seeds and steps between scores are no concern of the folder; the share is."""
    entries, sets = {"d": tables.entry()}, {"d": ingested("retrieval")}
    before = written(tmp_path / "before", entries, sets, SELECTION)
    scaled = SELECTION.model_copy(update={"scales": [0.5, 1.0], "seeds": 3, "every": 2})
    assert written(tmp_path / "scaled", entries, sets, scaled) == before
    shared = SELECTION.model_copy(update={"share": 0.5})
    assert written(tmp_path / "shared", entries, sets, shared) != before
