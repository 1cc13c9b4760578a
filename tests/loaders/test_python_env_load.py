"""Facts about loading: versions, the cache, the hash seed, options."""

import gzip
from pathlib import Path

import pytest
from pydantic import ValidationError

from embedder.errors import SourceError
from embedder.loaders.python_env import Options, View, load
from embedder.records import Reject
from tests.loaders.made_up import digests, function, install, options, start


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a made-up package, work in an empty folder, and return the lock file that pins it."""
    body = "y = x + {0}\nif y:\n    y = y * {0}\nreturn y"
    source = "".join(
        function(f"f{i}", f"Turn {i} into word{i}.\n\nIt has term{i} and more of them.", body.format(i))
        for i in range(12)
    )
    source += function("_hidden", "Stay out of sight.\n\nIt is refused, and that must survive the cache.")
    install(tmp_path / "site", "tiny", {"a.py": source})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    lock = tmp_path / "requirements.lock"
    lock.write_text("tiny==1.0\n")
    return lock


def test_the_hash_seed_changes_nothing(tiny: Path, tmp_path: Path) -> None:
    """Two processes with other hash seeds and without cache find the same digests."""
    views: list[View] = ["pydoc-search", "code-search"]
    seeds = ("1", "4242")
    running = [start(tmp_path / seed, tmp_path / "site", tiny, ["tiny"], views, hash_seed=seed) for seed in seeds]
    one, two = map(digests, running)
    assert one == two
    assert len(one) == 2


def test_the_cache_changes_nothing(tiny: Path) -> None:
    """A cache that is deleted, cut off, garbage or of another form is rebuilt without a word, to the same bytes."""
    chosen = options("pydoc-search", ["tiny"])
    first = load(chosen, tiny)
    (cache,) = Path("data/cache/python-env").iterdir()
    whole = cache.read_bytes()
    middle = len(whole) // 2
    torn = whole[:middle] + bytes(40) + whole[middle + 40 :]
    for broken in (whole, None, whole[:middle], torn, b"garbage", b"", gzip.compress(b"[]")):
        cache.unlink()
        if broken is not None:
            cache.write_bytes(broken)
        again = load(chosen, tiny)
        assert again == first
        assert cache.read_bytes() == whole


def test_the_cache_is_used_and_belongs_to_a_version(tiny: Path, tmp_path: Path) -> None:
    """A second load reads no source file; another version does not see the first one's cache."""
    chosen = options("pydoc-search", ["tiny"])
    first = load(chosen, tiny)
    assert "private name" in {record.reason for record in first.records if isinstance(record, Reject)}
    module = tmp_path / "site" / "tiny" / "a.py"
    module.write_text(module.read_text().replace("term3", "other3"))
    assert load(chosen, tiny) == first
    info = tmp_path / "site" / "tiny-1.0.dist-info"
    (info / "METADATA").write_text((info / "METADATA").read_text().replace("Version: 1.0", "Version: 1.1"))
    info.rename(info.with_name("tiny-1.1.dist-info"))
    tiny.write_text("tiny==1.1\n")
    assert load(chosen, tiny).facts["digest"] != first.facts["digest"]


def test_a_version_mismatch_is_refused(tiny: Path) -> None:
    """A lock that pins another version stops the load in one line."""
    tiny.write_text("tiny==2.0\n")
    with pytest.raises(SourceError, match=r"tiny 1\.0 is installed but .* pins 2\.0"):
        load(options("pydoc-search", ["tiny"]), tiny)


def test_a_view_without_rows_is_refused(tiny: Path) -> None:
    """A package without See Also sections makes no see-also dataset."""
    with pytest.raises(SourceError, match="finds nothing in tiny"):
        load(options("see-also", ["tiny"]), tiny)


@pytest.mark.parametrize(
    ("view", "within"), [("package-topic", None), ("package-topic", "flask"), ("see-also", "scipy")]
)
def test_within_belongs_to_package_topic(view: View, within: str | None) -> None:
    """package-topic needs one of its packages, and no other view has any."""
    with pytest.raises(ValidationError, match="within"):
        Options(
            loader="python-env", view=view, packages=["numpy", "scipy"], versions="any", dev_share=0.25, within=within
        )
