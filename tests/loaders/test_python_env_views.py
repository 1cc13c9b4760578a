"""Facts about the six views of made-up definitions."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.errors import SourceError
from embedder.loaders.python_env.labels import dev_labels, mask, module_cluster, package_topic
from embedder.loaders.python_env.parse import Definition
from embedder.loaders.python_env.retrieval import code_search, pydoc_search
from embedder.loaders.python_env.rows import Rows, source
from embedder.loaders.python_env.see_also import MAX_NEGATIVES, see_also
from embedder.loaders.python_env.similarity import doc_similarity
from tests.loaders.made_up import definition, entries

BODY = "a body of more than five words"


def reasons(rows: Rows) -> Counter[str]:
    """Count why rows were refused."""
    return Counter(reject.reason for reject in rows.rejects)


def texts(number: int, start: int = 0) -> list[str]:
    """Return summaries that share no word."""
    return [f"alpha{i} beta{i} gamma{i}" for i in range(start, start + number)]


def test_pydoc_search_asks_for_the_body() -> None:
    """Each definition is a query, a passage and a positive; a missing body and one that holds the query are refused."""
    rows = pydoc_search(
        entries(
            [
                definition("p.a", "Do it.", body=BODY),
                definition("p.b", "Do that.", body="Too short."),
                definition("p.c", "Do this.", body=f"{BODY} and\ndo  ``This`` too"),
            ],
            dev=["p.a"],
        )
    )
    assert [(q.query_id, q.text, q.split, q.labels) for q in rows.queries] == [("p.a", "Do it.", "dev", None)]
    assert [(p.passage_id, p.title, p.text) for p in rows.passages] == [("p.a", "", BODY)]
    assert [tuple(q)[:3] for q in rows.qrels] == [("p.a", "p.a", 1.0)]
    assert reasons(rows) == {"body too short": 1, "holds its query": 1}


def test_code_search_asks_for_code_worth_finding() -> None:
    """Classes, functions of fewer than three statements and code that holds its query are refused."""
    code = "def MASKED(x):\n    # it works\n    return x"
    rows = code_search(
        entries(
            [
                definition("p.a", "Do it.", code=code, statements=3),
                definition("p.b", "Do that.", code=code, statements=2),
                definition("p.c", "A thing.", kind="class"),
                definition("p.d", "It works.", code=code, statements=3),
            ]
        )
    )
    assert [p.text for p in rows.passages] == [code]
    assert reasons(rows) == {"too few statements": 1, "class": 1, "holds its query": 1}


def judged(rows: Rows, query_id: str) -> dict[str, float]:
    """Return the relevance of what a query is judged against."""
    return {q.passage_id: q.relevance for q in rows.qrels if q.query_id == query_id}


def test_see_also_judges_only_what_is_sure() -> None:
    """Named is 1; 0 needs the same module, four hops, another name, other words and no class around it."""
    words = texts(9)
    rows = see_also(
        entries(
            [
                definition("p.m:ask", words[0], see_also=["f1"]),
                *(definition(f"p.m:f{i}", words[i], see_also=[f"f{i + 1}"]) for i in range(1, 5)),
                definition("p.m:like", f"{words[0]} delta"),
                definition("p.m:Box", words[6], kind="class"),
                definition("p.m:Box.ask", words[7]),
                definition("p.n:elsewhere", words[8]),
            ]
        )
    )
    assert judged(rows, "p.m.ask") == {"p.m.f1": 1.0, "p.m.f4": 0.0, "p.m.Box": 0.0}
    assert judged(rows, "p.m.f4") == {}
    assert {p.passage_id for p in rows.passages} == {q.passage_id for q in rows.qrels}


def test_a_method_is_not_unrelated_to_its_class() -> None:
    """A class and what it holds are never judged as unrelated."""
    words = texts(4)
    rows = see_also(
        entries(
            [
                definition("p.m:Box", words[0], kind="class", see_also=["other"]),
                definition("p.m:Box.open", words[1]),
                definition("p.m:other", words[2]),
                definition("p.m:third", words[3]),
            ]
        )
    )
    assert judged(rows, "p.m.Box") == {"p.m.other": 1.0, "p.m.third": 0.0}


def test_links_lie_on_one_side_of_the_split() -> None:
    """A link that straddles the split is dropped and counted, as is one between equal summaries."""
    words = texts(3)
    rows = see_also(
        entries(
            [
                definition("p.m:a", words[0], see_also=["b", "c"]),
                definition("p.m:b", words[1], see_also=["a"]),
                definition("p.m:c", words[0]),
            ],
            dev=["p.m.b"],
        )
    )
    assert rows.queries == []
    assert reasons(rows) == {"straddles the split": 2, "equal summaries": 1, "no link": 3}


def test_queries_are_judged_against_their_side_of_the_split() -> None:
    """No summary of the other side is a query's negative; a dev query without any negative is refused."""
    rows = see_also(
        entries(
            [
                definition("p.m:a", "alpha one", see_also=["b"]),
                definition("p.m:b", "beta two"),
                definition("p.m:c", "gamma three", see_also=["d"]),
                definition("p.m:d", "delta four"),
                definition("p.m:g", "eta seven"),
                definition("p.m:h", "theta eight"),
                definition("p.n:e", "epsilon five", see_also=["f"]),
                definition("p.n:f", "zeta six"),
            ],
            dev=["p.m.c", "p.m.d", "p.m.g", "p.n.e", "p.n.f"],
        )
    )
    assert judged(rows, "p.m.a") == {"p.m.b": 1.0, "p.m.h": 0.0}
    assert judged(rows, "p.m.c") == {"p.m.d": 1.0, "p.m.g": 0.0}
    assert reasons(rows)["nothing to rank"] == 1


