"""`embedder show`: what a person sees of queries and candidates."""

import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from embedder import layout, schemas
from embedder.cli.main import app
from tests import mined, tables

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1b\x9b\r\n\u202e\u2066[]/"))


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mined.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def show(*arguments: str) -> Result:
    """Run `embedder show docs` with arguments."""
    return CliRunner().invoke(app, ["show", "docs", *arguments])


def words(line: str) -> list[str]:
    """Split a line of a table at its columns."""
    return re.split(r" {2,}", line.strip())


def test_a_query_is_shown_with_positives_and_candidates() -> None:
    """Query, verdict counts, positives with rank or `beyond depth`, candidates by rank with all that decides them."""
    done = show("--query", "q1")
    assert done.exit_code == 0
    lines = [words(line) for line in done.stdout.splitlines()]
    assert lines[0] == ["docs: teacher made-up (000000000000), depth 100, window 3-5 without_positives"]
    assert ["query", "What comes first?"] in lines
    assert [
        "verdicts",
        "is_positive 1, duplicates_positive 1, before_rank_window 1, after_rank_window 1, keep 2",
    ] in lines
    assert ["beyond depth", "0.500", "1", "A second positive, beyond depth"] in lines
    at = lines.index(["rank", "score", "margin", "verdict", "also refused by", "text"])
    assert [line[0] for line in lines[at + 2 :]] == ["1", "2", "3", "4", "5", "6"]
    assert lines[at + 3][:5] == ["2", "8.000", "1.000", "duplicates_positive", "before_rank_window, marg…"]
    assert lines[at + 5] == ["4", "6.000", "3.000", "keep", "a fine negative"]
    assert lines[at + 6] == ["5", "5.000", "4.000", "keep, relevance 0", "judged and not relevant"]


@pytest.mark.parametrize("full", [[], ["--full"]])
def test_what_nobody_knows_is_said(full: list[str], tmp_path: Path) -> None:
    """A positive without a score, and the margins of its query, are unknown."""
    judged = tables.judged([("q1", "p1", 1.0, None, None)])
    schemas.write(tmp_path / layout.table("mine", "docs", "judged"), schemas.JUDGED, judged)
    path = tmp_path / layout.table("filter", "docs", "candidates")
    found = schemas.read(path, schemas.CANDIDATES)
    unknown = pa.nulls(found.num_rows, pa.float32())
    for name in ("positive_score", "margin"):
        found = found.set_column(found.column_names.index(name), name, unknown)
    schemas.write(path, schemas.CANDIDATES, schemas.build(schemas.CANDIDATES, found, schemas.metadata(found)))
    done = show("--query", "q1", *full)
    assert (done.exit_code, done.stdout.count("unknown")) == (0, 7)


def test_without_an_option_one_query_is_drawn() -> None:
    """Asked for nothing in particular, show draws one query, the same each time."""
    done = show()
    assert done.exit_code == 0
    assert done.stdout == show("--random", "1", "--seed", "0").stdout
    assert done.stdout.count("verdicts") == 1


def test_random_queries_are_as_many_as_asked_for() -> None:
    """--random N shows N queries, or all there are."""
    assert show("--random", "2").stdout.count("verdicts") == 2
    assert show("--random", "9").stdout.count("verdicts") == 2


def test_wide_terminals_show_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 140 columns on ids stand beside their texts; no line is wider than the terminal."""
    assert "p5" not in show("--query", "q1").stdout
    monkeypatch.setenv("COLUMNS", "160")
    assert ["4", "6.000", "3.000", "keep", "p5", "a fine negative"] in map(
        words, show("--query", "q1").stdout.splitlines()
    )


@pytest.mark.parametrize("columns", [60, 100, 160])
def test_texts_are_cut_to_the_terminal(columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text takes one line that ends in an ellipsis, and no line is wider than the terminal."""
    mined.write(tmp_path, mined.TEXTS | {"p5": "word " * 200})
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in (("--query", "q1"), ("--verdict", "keep")):
        lines = show(*arguments).stdout.splitlines()
        assert max(map(len, lines)) <= columns
        cut = [line.rstrip() for line in lines if "word word" in line]
        assert cut
        assert all(line.endswith("…") for line in cut)


def test_full_prints_everything(tmp_path: Path) -> None:
    """--full prints each text whole, with its lines, and each id."""
    mined.write(tmp_path, mined.TEXTS | {"p5": "def f():\n    return 'all of it'\n" + "word " * 200})
    for arguments in (("--query", "q1", "--full"), ("--verdict", "keep", "--full")):
        shown = show(*arguments).stdout
        assert "…" not in shown
        assert "def f():" in shown
        assert re.search(r"^ +return 'all of it'", shown, re.MULTILINE)
        assert shown.count("word") == 200 * shown.count("return 'all of it'")
        assert ["id", "p5"] in map(words, shown.splitlines())


