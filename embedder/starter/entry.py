"""The first dataset of a project: the user's own file or folder, or the documentation of installed packages."""

import re
from pathlib import Path

from embedder.errors import ParamsError, SourceError, unknown
from embedder.loaders.cells import columns_of, format_of

INSTRUCTIONS = {
    "retrieval": "Given a question, retrieve passages that answer it",
    "reranking": "Given a question, retrieve passages that answer it",
    "sts": "Retrieve semantically similar text",
    "classification": "Classify the text",
    "clustering": "Identify the topic of the text",
}
LOADERS = ("beir", "given", "table")
LABELLED = ("classification", "clustering")

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 64
_DEV_SHARE = 0.2
# The names under which BEIR folders have what evaluates a student, best first.
_DEV = ("dev", "validation", "valid", "test")


def example(lock: str) -> dict[str, object]:
    """The documentation of two packages that are installed anyway, in the versions that the file `lock` pins."""
    source = {
        "loader": "python-env",
        "view": "pydoc-search",
        "packages": ["numpy", "scipy"],
        "versions": "locked",
        "dev_share": _DEV_SHARE,
        "within": None,
    }
    instruction = "Given the summary of a Python function or class, retrieve its documentation"
    return _entry("retrieval", instruction, "en", "BSD-3-Clause", lock, source)


def own(file: Path, path: str, task: str, loader: str | None) -> dict[str, object]:
    """The entry of a user's own data, as far as they tell what they are; language and licence are for him to write.

    Args:
        file: where they lie.
        path: what params.yaml calls that.
        task: one of the five.
        loader: one of `LOADERS`; None: a folder is BEIR's, a file a table.

    Raises:
        ParamsError: there is no such task or loader.
        SourceError: there is nothing at `file`.
    """
    if task not in INSTRUCTIONS:
        raise ParamsError(unknown("task", task, INSTRUCTIONS))
    if not file.exists():
        raise SourceError(f"{file}: no such file or folder; --path names your data")
    if file.is_dir() and not any((file / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz")):
        raise SourceError(f"{file}: holds no corpus.jsonl, so it is no BEIR folder; give one file of it as --path")
    chosen = loader or ("beir" if file.is_dir() else _loader(file))
    if chosen not in LOADERS:
        raise ParamsError(f"{unknown('loader', chosen, LOADERS)}; entries of others are written by hand")
    if task in LABELLED and chosen != "table":
        raise ParamsError(
            f"--task {task}: the loader {chosen} reads no labels; give a table: JSONL, CSV, TSV or Parquet"
        )
    entry = _entry(task, INSTRUCTIONS[task], None, "unknown", path, _source(file, chosen, task))
    # What somebody else mined is short and chosen already: a window of ranks would leave nothing.
    return entry | ({"filter": {"min_rank": None, "max_rank": None}} if chosen == "given" else {})


def name_of(file: Path, name: str | None) -> str:
    """Return `name`, or one made of the file's.

    Raises:
        ParamsError: it is no name that a dataset can have.
    """
    made = name if name is not None else re.sub(r"[^a-z0-9]+", "-", file.name.partition(".")[0].lower()).strip("-")
    if not _NAME.fullmatch(made) or len(made) > _LONGEST:
        raise ParamsError(
            f"a dataset cannot be called '{made}'; give --name of a-z, 0-9 and hyphens, at most {_LONGEST}"
        )
    return made


def _entry(
    task: str, instruction: str, language: str | None, licence: str, path: str, source: dict[str, object]
) -> dict[str, object]:
    return {
        "task": task,
        "instruction": instruction,
        "instruct_passages": task == "sts",
        "language": language,
        "licence": licence,
        "path": path,
        "source": source,
        # Similarities go from 0 to 5: 4 and above is a positive, 1 and below none.
        "positive_at": 4 if task == "sts" else 1,
        "negative_at": 1 if task == "sts" else 0,
        "weight": 1,
        "label_mode": "label" if task in LABELLED else None,
        "ingest": {},
        "filter": {},
    }


def _source(file: Path, loader: str, task: str) -> dict[str, object]:
    match loader:
        case "beir":
            return _beir(file)
        case "given":
            return {"loader": loader, "form": _given(file), "dev_share": _DEV_SHARE}
        case _:
            return _table(file, task)


def _columns(file: Path) -> list[str]:
    try:
        return columns_of(file, format_of(file)) if file.is_file() else []
    except SourceError:
        return []  # ingest says what is wrong with the file


def _loader(file: Path) -> str:
    """Negatives that somebody mined are FlagEmbedding's `neg` or a column `negative`, numbered or not."""
    return "given" if any(re.fullmatch(r"neg|negative(_[0-9]+)?", name) for name in _columns(file)) else "table"


def _given(file: Path) -> str:
    """The form of what somebody else mined: FlagEmbedding's is JSONL with `pos` and `neg`."""
    return "flag" if "pos" in _columns(file) else "n-tuples"


def _beir(folder: Path) -> dict[str, object]:
    """Which qrels train and which evaluate; where there is one file, a share of it evaluates."""
    found = sorted({file.name.partition(".")[0] for file in folder.glob("qrels/*.tsv*")}) or ["train"]
    dev = next((name for name in _DEV if name in found), None)
    train = "train" if "train" in found else next((name for name in found if name != dev), None)
    if train and dev:
        return {"loader": "beir", "splits": {"train": train, "dev": dev}, "dev_share": None}
    return {"loader": "beir", "splits": {"train": train or dev}, "dev_share": _DEV_SHARE}


def _table(file: Path, task: str) -> dict[str, object]:
    """Which columns hold what, as far as their names tell; the rest is for the user to write."""
    if task in LABELLED:
        wanted = {"query": ("text", "query", "sentence"), "label": ("label", "category", "intent", "class")}
    elif task == "retrieval":
        wanted = {"query": ("query", "question", "anchor"), "positive": ("positive", "answer", "passage", "text")}
    else:
        wanted = {
            "query": ("query", "question", "sentence1"),
            "passage": ("passage", "sentence2", "answer"),
            "relevance": ("relevance", "score", "similarity"),
        }
    found = _columns(file)
    columns = {role: next((name for name in names if name in found), names[0]) for role, names in wanted.items()}
    return {"loader": "table", "columns": columns, "dev_share": _DEV_SHARE}
