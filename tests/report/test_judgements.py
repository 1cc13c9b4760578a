"""Facts about what the page says of a judge's counts."""

from embedder.report.judgements import judgements
from tests.report.made_up import judge


def test_the_judges_counts_are_named() -> None:
    """What it judged, was asked in vain, was not asked, called relevant and made positives, with its threshold."""
    page = "".join(judgements(judge()))
    for name, number in {
        "of these judged": "22",
        "asked in vain": "3",
        "not asked about": "2",
        "called relevant": "6",
        "near copies of those": "4",
        "of these made positives": "5",
        "relevant from a score of": "0.75",
    }.items():
        assert f"<dt>{name}</dt><dd>{number}</dd>" in page
    assert "Margins are not asked again." in page


def test_a_person_fails_nobody() -> None:
    """What a person gave no verdict on is without an answer, not failed."""
    page = "".join(judgements(judge(kind="person")))
    assert "<dt>without an answer</dt><dd>3</dd>" in page
    assert "<dt>not labelled</dt><dd>2</dd>" in page
    assert "in vain" not in page


def test_counts_that_a_report_lacks_are_left_out() -> None:
    """A report of an older version has no near copies; without a judge there is nothing to say."""
    page = "".join(judgements(judge(counts={"judged": 1}, threshold=None)))
    assert page.count("<dt>") == 1
    assert judgements(judge(kind="none")) == []
    assert judgements({}) == []
