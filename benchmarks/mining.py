"""Mining end to end: this project's dense teacher to run and judged tables, against mine_hard_negatives.

Model, corpus and queries are the same; both start with the model's files and end with a Parquet file.
"""

import os
import shutil
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import arms
import made_up
import numpy as np
from numpy.typing import NDArray

from embedder.devices import bfloat16_flag

if TYPE_CHECKING:
    from embedder.teachers.dense import Options

_MEAN_WORDS = 40
_OWN_WORDS = 6
_FROM, _TO, _NEGATIVES = 30, 100, 7
_LENGTH = 512
_DTYPE = "bfloat16" if bfloat16_flag() else "float32"


def model(asked: Namespace) -> arms.Result:
    """Write the model that all arms load."""
    with arms.measured() as found:
        made_up.bert(asked.folder / "model", asked.layers, asked.hidden)
    return found


def ours(asked: Namespace) -> arms.Result:
    """Mine from an empty cache."""
    shutil.rmtree(asked.folder / "data", ignore_errors=True)
    return _ours(asked)


def ours_again(asked: Namespace) -> arms.Result:
    """Mine with what the last arm encoded."""
    return _ours(asked)


def theirs(asked: Namespace) -> arms.Result:
    """Mine with FAISS, and keep the vectors as ours does."""
    shutil.rmtree(asked.folder / "theirs", ignore_errors=True)
    return _theirs(asked, use_faiss=True, cache_folder=str(asked.folder / "theirs"))


def theirs_again(asked: Namespace) -> arms.Result:
    """Mine with FAISS and what the last arm encoded."""
    return _theirs(asked, use_faiss=True, cache_folder=str(asked.folder / "theirs"))


def theirs_fast(asked: Namespace) -> arms.Result:
    """Mine with FAISS and the model in the dtype that ours has."""
    import torch

    return _theirs(asked, {"dtype": getattr(torch, _DTYPE)}, use_faiss=True)


def theirs_default(asked: Namespace) -> arms.Result:
    """Mine without FAISS, as mine_hard_negatives does when nothing is said, with what the FAISS arm encoded."""
    return _theirs(asked, cache_folder=str(asked.folder / "theirs"))


def compare(asked: Namespace) -> None:
    """Print the table."""
    arms.once(ARMS, "model", asked)
    names = [name for name in ARMS if name != "model" and (asked.sixteen or not name.endswith("bit"))]
    results = arms.in_turn(ARMS, names, asked.rounds, asked)
    sizes = f"{asked.passages:,} passages, {asked.queries:,} queries"
    print(arms.heading(f"Mining: {sizes}, BERT of {asked.layers} layers x {asked.hidden}", asked))
    print(
        f"About {_MEAN_WORDS + 2} tokens a passage; random weights, {_DTYPE} in ours, float32 in the library's ", end=""
    )
    print(f"but where 16 bit is said. Ours keeps {_TO} ranks a query, and every positive's; ", end="")
    print(f"mine_hard_negatives has range_min {_FROM}, range_max {_TO}, num_negatives {_NEGATIVES}.\n")
    print(arms.table(results, "ours, empty cache"), end="\n\n")
    _agreement(asked)


def _ours(asked: Namespace) -> arms.Result:
    # Theirs cannot do without these before its clock starts.
    import faiss  # noqa: F401
    import pyarrow as pa
    import sentence_transformers  # noqa: F401

    from embedder import mining, schemas, teachers
    from embedder.params.models import Dataset
    from embedder.params.runtime import Runtime

    passages, queries, positives = _texts(asked)
    ids, query_ids = _ids(len(passages)), _ids(len(queries))
    # Of an entry mining reads these alone.
    read: dict[str, Any] = {"task": "retrieval", "positive_at": 1.0, "label_mode": None}
    entry = Dataset.model_construct(**read)
    asking = pa.table({"query_id": query_ids, "text": queries})
    judged = {"query_id": query_ids, "passage_id": [ids[one] for one in positives], "relevance": [1.0] * len(queries)}
    options, qrels = _options(asked), pa.table(judged)
    # The store lies in the folder where a run is started.
    os.chdir(asked.folder)
    with arms.measured() as found:
        teacher = teachers.build(options, teachers.Corpus(ids, passages), Runtime(device="cpu"))
        mined = mining.mine(teacher, asking, ids, qrels, entry, _TO, "dense", "mine")
        schemas.write(asked.folder / "run.parquet", schemas.RUN, mined.run)
        schemas.write(asked.folder / "judged.parquet", schemas.JUDGED, mined.judged)
    return found


