"""`embedder audit`: exit codes, what is printed, the page."""

import html.parser
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from embedder.cli.main import app
from tests.audit import sources
from tests.audit.sources import CLEAN, FAULTS

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"


def audit(*arguments: object) -> Result:
    """Run `embedder audit`."""
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_clean_data_exit_with_0(tmp_path: Path) -> None:
    """The form, the rows and every check are printed, and the exit code is 0."""
    done = audit(sources.write("flag", tmp_path, CLEAN))
    assert done.exit_code == 0, done.output
    assert "triplets or tuples with negatives (query: query," in " ".join(done.stdout.split())
    assert "5 rows read = 5 audited + 0 unreadable" in done.stdout
    assert done.stdout.splitlines()[-1] == "faults: none"
    assert len(re.findall(r"(?m)^ok  ", done.stdout)) == 20


@pytest.mark.parametrize("form", sources.WRITERS)
def test_faults_exit_with_1(form: str, tmp_path: Path) -> None:
    """A fault is printed with its share and an example, and the exit code is 1."""
    done = audit(sources.write(form, tmp_path, FAULTS["near copy"].plant(CLEAN)))
    assert done.exit_code == 1
    assert re.search(r"(?m)^fault +near_copy +1 +\d+\.\d\d%", done.stdout)
    assert "fault near_copy: a negative that is nearly a positive of its query" in done.stdout
    assert done.stdout.splitlines()[-1] == "faults: near_copy"


def test_faults_may_be_allowed_up_to_a_share(tmp_path: Path) -> None:
    """With --max-share a rare fault is still printed, and the exit code is 0."""
    path = sources.write("flag", tmp_path, FAULTS["near copy"].plant(CLEAN))
    done = audit(path, "--max-share", 0.2)
    assert done.exit_code == 0
    assert "fault near_copy" in done.stdout
    assert audit(path, "--jaccard", 0).exit_code == 0


def test_warnings_do_not_fail(tmp_path: Path) -> None:
    """A warning is printed, and the exit code is 0."""
    path = sources.write("flag", tmp_path, FAULTS["negative above the positive"].plant(CLEAN))
    done = audit(path, "--licence", "cc-by-nc-4.0")
    assert done.exit_code == 0
    assert "warning above_positive" in done.stdout
    assert "warning restricted_licence" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "no such file or folder"),
        (["x.csv"], "no known form; say what they hold: --columns ROLE=COLUMN,ROLE=COLUMN; roles:"),
        (["x.csv"], "; --no-header if the first row is data"),
        (["x.jsonl"], "query, positive, negative, passage, relevance, label, labels\n"),
        (["bm25.trec"], "audit its BEIR folder with --run bm25.trec"),
        (["x.txt"], "unknown ending; use one of .jsonl, .ndjson, .csv, .tsv, .parquet\n"),
        (["x.csv", "--columns", "query=a,positive=b", "--against", "nowhere"], "correct --against"),
        (["x.csv", "--columns", "query=a,positive=b", "--html", "no/folder/page.html"], "correct --html"),
        (["x.csv", "--columns", "query=a,positive=b", "--html", "folder"], "is a folder; correct --html"),
        (["quotes.csv"], "give --no-quoting"),
        (["owner/name", "--revision", "main"], "is no commit"),
    ],
)
def test_mistakes_exit_with_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake is one line on stderr, and the exit code is 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "x.jsonl").write_text('{"a": 1, "b": 2}\n')
    (tmp_path / "bm25.trec").write_text("q Q0 p 1 1 x\n")
    (tmp_path / "x.txt").write_text("a\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "quotes.csv").write_text('query,answer\n"a" b,c\n')
    done = audit(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_what_is_held_out_and_what_is_not_read_are_said(tmp_path: Path) -> None:
    """The terminal and the page say how much each folder holds out, and which columns nobody read."""
    path = sources.write("flag", tmp_path, CLEAN)
    against = sources.write("beir", tmp_path / "b2", CLEAN)
    (against / "qrels" / "train.tsv").rename(against / "qrels" / "dev.tsv")
    done = audit(path, "--against", against, "--html", tmp_path / "page.html")
    assert done.exit_code == 1
    said = f"against {against}: 5 queries and 5 passages held out"
    assert said in done.stdout.splitlines()
    page = (tmp_path / "page.html").read_text()
    assert said in page
    for printed in (done.stdout, page):
        assert "from mined.jsonl; not read: prompt" in printed


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in attrs)


def test_the_page_has_the_examples_and_no_markup_of_the_data(tmp_path: Path) -> None:
    """Texts, labels and licences are escaped, the style is allowed by its digest, and nothing is loaded."""
    rows = [{"query": HOSTILE, "pos": [HOSTILE], "neg": [HOSTILE, HOSTILE]}]
    path = tmp_path / "<b>.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = audit(path, "--html", tmp_path / "page.html", "--licence", f"nc {HOSTILE}")
    assert done.exit_code == 1
    page = (tmp_path / "page.html").read_text()
    tags = _Tags()
    tags.feed(page)
    assert not tags.names & {"script", "img", "b", "a", "link", "iframe"}
    assert page.count("&lt;script&gt;") >= 4
    policy = page.replace("&#x27;", "'")
    assert "default-src 'none'; " in policy
    assert "; style-src 'sha256-" in policy
    assert "script-src" not in policy
    assert "&lt;b&gt;.jsonl:1" in page


def test_the_page_is_the_same_twice(tmp_path: Path) -> None:
    """The page depends on source and options alone."""
    path = sources.write("csv", tmp_path, FAULTS["near copy"].plant(CLEAN))
    for name in ("a", "b"):
        audit(path, "--html", tmp_path / f"{name}.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), max_size=40) | st.sampled_from(["\x1b]0;x\x07", "\u202e", "[bold]", "\ud800"]))
def test_hostile_texts_are_printed_harmlessly(text: str, tmp_path: Path) -> None:
    """Whatever texts hold, the exit code is that of an audit and no control character is printed."""
    path = tmp_path / "hostile.jsonl"
    path.write_text(json.dumps({"query": text, "pos": [text, "p"], "neg": [text, text]}) + "\n")
    done = audit(path, "--html", tmp_path / "page.html")
    assert done.exit_code == 1, done.output
    assert not set(done.stdout) & {"\x1b", "\x07", "\u202e", "\x00"}


def test_help_is_fast() -> None:
    """`embedder audit --help` loads nothing heavy."""
    code = "import sys; from embedder.cli.main import app; app(['audit', '--help'], standalone_mode=False); "
    code += "print(*(m for m in ('duckdb', 'pyarrow', 'numpy', 'sklearn') if m in sys.modules), file=sys.stderr)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    assert "--against" in done.stdout
    assert time.perf_counter() - start < 5
