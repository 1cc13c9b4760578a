"""Facts about datasets of the Hub, on local folders and on a cache without network."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from embedder.errors import SourceError
from embedder.loaders import Source, arrow
from embedder.loaders.columns import text_id
from embedder.loaders.hub import Options, load
from embedder.records import Passage, Qrel, Query, Record

REVISION = "0123456789abcdef0123456789abcdef01234567"
PAIRS = {"query": "q", "positive": "p"}


pytestmark = pytest.mark.usefixtures("cache")


def options(**changes: Any) -> Options:  # noqa: ANN401 - of any type, wrong ones too
    """Return options of a dataset of pairs."""
    plain = {"loader": "hub", "splits": {"train": "train", "validation": "dev"}, "columns": PAIRS}
    return Options.model_validate(plain | changes)


def read(source: Source, kind: type[Record] | None = None) -> Sequence[Any]:
    """Read a source's records, those of one kind if it is given."""
    return [record for record in source.records if kind is None or isinstance(record, kind)]


def cached(cache: Path, folder: Path, revision: str) -> None:
    """Put a dataset into the cache as a download of `owner/name` would."""
    builder = datasets.load_dataset_builder(str(folder))
    builder.download_and_prepare()
    there = cache / "owner___name" / "default" / "0.0.0" / revision
    shutil.copytree(builder.cache_dir, there)
    info = json.loads((there / "dataset_info.json").read_text())
    (there / "dataset_info.json").write_text(json.dumps(info | {"config_name": "default"}))


def test_splits_are_read_by_the_column_map(folder: Path) -> None:
    """Each named split is read, rows are numbered from 1, and facts have the rows of each."""
    source = load(options(), folder)
    found = read(source)
    assert found[:3] == [
        Query(text_id("q", "a"), "a", "train", None, None, "train", 1),
        Passage(text_id("p", "x"), "", "x", "train", 1),
        Qrel(text_id("q", "a"), text_id("p", "x"), 1.0, "train", 1),
    ]
    assert [(one.text, one.split, one.file, one.row) for one in found if isinstance(one, Query)] == [
        ("a", "train", "train", 1),
        ("b", "train", "train", 2),
        ("", "train", "train", 3),
        ("a", "dev", "validation", 1),
    ]
    assert source.facts == {"train": {"rows": 3}, "validation": {"rows": 1}}


def test_a_split_that_is_not_named_is_not_read(folder: Path) -> None:
    """What `splits` leaves out stays out."""
    source = load(options(splits={"validation": "dev"}, dev_share=0.5, label_names={"x": "ex"}), folder)
    assert {query.split for query in read(source, Query)} == {"dev"}
    assert (source.dev_share, source.label_names, source.one_label) == (0.5, {"x": "ex"}, False)


def test_classes_become_their_names(folder: Path) -> None:
    """A class, and a list of classes, is read by name; -1 and null are no class."""
    one = load(options(columns={"query": "q", "label": "topic"}, splits={"train": "train"}), folder)
    many = load(options(columns={"query": "q", "labels": "topics"}, splits={"train": "train"}), folder)
    assert [query.labels for query in read(one, Query)] == [("warm",), ("cold",), ()]
    assert [query.labels for query in read(many, Query)] == [("green", "red"), (), ()]
    assert (one.one_label, many.one_label) == (True, False)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_plain_form_of_file_is_read(tmp_path: Path, form: str) -> None:
    """A folder of CSV, JSONL or Parquet gives the same records."""
    path = tmp_path / form
    path.mkdir()
    rows = [{"q": f"question {i}", "p": f"answer {i}, said"} for i in range(3)]
    data = datasets.Dataset.from_list(rows)
    file = path / f"train.{form}"
    {"csv": data.to_csv, "jsonl": data.to_json, "parquet": data.to_parquet}[form](file)
    queries = read(load(options(splits={"train": "train"}), path), Query)
    assert [query.text for query in queries] == ["question 0", "question 1", "question 2"]