def _theirs(asked: Namespace, weights: dict[str, Any] | None = None, **more: Any) -> arms.Result:  # noqa: ANN401 - theirs
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    passages, queries, positives = _texts(asked)
    pairs = Dataset.from_dict({"query": queries, "positive": [passages[one] for one in positives]})
    with arms.measured() as found:
        loaded = SentenceTransformer(str(asked.folder / "model"), device="cpu", model_kwargs=weights)
        more |= {"corpus": passages, "range_min": _FROM, "range_max": _TO, "num_negatives": _NEGATIVES}
        mined = mine_hard_negatives(pairs, loaded, verbose=False, **more)
        mined.to_parquet(str(asked.folder / "theirs.parquet"))
    return found


def _options(asked: Namespace) -> "Options":
    from embedder.revisions import content_hash, file_hashes
    from embedder.teachers.dense import Options

    folder = asked.folder / "model"
    written = {
        "kind": "dense",
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "adapter": None,
        "licence": "none",
        "pooling": "mean",
        "query_prompt": "",
        "passage_prompt": "",
        "query_length": _LENGTH,
        "passage_length": _LENGTH,
        "dtype": _DTYPE,
        "normalise": True,
        "add_eos": False,
        "dimensions": asked.hidden,
        "parameters": 12 * asked.layers * asked.hidden**2,
        "index": {"kind": "exact"},
        "agreement_sample": 0,
    }
    return Options.model_validate(written)


def _texts(asked: Namespace) -> tuple[list[str], list[str], list[int]]:
    """Return passages, queries (words of a passage and some more), and the place of each query's passage."""
    passages = made_up.texts(asked.passages, _MEAN_WORDS, 5)
    positives = (np.arange(asked.queries) * (asked.passages // asked.queries)).tolist()
    own = made_up.texts(asked.queries, _OWN_WORDS, 6)
    queries = [f"{' '.join(passages[i].split()[::8])} {more}" for i, more in zip(positives, own, strict=True)]
    return passages, queries, positives


def _ids(count: int) -> list[str]:
    return [f"{i:08}" for i in range(count)]


def _agreement(asked: Namespace) -> None:
    """Say how many of the library's negatives are ours."""
    passages, queries, positives = _texts(asked)
    place, row = ({text: i for i, text in enumerate(texts)} for texts in (passages, queries))
    run = _run(asked, np.array(positives))
    found = _read(asked, "theirs.parquet", ("query", "negative"))
    window = [place[text] in run[row[query]][_FROM : _FROM + _NEGATIVES] for query, text in zip(*found, strict=True)]
    anywhere = [place[text] in run[row[query]] for query, text in zip(*found, strict=True)]
    print(f"Of its {len(window):,} negatives, {np.mean(window):.2%} stand at ranks {_FROM + 1} to ", end="")
    print(f"{_FROM + _NEGATIVES} of our runs' non-positives, {np.mean(anywhere):.2%} at 1 to {_TO}.\n")


def _run(asked: Namespace, positives: NDArray[np.int64]) -> list[list[int]]:
    """Return the non-positives of our run, best first, query by query."""
    queries, passages = (np.array(one, np.int64) for one in _read(asked, "run.parquet", ("query_id", "passage_id")))
    others = passages != positives[queries]
    ends = np.cumsum(np.bincount(queries[others], minlength=len(positives)))[:-1]
    return [part.tolist() for part in np.split(passages[others], ends)]


def _read(asked: Namespace, name: str, columns: tuple[str, str]) -> list[list[str]]:
    import pyarrow.parquet as pq

    table = pq.read_table(asked.folder / name, columns=list(columns))
    return [table[column].to_pylist() for column in columns]


ARMS: dict[str, arms.Arm] = {
    "model": model,
    "ours, empty cache": ours,
    "ours, full cache": ours_again,
    "mine_hard_negatives, FAISS": theirs,
    "mine_hard_negatives, FAISS, full cache": theirs_again,
    "mine_hard_negatives, FAISS, 16 bit": theirs_fast,
    "mine_hard_negatives, default, full cache": theirs_default,
}

if __name__ == "__main__":
    numbers = {"passages": 100_000, "queries": 20_000, "layers": 1, "hidden": 768, "rounds": 1, "sixteen": 0}
    arms.main(ARMS, arms.parser(__doc__, **numbers).parse_args(), compare)
