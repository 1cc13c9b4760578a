"""Facts about the default corpus and about loading it."""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any, get_args

import pytest

from embedder.loaders.python_env import View, load
from embedder.loaders.python_env.code import MASK
from embedder.loaders.python_env.packages import installed
from embedder.texts import normalise
from tests.loaders.made_up import digests, options, start
from tests.loaders.tabled import Tabled, tabled

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
PACKAGES = ["numpy", "scipy", "scikit-learn", "pandas", "networkx"]
VIEWS: tuple[View, ...] = get_args(View)
# Whoever changes what the corpus is changes these on purpose, and README's table with them.
DIGESTS = {
    "pydoc-search": "142fb50e18dcf93491cc0a754ab1b858cb6acebe5afae36c5ffd03614d524d7d",
    "code-search": "f4775f7da3ee54b91271e1fb3c830db345e9a174723b73d0ec5898947fbb6c1d",
    "see-also": "a99938d1164f915ca7e1c8794ca9cf527af8293fdd086464e5d3fcd7e450d734",
    "doc-similarity": "f74bfe17545a7c7c451961014026c8fc4254ba0c7586f35f4914c4f2c46619e9",
    "package-topic": "1290cc8c43d41367c44e4a7ba7b5308df26097e7d6f3400435cf2f360cbf3ae4",
    "module-cluster": "7d9f52dca778557a787db62035754fc46c1e4827df5dc1ed61b60bacb49fb5b3",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Work in an empty folder, where the cache goes."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Popen[str]]:
    """Start loading the six views in a second environment: other folders, no cache, sources without compiled parts."""
    folder = tmp_path_factory.mktemp("second")
    site = folder / "environment" / "site-packages"
    for package in installed(PACKAGES, LOCK, "locked"):
        shutil.copytree(package.root, site / package.name, ignore=_all_but_sources)
        info = f"{package.distribution.replace('-', '_')}-{package.version}.dist-info"
        shutil.copytree(package.root.parent / info, site / info)
    with start(folder / "project", site, LOCK, PACKAGES, VIEWS, hash_seed="1") as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def corpus(home: Path, second: Popen[str]) -> dict[str, Tabled]:
    """Load the six views of the installed packages, while the second environment does so too."""
    assert second.args
    assert not list(home.iterdir())
    return {view: tabled(load(options(view, PACKAGES), LOCK)) for view in VIEWS}


def _all_but_sources(folder: str, names: list[str]) -> set[str]:
    """Leave out of a copy what is neither a folder nor a source file, and tests."""
    kept = {name for name in names if name.endswith(".py") or (Path(folder) / name).is_dir()}
    return set(names) - (kept - {"tests", "__pycache__"})


def columns(source: Tabled, table: str, *names: str) -> list[tuple[Any, ...]]:
    """Return rows of some columns of a source's table."""
    data = getattr(source, table)
    return list(zip(*(data.column(name).to_pylist() for name in names), strict=True))


def mapping(source: Tabled, table: str, key: str, value: str) -> dict[str, str]:
    """Return a column of a source's table by another."""
    return {row[0]: row[1] for row in columns(source, table, key, value)}


def test_no_group_is_in_both_splits(corpus: dict[str, Tabled]) -> None:
    """One group is on one side of the split in all six tasks, as query and as positive."""
    split_of_group: dict[str, set[str]] = defaultdict(set)
    group_of: dict[str, str] = {}
    for source in corpus.values():
        for query_id, group, split in columns(source, "queries", "query_id", "group_id", "split"):
            split_of_group[group].add(split)
            assert group_of.setdefault(query_id, group) == group
    for source in corpus.values():
        split_of = mapping(source, "queries", "query_id", "split")
        for query_id, passage_id, relevance in columns(source, "qrels", "query_id", "passage_id", "relevance"):
            if passage_id in group_of and (float(relevance) > 0 or split_of[query_id] == "train"):
                split_of_group[group_of[passage_id]].add(split_of[query_id])
    assert len(split_of_group) > 5000
    assert all(len(splits) == 1 for splits in split_of_group.values())


def test_equal_texts_are_on_one_side(corpus: dict[str, Tabled]) -> None:
    """No dev query stands word for word among the train queries of any task, and no dev passage among train ones."""
    sides: dict[str, set[str]] = defaultdict(set)
    for source in corpus.values():
        for text, split in columns(source, "queries", "text", "split"):
            if "package" not in text:
                sides[normalise(text)].add(split)
    for view in ("pydoc-search", "code-search"):
        split_of = mapping(corpus[view], "queries", "query_id", "split")
        for passage_id, text in columns(corpus[view], "corpus", "passage_id", "text"):
            sides[normalise(text)].add(split_of[passage_id])
    assert all(len(splits) == 1 for splits in sides.values())


@pytest.mark.parametrize("view", VIEWS)
def test_a_quarter_is_dev(corpus: dict[str, Tabled], view: str) -> None:
    """Each task has both splits; where no rule about pairs or labels interferes, a quarter is dev."""
    splits = corpus[view].queries.column("split").to_pylist()
    share = splits.count("dev") / len(splits)
    assert (
        share == pytest.approx(0.25, abs=0.02) if view in VIEWS[:2] or view == "package-topic" else 0.03 < share < 0.25
    )


def test_the_corpus_has_its_size(corpus: dict[str, Tabled]) -> None:
    """The packages have about 9,000 documented definitions and no giant group."""
    facts = corpus["pydoc-search"].facts
    assert 8000 < sum(facts["definitions"].values()) < 9500  # type: ignore[attr-defined]
    assert facts["largest_group"] < 60  # type: ignore[operator]
    assert set(facts["versions"]) == set(PACKAGES)  # type: ignore[call-overload]


@pytest.mark.parametrize("view", ["pydoc-search", "code-search", "see-also", "package-topic", "module-cluster"])
def test_counts_add_up(corpus: dict[str, Tabled], view: str) -> None:
    """Every definition is a query or is refused under a reason."""
    source = corpus[view]
    found = sum(source.facts["definitions"].values())  # type: ignore[attr-defined]
    parsed = {r.reason for r in source.rejects} & {
        "private name", "dunder", "unexpanded template", "summary too short", "summary too long", "defined twice",
    }  # fmt: skip
    refused = sum(r.kind == "definition" and r.reason not in parsed for r in source.rejects)
    assert source.queries.num_rows + refused == found


def test_bodies_hold_neither_query_nor_see_also(corpus: dict[str, Tabled]) -> None:
    """No pydoc-search passage holds its query, a See Also section or a template."""
    text_of = mapping(corpus["pydoc-search"], "corpus", "passage_id", "text")
    for query_id, text in columns(corpus["pydoc-search"], "queries", "query_id", "text"):
        assert normalise(text).rstrip(".") not in normalise(text_of[query_id])
    assert not [
        i for i, text in text_of.items() if re.search(r"^See Also\n[-=]{3}|^\.\. seealso|%\(\w+\)s", text, re.MULTILINE)
    ]


def test_code_hides_its_name(corpus: dict[str, Tabled]) -> None:
    """No code-search passage has the name it is looked for by, nor the docstring it is looked for with."""
    passages = columns(corpus["code-search"], "corpus", "passage_id", "text")
    for passage_id, text in passages:
        name = passage_id.rsplit(".", 1)[-1]
        assert MASK in text
        assert re.search(rf"\b{name}\b", text) is None
    assert sum('"""' in text for _, text in passages) < 0.1 * len(passages)


def test_paths_are_relative(corpus: dict[str, Tabled]) -> None:
    """No row and no refusal names a place on this machine."""
    site = str(installed(["numpy"], LOCK, "locked")[0].root.parent)
    for source in corpus.values():
        assert not [reject for reject in source.rejects if reject.file.startswith(("/", ".")) or site in reject.id]
        assert site not in json.dumps(source.facts)


def test_grades_have_equal_counts(corpus: dict[str, Tabled]) -> None:
    """In each split and package doc-similarity has as many pairs of every grade, and no pair of equal summaries."""
    source = corpus["doc-similarity"]
    asks = {i: (split, text) for i, split, text in columns(source, "queries", "query_id", "split", "text")}
    texts = mapping(source, "corpus", "passage_id", "text")
    counted: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for query_id, passage_id, grade in columns(source, "qrels", "query_id", "passage_id", "relevance"):
        split, text = asks[query_id]
        assert normalise(text) != normalise(texts[passage_id])
        counted[split, query_id.split(".")[0]][grade] += 1
    assert {split for split, _ in counted} == {"train", "dev"}
    assert all(len(grades) == 5 and len(set(grades.values())) == 1 for grades in counted.values())


def test_dev_labels_are_never_trained(corpus: dict[str, Tabled]) -> None:
    """module-cluster's dev labels have no train query, and each package has two of them or none."""
    labels: dict[str, set[str]] = defaultdict(set)
    for split, label in columns(corpus["module-cluster"], "queries", "split", "labels"):
        labels[split].update(label)
    assert labels["dev"].isdisjoint(labels["train"])
    packages = [label.split("/")[0] for label in labels["dev"]]
    assert packages
    assert all(packages.count(package) >= 2 for package in packages)


def test_the_corpus_is_the_published_one(corpus: dict[str, Tabled]) -> None:
    """The digests are those README's table was made with."""
    assert {view: source.facts["digest"] for view, source in corpus.items()} == DIGESTS


def test_a_second_environment_has_the_same_corpus(corpus: dict[str, Tabled], second: Popen[str]) -> None:
    """Same lock, other folders and hash seed, no cache, nothing compiled: the same six digests."""
    assert digests(second) == [corpus[view].facts["digest"] for view in VIEWS]