def test_negatives_are_capped() -> None:
    """No query has more than MAX_NEGATIVES summaries of relevance 0, always the same ones."""
    many = [definition(f"p.m:f{i}", text) for i, text in enumerate(texts(30))]
    rows = see_also(entries([definition("p.m:ask", "words of my own", see_also=["f0"]), *many]))
    found = judged(rows, "p.m.ask")
    assert Counter(found.values()) == {1.0: 1, 0.0: MAX_NEGATIVES}


def similar_world() -> list[Definition]:
    """Return two packages in which every grade has pairs."""
    word = iter(texts(400))
    rows = []
    for package in "pq":
        for module in "mn":
            for i in range(6):
                links = {"mutual": ["other"], "other": ["mutual"]} if i == 0 else {}
                rows += [
                    definition(
                        f"{package}.{module}{i}:{name}", next(word), see_also=links.get(name, see), parameters=["x"]
                    )
                    for name, see in (("mutual", []), ("other", []), (f"single{module}{i}", ["mutual"]), ("fit", []))
                ]
                rows += [definition(f"{package}.{module}{i}:only{module}{i}{n}", next(word)) for n in range(3)]
    return rows


def test_grades_are_balanced_per_package() -> None:
    """Every grade has as many pairs as the others, in each package of the first summary."""
    rows = doc_similarity(entries(similar_world()))
    assert rows.qrels
    grades = Counter((q.query_id[0], q.relevance) for q in rows.qrels)
    for package in "pq":
        assert len({grades[package, float(grade)] for grade in range(5)}) == 1


def test_grades_need_two_packages() -> None:
    """Half of the unrelated pairs lie across packages, so one package alone has no balanced grades."""
    assert not doc_similarity(entries([row for row in similar_world() if row.package == "p"])).qrels


def test_grades_mean_what_they_say() -> None:
    """4 is one name in one package, 3 a mutual link, 2 a single one, 1 one module, 0 another module."""
    world = {row.id: row for row in similar_world()}
    for _query, _passage, grade, *_ in doc_similarity(entries(list(world.values()))).qrels:
        a, b = world[_query], world[_passage]
        named = (b.name in a.see_also) + (a.name in b.see_also) if a.module == b.module else 0
        alike = a.name == b.name and a.package == b.package
        assert grade == (4 if alike else named + 1 if named else a.module == b.module)


def test_estimator_methods_and_equal_summaries_are_no_sentences() -> None:
    """`fit` says nothing by its name; of equal summaries one stands for all."""
    rows = doc_similarity(entries([definition("p.a:fit"), definition("p.a:f", "One."), definition("p.b:g", "One.")]))
    assert reasons(rows) == {"estimator method": 1, "equal summaries": 1}


