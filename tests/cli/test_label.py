"""`embedder show --label`: a person's session, fed with answers."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from embedder import labels, layout, schemas
from embedder.cli import label as label_module
from embedder.cli.label import estimate_lines, shuffled
from embedder.cli.main import app
from embedder.contamination.estimate import WORDS, estimate
from embedder.params.models import Leak
from tests import mined, tables

_TEXTS = {f"p{i}": f"passage number {i}" for i in range(9)}
_SAMPLE = [
    *(("q1", f"p{i}", "kept") for i in range(1, 4)),
    *(("q2", f"p{i}", "kept") for i in range(4, 6)),
    ("q1", "p6", "positive"),
    ("q2", "p7", "positive"),
    ("q1", "p8", "random"),
    ("q2", "p0", "random"),
]
_PATH = layout.labels("docs")


def _write_sample(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    sample = schemas.from_rows(schemas.SAMPLE, [(*row, row[2], 2.0) for row in rows])
    schemas.write(folder / layout.table("filter", "docs", "sample"), schemas.SAMPLE, sample)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a sample of nine pairs."""
    mined.write(tmp_path, mined.TEXTS | _TEXTS)
    _write_sample(tmp_path, _SAMPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def _label(*answers: str, limit: int = 50) -> Result:
    done = CliRunner().invoke(
        app, ["show", "docs", "--label", "--limit", str(limit)], input="".join(f"{one}\n" for one in answers)
    )
    assert done.exit_code == 0, done.output
    return done


def _shown(done: Result) -> list[str]:
    """Return the passages in the order in which they were shown."""
    return re.findall(r"passage number \d", done.stdout)


def _said() -> dict[str, str]:
    return {passage: said.verdict for (_, passage), said in labels.read(_PATH).items()}


def test_every_pair_is_asked_about_once() -> None:
    """Nine answers are nine verdicts, each on the passage that was shown, and the file is there."""
    done = _label(*"ynyn?ynyn")
    assert len(set(_shown(done))) == len(_SAMPLE) == 9
    words = {"y": "yes", "n": "no", "?": "unsure"}
    expected = {f"p{text[-1]}": words[answer] for text, answer in zip(_shown(done), "ynyn?ynyn", strict=True)}
    assert _said() == expected
    assert "9 verdicts now; 9 of 9 pairs have one: yes 4, no 4, unsure 1" in done.stdout
    assert "labels/docs.csv" in done.stdout


def test_nothing_gives_the_kind_away() -> None:
    """Instruction, query and passage are shown; kinds, ranks, scores and ids are not, and kinds are mixed."""
    done = _label("q")
    shown = done.stdout.partition("relevant?")[0]
    assert "Given a summary, retrieve what it summarises" in shown
    assert re.search(r"What comes first\?|And then\?", shown)
    assert not re.search(r"kept|positive|random|rank|score|p\d|q\d", shown)
    kinds = {passage: kind for _, passage, kind in _SAMPLE}
    order = [kinds[f"p{text[-1]}"] for text in _shown(_label(*"n" * 9))]
    assert order != sorted(order)


def test_a_session_goes_on_where_it_stopped() -> None:
    """After quitting the next session starts with the pair that was shown last; nothing is asked twice."""
    first = _shown(_label("y", "n", "q"))
    assert len(first) == 3
    assert len(_said()) == 2
    second = _shown(_label(*"n" * 7))
    assert second[0] == first[2]
    assert sorted({*first, *second}) == sorted(f"passage number {i}" for i in range(9))
    done = _label("y")
    assert _shown(done) == []
    assert "0 verdicts now; 9 of 9 pairs have one" in done.stdout


def test_another_terminals_verdicts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody else stores while a session runs is in the file after it, and counts at its end."""
    shown = label_module._print_pair
    queries = {"q1": "What comes first?", "q2": "And then?"}
    elsewhere = [(query, passage) for query, passage, _ in _SAMPLE[:5]]

    def look(*row: Any) -> None:  # noqa: ANN401 - whatever it takes
        for query, passage in elsewhere:
            said = labels.Verdict("unsure", labels.texts_hash(queries[query], _TEXTS[passage]))
            labels.add(_PATH, (query, passage), said)
        elsewhere.clear()
        shown(*row)

    monkeypatch.setattr(label_module, "_print_pair", look)
    done = _label("y", "q")
    assert len(_said()) in {5, 6}
    assert sorted(_said().values()).count("yes") == 1
    assert f"{len(_said())} of 9 pairs have one: yes 1, no 0, unsure {len(_said()) - 1}" in done.stdout


def test_a_folder_in_the_files_place_is_one_line() -> None:
    """Verdicts that cannot be read or kept end the session with a message."""
    _PATH.mkdir(parents=True)
    done = CliRunner().invoke(app, ["show", "docs", "--label"], input="y\n")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "labels/docs.csv: cannot be read" in done.stderr


def test_the_end_of_the_input_quits() -> None:
    """Piped answers may end before the pairs do."""
    done = _label("y", "y")
    assert len(_said()) == 2
    assert "2 verdicts now; 2 of 9 pairs have one" in done.stdout


def test_the_limit_bounds_a_session() -> None:
    """--limit is how many verdicts are asked for."""
    assert len(_shown(_label(*"y" * 9, limit=4))) == 4
    assert len(_said()) == 4


def test_back_takes_the_last_one_again() -> None:
    """`b` shows the pair before, whose verdict the next answer replaces; at the first there is none before."""
    shown = _shown(_label("b", "y", "b", "n", "y", "q"))
    first, second, third = shown[0], shown[2], shown[5]
    assert shown == [first, first, second, first, second, third]
    assert _said() == {f"p{first[-1]}": "no", f"p{second[-1]}": "yes"}


def test_other_answers_are_asked_again() -> None:
    """What is no answer changes nothing and says what is one; words and capitals are answers."""
    done = _label("maybe", "", "YES", "No", "q")
    assert done.stdout.count("Type y, n, ?, b or q") == 2
    assert sorted(_said().values()) == ["no", "yes"]


def test_a_verdict_is_stored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second pair is shown, the first verdict is in the file."""
    seen: list[int] = []
    shown = label_module._print_pair

    def look(*row: Any) -> None:  # noqa: ANN401 - whatever it takes
        seen.append(len(labels.read(_PATH)))
        shown(*row)

    monkeypatch.setattr(label_module, "_print_pair", look)
    _label("y", "n", "q")
    assert seen == [0, 1, 2]


def test_a_changed_text_is_asked_about_again(folder: Path) -> None:
    """A verdict on another text counts as none; the others stay."""
    _label(*"y" * 9)
    corpus = tables.corpus(mined.TEXTS | _TEXTS | {"p4": "passage number 4, changed"})
    schemas.write(folder / layout.table("ingest", "docs", "corpus"), schemas.CORPUS, corpus)
    done = _label("n")
    assert _shown(done) == ["passage number 4"]
    assert _said() == {f"p{i}": "no" if i == 4 else "yes" for i in range(9)}


def test_the_estimate_is_printed_with_what_it_cannot_say() -> None:
    """At the end contamination is told, or why it cannot be told yet."""
    assert "contamination: cannot be told yet: " in _label("q").stdout
    kinds = {passage: kind for _, passage, kind in _SAMPLE}
    order = [f"p{text[-1]}" for text in _shown(_label(*"?" * 9))]
    _PATH.unlink()
    done = _label(*("y" if kinds[passage] == "positive" else "n" for passage in order))
    assert re.search(r"contamination of what the filter kept: below \d+\.\d%", done.stdout)
    assert "your sensitivity: 100.0% (" in done.stdout


def _estimate(relevant: int, controls: int = 200) -> list[str]:
    rows = [
        *((f"k{i}", "p", "kept", "all", 10.0, float(i < relevant), i < relevant) for i in range(400)),
        *((f"p{i}", "p", "positive", "positive", 1.0, 1.0, True) for i in range(controls)),
        *((f"r{i}", "p", "random", "random", 1.0, 0.0, False) for i in range(controls)),
    ]
    leak = {"draws": 2, "sample": 1, "controls": 1, "bootstrap_samples": 200, "confidence": 0.95, "seed": 1}
    return list(estimate_lines(estimate(schemas.from_rows(schemas.LABELS, rows), Leak.model_validate(leak))))


def test_an_estimate_has_its_interval() -> None:
    """Where the labels can tell, the share stands with its interval, and so do the judge's errors."""
    lines = _estimate(100)
    assert re.fullmatch(r"contamination of what the filter kept: 2\d\.\d% \(\d+\.\d% to \d+\.\d%\)", lines[0])
    assert lines[1].startswith("your sensitivity: 100.0% (9")
    assert lines[2].startswith("your specificity: 100.0% (9")
    assert len(lines) == 3
    assert any("person is unsure" in line and "missing at random" in line for line in WORDS)
    assert _estimate(0)[0].startswith("contamination of what the filter kept: below ")
    assert _estimate(100, controls=0)[0].startswith("contamination: cannot be told yet: ")


def test_the_order_is_fixed_by_the_seed() -> None:
    """The same seed and dataset give the same order, others another."""
    sample = schemas.from_rows(schemas.SAMPLE, [(*row, row[2], 2.0) for row in _SAMPLE])
    assert shuffled(sample, 1, "docs").equals(shuffled(sample, 1, "docs"))
    assert not shuffled(sample, 1, "docs").equals(shuffled(sample, 2, "docs"))
    assert not shuffled(sample, 1, "docs").equals(shuffled(sample, 1, "code"))


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_is_spread_over_the_order(seed: int) -> None:
    """Of 90 kept pairs and 30 controls of either kind, each fifth has its share: 18, and 6 of either, give or take 2."""
    rows = [(f"q{i}", "p", "kept" if i % 5 < 3 else ("positive", "random")[i % 5 - 3]) for i in range(150)]
    sample = schemas.from_rows(schemas.SAMPLE, [(*row, row[2], 2.0) for row in rows])
    order = shuffled(sample, seed, "docs")
    assert sorted(order["query_id"].to_pylist()) == sorted(sample["query_id"].to_pylist())
    kinds = order["kind"].to_pylist()
    for start in range(0, 150, 30):
        part = kinds[start : start + 30]
        assert abs(part.count("kept") - 18) <= 2
        assert abs(part.count("positive") - 6) <= 2


def test_a_dataset_without_a_sample_says_so(folder: Path) -> None:
    """There is nothing to label, and one line says why."""
    _write_sample(folder, [])
    done = CliRunner().invoke(app, ["show", "docs", "--label"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "dataset 'docs' has no sample to label" in done.stderr


def test_a_long_passage_is_cut(folder: Path) -> None:
    """More than anybody reads is not printed, which is said."""
    corpus = tables.corpus(mined.TEXTS | dict.fromkeys(_TEXTS, "word " * 3000))
    schemas.write(folder / layout.table("ingest", "docs", "corpus"), schemas.CORPUS, corpus)
    assert "... and 9,000 more characters" in _label("q").stdout


_HOSTILE = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1b\x9b\r\n\u202e[]/,='\""), min_size=1)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_HOSTILE)
def test_no_text_commands_the_terminal(folder: Path, text: str) -> None:
    """Whatever texts and ids hold, no control character reaches the terminal, and the verdict comes back."""
    query, passage = f"{text}q", f"{text}p"
    schemas.write(
        folder / layout.table("ingest", "docs", "queries"), schemas.QUERIES, tables.queries({query: f"{text}?"})
    )
    schemas.write(folder / layout.table("ingest", "docs", "corpus"), schemas.CORPUS, tables.corpus({passage: text}))
    _write_sample(folder, [(query, passage, "kept")])
    _PATH.unlink(missing_ok=True)
    done = _label("y")
    kinds = {unicodedata.category(c) for c in done.stdout if c not in "\n\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Zl", "Zp"}
    assert [(pair, said.verdict) for pair, said in labels.read(_PATH).items()] == [((query, passage), "yes")]