@pytest.mark.parametrize("length", [10, 11, 12, 13, 20])
def test_long_ids_are_whole(length: int, tmp_path: Path) -> None:
    """The id of a query can be copied from the output, however long it is."""
    long = "module." * length + "function"
    mined.write_candidates(tmp_path, [(long, 1, "p5", 1.0, None, ())])
    queries = tables.queries({long: "What comes first?"})
    schemas.write(tmp_path / layout.table("ingest", "docs", "queries"), schemas.QUERIES, queries)
    assert long in show("--query", long).stdout.replace("\n", "")


def test_a_verdict_is_shown_beside_query_and_positive() -> None:
    """--verdict draws candidates of all queries and prints each below its query and the positive most like it."""
    done = show("--verdict", "duplicates_positive")
    assert done.exit_code == 0
    lines = [words(line) for line in done.stdout.splitlines() if line.strip()]
    assert lines[1] == ["1 of 1 candidates with verdict duplicates_positive, drawn with seed 0"]
    assert lines[3:] == [
        ["rank 2, score 8.000, margin 1.000: duplicates_positive, also before_rank_window, margin_too_small"],
        ["query", "What comes first?"],
        ["positive", "The first positive text"],
        ["candidate the first positive text again"],
    ]


def test_limit_bounds_the_candidates() -> None:
    """--limit is the most candidates that are shown of a query, or drawn of a verdict."""
    assert show("--verdict", "keep", "--limit", "2").stdout.count("candidate ") == 2
    assert "2 of 3 candidates" in show("--verdict", "keep", "--limit", "2").stdout
    lines = [words(line) for line in show("--query", "q1", "--limit", "2").stdout.splitlines()]
    assert not any(line[:3] == ["3", "7.000", "2.000"] for line in lines)


def test_a_verdict_narrows_the_queries_asked_for() -> None:
    """With --query or --random, --verdict shows those of their candidates alone."""
    shown = show("--query", "q1", "--verdict", "keep").stdout
    assert "a fine negative" in shown
    assert "far below" not in shown


def test_a_verdict_nobody_has_is_no_mistake() -> None:
    """A verdict without candidates says so and ends well."""
    done = show("--verdict", "held_out")
    assert done.exit_code == 0
    assert "0 of 0 candidates with verdict held_out" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dosc"], "error: unknown dataset 'dosc'; did you mean 'docs'?\n"),
        (["../docs"], "error: unknown dataset '../docs'; did you mean 'docs'?\n"),
        (["docs", "--query", "q11"], "error: dataset 'docs' has no query 'q11'; did you mean 'q1'?\n"),
        (["docs", "--verdict", "kep"], "error: unknown verdict 'kep'; did you mean 'keep'?\n"),
        (["docs", "--query", "q1", "--random", "1"], "error: --query and --random exclude each other; give one\n"),
        (["code"], "error: data/filter/code/candidates.parquet: dataset 'code' has no candidates yet; run dvc repro"),
    ],
)
def test_mistakes_take_one_line(arguments: list[str], said: str) -> None:
    """An unknown dataset, query or verdict suggests the close one on one line of stderr, with exit code 2."""
    done = CliRunner().invoke(app, ["show", *arguments])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts are coloured where the output is a terminal, and plain elsewhere."""
    assert "\x1b" not in show("--query", "q1").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;32mkeep\x1b[0m" in show("--query", "q1").stdout


def test_markup_is_text(tmp_path: Path) -> None:
    """What looks like markup, a link or an emoji code in data is printed as it stands."""
    mined.write(tmp_path, mined.TEXTS | {"p5": "[red]x[/red] [link=http://x]y[/link] :smile: [/]"})
    assert "[red]x[/red] [link=http://x]y[/link] :smile: [/]" in show("--query", "q1", "--full").stdout


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(HOSTILE)
def test_no_text_commands_the_terminal(tmp_path: Path, text: str) -> None:
    """Whatever ids and texts of a dataset are, no control character but the newline reaches the terminal."""
    texts = mined.TEXTS | {"p5": text, "p1": f"positive {text}", f"{text}x": text}
    rows = [*mined.ROWS, ("q2", 3, f"{text}x", 1.0, None, ())]
    mined.write(tmp_path, texts, rows)
    for arguments in (["--random", "2"], ["--random", "2", "--full"], ["--verdict", "keep", "--full"]):
        done = show(*arguments)
        assert done.exit_code == 0
        kinds = {unicodedata.category(c) for c in done.stdout if c not in "\n\u200c\u200d"}
        assert not kinds & {"Cc", "Cf", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suggest", "--worst", "3"], "error: --worst and --suggest exclude each other; give one"),
        (["--worst", "3", "--query", "q1"], "error: --worst has no use for --query; give it alone"),
        (["--blame", "--random", "3"], "error: --blame has no use for --random; beside it, it takes --query alone"),
        (["--rate", "0.1"], "error: --rate says how --suggest is asked; give --suggest too"),
        (["--jaccard", "0.4", "--worst", "2"], "error: --jaccard says how --blame is asked; give --blame too"),
    ],
)
def test_options_that_do_not_go_together_take_one_line(arguments: list[str], said: str) -> None:
    """Nothing that was asked for is ignored: two ways of asking, or an option of another, are mistakes."""
    done = CliRunner().invoke(app, ["show", "docs", *arguments])
    assert (done.exit_code, done.stderr) == (2, f"{said}\n")
