"""Tests of embedder.decontamination."""

import pytest

from embedder.decontamination import Contaminated, Texts, contaminated, texts_of
from tests import tables

LONG = "one two three four five six seven eight nine ten eleven twelve"
NEAR = f"{LONG} more"
FAR = "entirely different words stand in this other sentence here"


def _texts(
    train: dict[str, str] | None = None,
    dev: dict[str, str] | None = None,
    passages: dict[str, str] | None = None,
    dev_positives: tuple[str, ...] = (),
    language: str | None = "en",
) -> Texts:
    return Texts(train or {}, dev or {}, passages or {}, frozenset(dev_positives), language)


def test_near_copies_of_another_datasets_dev_texts_are_found() -> None:
    """Training queries and passages near a dev query or its positive are found, in whichever dataset that lies."""
    found = contaminated(
        {
            "evaluated": _texts(
                dev={"d": LONG}, passages={"answer": FAR, "other": "unrelated"}, dev_positives=("answer",)
            ),
            "trained": _texts(train={"a": NEAR, "b": "fine"}, passages={"p": FAR.upper(), "q": NEAR, "r": "fine"}),
        },
        0.8,
    )
    assert found["trained"] == Contaminated(frozenset("a"), frozenset("pq"))
    assert found["evaluated"] == Contaminated(frozenset(), frozenset({"answer"}))


@pytest.mark.parametrize("threshold", [None, 0.95])
def test_a_higher_threshold_finds_less(threshold: float | None) -> None:
    """Nothing is found where the rule is off, nor what is less similar than the threshold."""
    datasets = {"e": _texts(dev={"d": LONG}), "t": _texts(train={"a": NEAR})}
    assert contaminated(datasets, threshold)["t"].queries == frozenset()
    assert contaminated(datasets, 0.8)["t"].queries == frozenset("a")


def test_passages_that_answer_only_training_queries_are_no_dev_texts() -> None:
    """Sharing a passage with another dataset's training corpus is no leak."""
    datasets = {"e": _texts(dev={"d": LONG}, passages={"p": FAR}), "t": _texts(passages={"q": FAR})}
    assert contaminated(datasets, 0.8)["t"].passages == frozenset()


def test_no_dataset_and_no_dev_text_are_clean() -> None:
    """Without dev texts, or without anything, nothing is contaminated."""
    assert contaminated({}, 0.8) == {}
    assert contaminated({"t": _texts(train={"a": LONG})}, 0.8) == {"t": Contaminated(frozenset(), frozenset())}


def test_texts_are_gathered_by_split() -> None:
    """Dev positives are what dev queries have at positive_at or above; a title is part of its passage."""
    found = texts_of(
        tables.queries({"t": "x"}, {"d": "y"}),
        tables.corpus({"p": "a", "q": "b", "r": "c"}),
        tables.qrels([("d", "p", 0.7), ("d", "q", 0.6), ("t", "r", 1.0)]),
        tables.entry(positive_at=0.7),
    )
    assert found == _texts({"t": "x"}, {"d": "y"}, {"p": "a", "q": "b", "r": "c"}, ("p",))


@pytest.mark.parametrize(("mode", "passages"), [("label", {}), ("example", {"p": "a"})])
def test_labels_are_exempt_and_examples_are_not(mode: str, passages: dict[str, str]) -> None:
    """A label is in both splits by design; an example is a training text that may be near a dev query, never one."""
    found = texts_of(
        tables.queries({"t": "x"}, {"d": "y"}),
        tables.corpus({"p": "a"}),
        tables.qrels([("d", "p", 1.0)]),
        tables.entry("clustering", label_mode=mode),
    )
    assert found == _texts({"t": "x"}, {"d": "y"}, passages)


JAPANESE = "検索モデルの微調整の手順を説明する"


def test_languages_without_blanks_are_compared_by_characters() -> None:
    """A Japanese training query near a dev query is found where its language is known, and is one word otherwise."""
    for language, found in (("ja", frozenset("a")), (None, frozenset())):
        datasets = {
            "e": _texts(dev={"d": JAPANESE}, language=language),
            "t": _texts(train={"a": JAPANESE + "書", "b": "天気は晴れです"}, language=language),
        }
        assert contaminated(datasets, 0.8)["t"].queries == found


@pytest.mark.parametrize(("left", "right"), [("ja", "en"), ("en", "ja"), (None, "zh")])
@pytest.mark.parametrize("text", [JAPANESE, LONG, "short"])
def test_equal_texts_are_found_whatever_the_languages(left: str | None, right: str | None, text: str) -> None:
    """A training text and a dev positive that are equal but for case and blanks count, however each is shingled."""
    datasets = {
        "e": _texts(passages={"p": f"  {text.upper()}"}, dev_positives=("p",), language=left),
        "t": _texts(train={"a": text}, passages={"q": text, "r": "another"}, language=right),
    }
    assert contaminated(datasets, 1.0)["t"] == Contaminated(frozenset("a"), frozenset("q"))