def test_only_the_needed_columns_are_read_and_in_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch is longer than asked for, and none holds a column that nobody named."""
    data = datasets.load_dataset(str(folder), split="train")
    seen = []
    real = datasets.Dataset.iter

    def spy(self: Any, size: int) -> Any:  # noqa: ANN401 - datasets has no types
        for batch in real(self, size):
            seen.append((batch.num_rows, batch.column_names))
            yield batch

    monkeypatch.setattr(datasets.Dataset, "iter", spy)
    assert len(list(arrow.rows(data, ["q", "p"], "here", 2))) == 3
    assert seen == [(2, ["q", "p"]), (1, ["q", "p"])]


def test_a_cached_commit_loads_without_network(cache: Path, folder: Path) -> None:
    """A name whose commit is in the cache is read offline, and the facts say the commit."""
    cached(cache, folder, REVISION)
    source = load(options(name="owner/name", revision=REVISION), folder / "nowhere")
    assert [query.text for query in read(source, Query)] == ["a", "b", "", "a"]
    assert source.facts == {"revision": REVISION, "train": {"rows": 3}, "validation": {"rows": 1}}


def test_another_cached_commit_is_not_taken_for_it(cache: Path, folder: Path) -> None:
    """Offline, the library gives any commit that is in its cache; that is refused."""
    cached(cache, folder, REVISION)
    with pytest.raises(SourceError, match=rf"owner/name@f+: .*{REVISION} is here instead; connect once"):
        read(load(options(name="owner/name", revision="f" * 40), folder))


def test_a_local_folder_is_not_taken_for_a_name(folder: Path) -> None:
    """A folder ./owner/name, which the library prefers to the Hub's dataset, is refused."""
    shutil.copytree(folder, Path("owner/name"))
    with pytest.raises(SourceError, match="this commit cannot be reached"):
        read(load(options(name="owner/name", revision=REVISION), folder))


def test_no_network_is_said_in_one_line(folder: Path) -> None:
    """A name that is not cached ends in one line that says what to do."""
    with pytest.raises(SourceError, match=r"owner/none@.*; connect once to fill the cache") as error:
        read(load(options(name="owner/none", revision=REVISION), folder))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            datasets.exceptions.DatasetNotFoundError("'owner/name' is a gated dataset on the Hub."),
            "run 'hf auth login'",
        ),
        (datasets.exceptions.DatasetNotFoundError("Dataset 'owner/name' doesn't exist"), "correct name and revision"),
        (datasets.exceptions.DataFilesNotFoundError("No (supported) data files found"), "it needs files in Parquet"),
        (ConnectionError(), "ConnectionError; connect once"),
        (
            RuntimeError("Dataset scripts are no longer supported,\nbut found x.py"),
            "supported, but found x.py; correct",
        ),
    ],
)
def test_what_the_library_raises_becomes_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str
) -> None:
    """A gated, missing, unreachable, empty or scripted dataset is a SourceError with what to do."""

    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(datasets, "load_dataset_builder", fail)
    with pytest.raises(SourceError, match=said) as error:
        read(load(options(name="owner/name", revision=REVISION), folder))
    assert "\n" not in str(error.value)


def test_a_wrong_split_column_or_config_names_the_right_ones(folder: Path) -> None:
    """What the dataset doesn't have is said beside what it has."""
    with pytest.raises(SourceError, match="unknown split 'valid'; did you mean 'validation'"):
        read(load(options(splits={"valid": "dev"}), folder))
    with pytest.raises(SourceError, match=r"train: unknown column 'zzz'; there are: .*topic"):
        read(load(options(columns={"query": "q", "positive": "zzz"}), folder))
    with pytest.raises(SourceError, match="'zzz' not found"):
        read(load(options(config="zzz"), folder))


