"""Facts about what the page says of pass-through and of contamination."""

from dataclasses import replace

from embedder.report.contamination import contamination
from embedder.report.html import Html
from embedder.report.pass_through import STAND_IN, pass_through
from tests.report.made_up import judged, leak

LOWER = {"kept": 1000, "evidence": {"copy": 3, "same_query": 0}, "any": 3, "lower": 0.003, "low": 0.001, "high": 0.006}


def said(parts: list[Html]) -> str:
    """Return the parts as one text."""
    return "".join(parts)


def test_the_current_setting_is_said_with_its_interval() -> None:
    """The part says what the current setting lets through, of how many, and that this is an optimistic stand-in."""
    page = said(pass_through(leak()))
    assert "<strong>8.8 %</strong> (7.0 to 11 %) of 40 known positives" in page
    assert "known positives: an optimistic stand-in" in page
    assert STAND_IN in page
    assert page.count('class="p-current"') == 2
    assert page.count('class="p-window"') == 2


def test_the_way_of_drawing_in_force_is_marked() -> None:
    """The figure for what materialize does is marked; for score-weighted sampling there is none, and that is said."""
    top = said(pass_through(leak(), "top"))
    assert "8.8 % with negatives drawn from the top (in force)." in top
    assert 'scope="col">drawn from the top (in force)</th>' in top
    assert top.count("in force") == 1 + 1 + top.count('data-label="drawn from the top (in force)"')
    weighted = said(pass_through(leak(), "score-weighted"))
    assert "For score-weighted sampling, which is in force, it is not computed." in weighted
    assert "(in force)" not in weighted
    assert "in force" not in said(pass_through(leak()))


def test_what_labels_cannot_tell_is_said_so() -> None:
    """A setting or a kind of positives without a figure says why, and has no point in the picture."""
    page = said(pass_through(leak()))
    assert page.count("not identifiable from labels") == 2
    assert "p-margin" not in page
    current = replace(leak()[0], pass_through=None, not_identifiable=40, relative_margin=0.05)
    assert "relative margin 0.05</strong>: not identifiable from labels" in said(pass_through([current]))


def test_positives_that_a_margin_could_not_be_asked_of_are_not_counted() -> None:
    """Shares are of those that could be tested; the others are named."""
    page = said(pass_through([replace(leak()[0], not_identifiable=15)]))
    assert "of 25 known positives" in page
    assert "For 15 that are their query&#x27;s only positive: not identifiable from labels" in page


def test_without_a_table_there_is_no_part() -> None:
    """Label tasks and runs of older versions have no leak.csv."""
    assert pass_through([]) == []
    assert contamination(None, None, "none") == []


def test_a_lower_bound_names_its_evidence() -> None:
    """The bound comes with its interval, the kinds that were found, and what is missing without a judge."""
    page = said(contamination(LOWER, None, "none"))
    assert "At least <strong>0.30 %</strong> (0.10 to 0.60 %): 3 of 1,000 unjudged kept" in page
    assert "copy 3." in page
    assert "same query" not in page
    assert "no upper bound" in page


def test_judged_candidates_and_twins_stand_beside_the_bound() -> None:
    """What was judged is counted apart; a teacher's twins are a hint, or the reason is said why there is none."""
    hint = {"candidates": 40, "without_evidence": 38, "thresholds": {"": 0.97, "b": None}, "words": "a hint"}
    page = said(contamination(LOWER | {"judged": 20, "teacher_twin": hint}, None, "none"))
    assert "20 judged ones are kept too and not counted." in page
    assert "Teacher twins: 40, 38 of them without evidence (the teacher from a cosine of 0.970)." in page
    assert "A hint." in page
    untold = hint | {"candidates": None, "without_evidence": None, "words": "too few"}
    page = said(contamination(LOWER | {"teacher_twin": untold}, None, "none"))
    assert "Too few." in page
    assert "Teacher twins" not in page


def test_nothing_kept_has_no_bound() -> None:
    """Where nothing was kept there is no share to bound."""
    assert contamination(LOWER | {"kept": 0, "any": 0, "lower": None}, None, "none") == []


def test_the_judges_estimate_comes_with_its_limits() -> None:
    """The estimate, what it is made of, and what it cannot tell."""
    page = said(contamination(LOWER, judged(), "reranker"))
    assert "About <strong>2.0 %</strong> (0.40 to 5.0 %) by the judge reranker" in page
    for limit in ("700", "sensitivity", "82 % (76 to 87 %)", "98.5 % (96.0 to 99.60 %)", "Specificity is measured on"):
        assert limit in page


def test_below_what_the_sample_resolves_only_the_bound_is_said() -> None:
    """An estimate that cannot be told from none is not printed."""
    page = said(contamination(None, judged(upper_only=True), "reranker"))
    assert "At most <strong>4.3 %</strong>" in page
    assert "About" not in page


def test_what_the_judge_leaves_and_what_nobody_sampled_is_said() -> None:
    """Strata without a label are named, and what is left of contamination once the judge has dropped its share."""
    after = {"estimate": 0.004, "low": 0.0, "high": 0.02, "upper": 0.017}
    found = judged(unlabelled_share=0.25, after_judge=after)
    page = said(contamination(None, found, "reranker"))
    assert "<dt>not sampled, nothing said of</dt><dd>25 %</dd>" in page
    assert "0.40 % (0 to 2.0 %)</dd>" in page
    assert "at most 1.7 %</dd>" in said(contamination(None, found | {"upper_only": True}, "reranker"))


def test_a_judge_that_cannot_tell_gives_no_figure() -> None:
    """Where there is no share the reason is said."""
    page = said(contamination(None, judged(contamination=None, upper=None, cannot_tell="it guesses"), "reranker"))
    assert "No estimate</strong> by the judge reranker: it guesses." in page
