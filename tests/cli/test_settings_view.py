"""`embedder show --suggest` and `--without`: what is printed of other settings."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from embedder import layout
from embedder.cli.settings_view import suggest, what_if
from embedder.errors import EmbedderError
from embedder.leak.settings import describe
from embedder.params.load import load
from tests import project
from tests.leak.made_up import Query, write
from tests.tables import rules

# Without `held_out` the passage at rank 3 would be kept; the positive is at rank 1, a second one, in some, at rank 5.
KINDS = ("positive", "plain", "held_out", *["plain"] * 9)
ALONE = Query(KINDS, tuple(12.0 - i for i in range(12)), (0,) * 12, ())
TWINS = Query((*KINDS[:4], "positive", *KINDS[5:]), ALONE.scores, ALONE.refused, ())
CURRENT = rules(min_rank=2, max_rank=10, near_copy_jaccard=0.8, near_copy_size=5)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the printed lines, blanks folded."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_params(tmp_path, project.tiny_params())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def filtered(queries: Sequence[Query]) -> None:
    """Write dataset `docs` as the filter leaves it."""
    write(Path(), queries, CURRENT)


def test_a_setting_is_suggested_beside_the_current(capsys: pytest.CaptureFixture[str]) -> None:
    """Both with pass-through, hardness and what they leave; known positives are called what they are."""
    filtered([TWINS if i % 2 else ALONE for i in range(200)])
    suggest("docs", 0.1)
    shown = lines(capsys)
    assert shown[0] == "docs: teacher made-up (000000000000), depth 12, filter 2-10"
    assert any(
        line.startswith("23 settings were measured on ") and line.endswith(" of 200 queries, drawn at random.")
        for line in shown
    )
    assert any("an optimistic stand-in" in line for line in shown)
    assert "suggested current what, with intervals of 95%" in shown
    setting = next(line.split() for line in shown if line.endswith(" setting"))
    assert setting[-2:] == ["2-10", "setting"]
    passed = next(line for line in shown if line.endswith("pass-through of known positives"))
    assert passed.startswith("0.0% [0.0%, ")
    assert any(line.endswith("and drawn, 2 of 4 stored at random") for line in shown)
    assert any("materialize.sampling random or top would store" in line for line in shown)
    assert any("over positives with a twin only" in line for line in shown)


def test_the_lines_to_paste_are_what_was_suggested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pasted below the dataset in place of `filter: {}`, they make params.yaml say the suggested setting."""
    filtered([TWINS if i % 2 else ALONE for i in range(200)])
    suggest("docs", 0.1)
    out = capsys.readouterr().out.splitlines()
    start = out.index("    filter:")
    pasted = YAML(typ="safe").load("\n".join(out[start:]))
    params = project.tiny_params()
    params["datasets"]["docs"]["filter"] = pasted["filter"]
    project.write_params(tmp_path, params)
    setting = next(line for line in out if line.rstrip().endswith(" setting"))
    assert setting.split("2-10")[0].strip() == describe(load().filter_of("docs"))


def test_a_current_setting_that_is_the_hardest_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """Then there is nothing to paste."""
    far = Query(("plain",) * 12, ALONE.scores, ALONE.refused, (0.5,))
    write(Path(), [far] * 200, rules(min_rank=1, max_rank=2))
    suggest("docs", 0.1)
    shown = lines(capsys)
    assert shown[-1] == "It is the current setting."
    assert not any("filter:" in line for line in shown)


def test_without_any_setting_the_nearest_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Where all let too much through, no setting is suggested, and the message says how near one came."""
    kinds = tuple("positive" if rank in {3, 6, 11} else "plain" for rank in range(1, 13))
    # Of equal scores, margins refuse nothing or everything.
    filtered([Query(kinds, (1.0,) * 12, (0,) * 12, ())] * 200)
    suggest("docs", 0.05)
    shown = lines(capsys)
    assert "No setting surely draws less than 5.0% of known positives." in shown
    assert shown[-1].startswith("Nearest on these queries is ")


def test_too_few_positives_are_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """With a handful of queries nothing is surely under a low rate, and margins of lone positives say nothing."""
    filtered([ALONE] * 12)
    suggest("docs", 0.05)
    shown = lines(capsys)
    assert any("of them are not identifiable from labels" in line for line in shown)
    assert any(line.startswith("Positives are too few: ") for line in shown)


def test_a_fusion_has_no_margins(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the run is of several teachers, scores are places, and only windows are measured."""
    filtered([ALONE] * 12)
    path = layout.table("mine", "docs", "members")
    path.parent.mkdir(parents=True)
    path.touch()
    suggest("docs", 0.05)
    shown = lines(capsys)
    assert any(line.startswith("5 settings were measured") for line in shown)
    assert not any("over positives with a twin only" in line for line in shown)


@pytest.mark.parametrize("rate", [0.0, 1.0, 5.0, -0.1, float("nan")])
def test_a_rate_is_a_share(rate: float) -> None:
    """Percent, all and nothing are no rates."""
    with pytest.raises(EmbedderError, match="give one between 0 and 1"):
        suggest("docs", rate)


def test_rules_are_turned_off_without_running(capsys: pytest.CaptureFixture[str]) -> None:
    """Verdicts before and after, what held the freed, candidates of a query, and pass-through."""
    filtered([ALONE] * 3)
    what_if("docs", ["before_rank_window", "held_out"])
    shown = lines(capsys)
    assert "Without held_out, before_rank_window, on the run as it is stored: deeper candidates are not in it." in shown
    for line in (
        "before after verdict",
        "3 0 held_out",
        # Rank 2, which counts as 1 without the positive.
        "3 0 before_rank_window",
        "24 30 keep",
        "3 held_out",
        "3 before_rank_window",
        "8 10 kept of a query, median",
        "0 0 queries without any",
    ):
        assert line in shown
    assert not any("several" in line for line in shown)
    passed = next(line for line in shown if line.endswith("pass-through of known positives"))
    assert passed.startswith("0.0% [0.0%, 56.1%] 100.0% [43.9%, 100.0%]")


def test_a_rule_that_is_none_is_refused() -> None:
    """A mistyped rule is answered with the close one, before anything is read."""
    with pytest.raises(EmbedderError, match="did you mean 'held_out'"):
        what_if("docs", ["heldout"])


@pytest.mark.parametrize("asked", [lambda: suggest("nothing", 0.1), lambda: what_if("nothing", ["held_out"])])
def test_an_unknown_dataset_is_refused(asked: "pytest.MonkeyPatch") -> None:
    """The message names those there are."""
    with pytest.raises(EmbedderError, match="unknown dataset 'nothing'"):
        asked()  # type: ignore[operator]