def test_folders_that_are_no_plain_dataset_are_refused(folder: Path, tmp_path: Path) -> None:
    """A missing folder, an empty one, one with a script, and one of save_to_disk say what to do."""
    with pytest.raises(SourceError, match="no such folder"):
        read(load(options(), tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="it needs files in Parquet, CSV, JSONL or Arrow"):
        read(load(options(), tmp_path / "empty"))
    datasets.Dataset.from_dict({"q": ["a"]}).save_to_disk(tmp_path / "saved")
    with pytest.raises(SourceError, match="save_to_disk"):
        read(load(options(), tmp_path / "saved"))
    (folder / "other.py").write_text("raise SystemExit('ran')")
    with pytest.raises(SourceError, match=r"other\.py: code of a dataset is never run"):
        read(load(options(), folder))


@pytest.mark.parametrize("named", ["../secret.csv", "../*.csv", "link.csv"])
def test_what_a_card_names_stays_inside_the_folder(tmp_path: Path, named: str) -> None:
    """A file elsewhere on this machine, named by the folder's own README.md or by a link, is not read."""
    (tmp_path / "secret.csv").write_text("q,p\nsecret,thing\n")
    path = tmp_path / "set"
    path.mkdir()
    (path / "link.csv").symlink_to(tmp_path / "secret.csv")
    (path / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files: {named}\n---\n")
    with pytest.raises(SourceError, match="lies outside"):
        read(load(options(splits={"train": "train"}), path))


def test_an_address_in_a_card_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files elsewhere on the network are refused before anything is downloaded."""
    real = datasets.load_dataset_builder

    def remote(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - datasets has no types
        builder = real(*arguments, **named)
        builder.config.data_files = {"train": ["https://example.org/train.parquet"]}
        return builder

    monkeypatch.setattr(datasets, "load_dataset_builder", remote)
    with pytest.raises(SourceError, match=r"https://example.org/train.parquet: lies outside"):
        read(load(options(), folder))


def test_a_value_beyond_pythons_is_an_error_with_its_row(tmp_path: Path) -> None:
    """A date after the year 9999 is an error that names the row."""
    path = tmp_path / "set"
    path.mkdir()
    when = pa.array([1, 10**7], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"q": ["a", "b"], "p": when}), path / "train.parquet")
    with pytest.raises(SourceError, match="train:2: unreadable"):
        read(load(options(splits={"train": "train"}), path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.parquet", b"PAR1 garbage"),
        ("train.jsonl", b'{"q": "a", "p": 1}\n{"q": ['),
        ("train.jsonl", b"\xff\xfe\x00"),
        ("train.csv", b"q,p\n1\n2,3,4,5\n"),
    ],
)
def test_broken_files_are_said_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that the library cannot read is a SourceError of one line."""
    path = tmp_path / "broken"
    path.mkdir()
    (path / name).write_bytes(content)
    with pytest.raises(SourceError, match=r"broken: .*convert its files to Parquet") as error:
        read(load(options(splits={"train": "train"}), path))
    assert "\n" not in str(error.value)


def test_parquet_is_not_read_ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Parquet is converted a row group is in memory, not the file."""
    configs = []
    real = datasets.DatasetBuilder.download_and_prepare

    def spy(self: Any) -> None:  # noqa: ANN401 - datasets has no types
        configs.append(self.config)
        real(self)

    monkeypatch.setattr(datasets.DatasetBuilder, "download_and_prepare", spy)
    read(load(options(), folder))
    assert [config.fragment_scan_options.pre_buffer for config in configs] == [False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "owner/name"}, "name and revision go together"),
        ({"revision": REVISION}, "name and revision go together"),
        ({"name": "owner/name", "revision": "main"}, "'main' is no commit"),
        ({"name": "owner/name", "revision": REVISION[:39]}, "is no commit"),
        ({"name": "owner/name", "revision": REVISION.upper()}, "is no commit"),
        ({"name": "csv", "revision": REVISION}, "no dataset of the Hub"),
        ({"name": "../name", "revision": REVISION}, "no dataset of the Hub"),
        ({"columns": None}, "exactly one of: columns, parts"),
        ({"splits": {}}, "splits go with columns"),
        ({"splits": {"test": "test"}}, "'train' or 'dev'"),
        ({"columns": {**PAIRS, "split": "s"}}, "keep one"),
        ({"trust_remote_code": True}, "unknown key"),
    ],
)
def test_wrong_options_are_refused(changes: dict[str, Any], said: str) -> None:
    """A branch for a commit, a name without commit, no form or two, and remote code are refused before any read."""
    with pytest.raises(ValidationError, match=said):
        options(**changes)