def test_pairs_lie_on_one_side_of_the_split() -> None:
    """A related pair that straddles the split is dropped and counted."""
    rows = doc_similarity(
        entries([definition("p.m:a", "alpha", see_also=["b"]), definition("p.m:b", "beta")], dev=["p.m.a"])
    )
    assert reasons(rows) == {"straddles the split": 1}


def members(subpackage: str, number: int, package: str = "p") -> list[Definition]:
    """Return definitions of a subpackage."""
    return [definition(f"{package}.{subpackage}.m:f{i}", f"{package} {subpackage} word{i}") for i in range(number)]


def test_topics_are_large_public_subpackages_of_one_package() -> None:
    """Small and private subpackages, other packages and summaries under two labels are refused and counted."""
    large = [*members("one", 31), *members("two", 31)]
    same = [definition("p.one.m:same", "Same words."), definition("p.two.m:same", "same words.")]
    rest = [*members("few", 29), *members("_lib", 40), *members("one", 3, "q"), definition("p.top:f")]
    rows = package_topic(entries([*large, *same, *rest]), ["p", "q"], ["p"])
    assert rows.facts["labels"] == {"one": 31, "two": 31}
    assert {tuple(q.labels or ()) for q in rows.queries} == {("one",), ("two",)}
    assert all(q.text.startswith("package ") for q in rows.queries)
    assert not rows.passages
    assert not rows.qrels
    assert reasons(rows) == {
        "label too small": 29,
        "private subpackage": 40,
        "other package": 3,
        "no subpackage": 1,
        "summary under several labels": 2,
    }


def test_one_topic_is_no_topic() -> None:
    """A package with a single large subpackage is refused."""
    with pytest.raises(SourceError, match="fewer than 2 subpackages"):
        package_topic(entries(members("one", 40)), ["p"], ["p"])


def test_dev_labels_are_never_trained() -> None:
    """Dev queries have dev labels and train queries the others; the rest is counted by what it is."""
    world = [row for i in range(8) for row in members(f"s{i}", 40)]
    dev = [row.id for i, row in enumerate(world) if i % 4 == 0]
    rows = module_cluster(entries(world, dev=dev), ["p"], 0.25)
    chosen = set(rows.facts["dev_labels"])  # type: ignore[call-overload]
    assert len(chosen) == 2
    assert {q.split for q in rows.queries if (q.labels or [""])[0] in chosen} == {"dev"}
    assert {q.split for q in rows.queries if (q.labels or [""])[0] not in chosen} == {"train"}
    assert reasons(rows) == {"train member of a dev label": 60, "dev member of a train label": 60}


@given(st.sets(st.tuples(st.sampled_from("pqr"), st.integers(0, 30)), max_size=40), st.floats(0.05, 0.5))
def test_a_package_has_no_single_dev_label(pairs: set[tuple[str, int]], share: float) -> None:
    """Every package has two dev labels at least or none, and never all of its labels."""
    labels = {f"{package}/s{number}" for package, number in pairs}
    dev = dev_labels(labels, share)
    assert dev <= labels
    for package in "pqr":
        of_dev, of_all = (sum(label.startswith(package) for label in some) for some in (dev, labels))
        assert of_dev != 1
        assert of_dev < of_all or of_all == 0


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("A NumPy array, not numpy.ma", "A package array, not package.ma"),
        ("scikit-learn's sklearn", "package's package"),
        ("numpydoc stays", "numpydoc stays"),
    ],
)
def test_package_names_are_masked(text: str, masked: str) -> None:
    """Names of packages give labels away; they are masked as words in any case."""
    assert mask(text, ["numpy", "sklearn", "scikit-learn"]) == masked


def test_the_digest_is_that_of_the_rows() -> None:
    """The digest does not depend on the order of rows, and changes with any of them."""
    made = [definition(f"p.{name}", f"Do {name} with it.", body=f"{BODY} {name}") for name in "abc"]
    one, two = pydoc_search(entries(made)), pydoc_search(entries(made))
    two.queries, two.passages, two.qrels = two.queries[::-1], two.passages[::-1], two.qrels[::-1]
    assert source(one).facts["digest"] == source(two).facts["digest"]
    other = pydoc_search(entries(made, dev=["p.a"]))
    assert source(other).facts["digest"] != source(one).facts["digest"]
