"""A model in a folder becomes a teacher: copied whole, named in params.yaml, nothing else touched."""

import difflib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from embedder import layout, promotion
from embedder.errors import ModelError, ParamsError
from embedder.params.editing import with_teacher
from embedder.params.load import load, parse
from embedder.revisions import content_hash, file_hashes
from tests import models, project

COMMENTED = """\
# What counts.
teacher: bm25   # the one in use
teachers:

  # The word counter.
  bm25: {kind: bm25, k1: 1.5}
  other:
    kind: "bm25"
    stop: [a,
           b]
    # belongs to other

# What follows.
mine:
    depth: 12
"""
ENTRY = {
    "kind": "dense",
    "adapter": None,
    "query_prompt": "Instruct: {instruction}\nQuery: ",
    "index": {"kind": "exact"},
}


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder of a small BERT with CLS pooling."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    folder = tmp_path_factory.mktemp("model")
    transformer = Transformer(str(models.make_bert(folder / "bert")), processor_kwargs={"model_max_length": 32})
    prompts = {"query": "ask: ", "document": "tell: "}
    made = SentenceTransformer(modules=[transformer, Pooling(16, "cls"), Normalize()], prompts=prompts, device="cpu")
    made.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project.write_params(tmp_path, project.tiny_params())


def promote(source: Path, name: str = "mine", *, replace: bool = False, **given: str) -> promotion.Promoted:
    """Promote with a licence, unless one is given."""
    return promotion.promote(source, name, {"licence": "MIT", **given}, replace=replace)


def edited(source: Path, folder: Path, file: str, **changes: object) -> Path:
    """Copy a model to `folder` with other values in one of its JSON files."""
    shutil.copytree(source, folder)
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**content, **changes}))
    return folder


def test_a_model_becomes_a_teacher(model: Path) -> None:
    """The copy has the model's content, and the entry says all that mining must know of it."""
    done = promote(model)
    revision = content_hash(file_hashes(model))
    assert done.folder == Path(f"models/mine-{revision[:12]}")
    assert content_hash(file_hashes(done.folder)) == revision
    assert done.entry == {
        "kind": "dense",
        "name": done.folder.as_posix(),
        "revision": revision,
        "adapter": None,
        "licence": "MIT",
        "pooling": "cls",
        "query_prompt": "ask: ",
        "passage_prompt": "tell: ",
        "query_length": 32,
        "passage_length": 32,
        "dtype": "float32",
        "normalise": True,
        "add_eos": False,
        "dimensions": 16,
        "parameters": done.entry["parameters"],
        "index": {"kind": "exact"},
        "agreement_sample": 0,
    }
    assert load().teachers["mine"].model_dump() == done.entry


def test_a_model_in_16_bits_stays_in_them(model: Path, tmp_path: Path) -> None:
    """Weights in bfloat16 are mined with in bfloat16: as the model was measured."""
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(model), device="cpu").bfloat16().save(str(tmp_path / "half"), create_model_card=False)
    assert promote(tmp_path / "half").entry["dtype"] == "bfloat16"


def test_the_text_of_params_only_grows(model: Path) -> None:
    """A diff of params.yaml before and after has added lines and no other."""
    before = layout.PARAMS.read_text()
    promote(model)
    difference = list(difflib.ndiff(before.splitlines(), layout.PARAMS.read_text().splitlines()))
    assert {line[0] for line in difference} == {" ", "+"}
    assert sum(line.startswith("+") for line in difference) == 19


def test_the_repositorys_own_params_only_grow(model: Path) -> None:
    """The params.yaml that is shipped keeps every byte, comments too, and stays valid."""
    text = (project.ROOT / "params.yaml").read_text()
    entry = promote(model).entry
    new = with_teacher(text, "mine", entry, replace=False)
    at = next(i for i, pair in enumerate(zip(text, new, strict=False)) if pair[0] != pair[1])
    added = len(new) - len(text)
    assert any(new[:i] + new[i + added :] == text for i in range(max(0, at - added), at + 1))
    assert parse(new).teachers["mine"].model_dump() == entry


def test_an_entry_comes_after_the_last_and_its_comments() -> None:
    """A new entry stands after the last one, before the comment of what follows; the rest is as it was."""
    new = with_teacher(COMMENTED, "mine", ENTRY, replace=False)
    at = COMMENTED.index("\n# What follows")
    assert new.startswith(COMMENTED[:at])
    assert new.endswith(COMMENTED[at:])
    assert new[at : at + len(new) - len(COMMENTED)] == (
        "  mine:\n    kind: dense\n    adapter: null\n"
        '    query_prompt: "Instruct: {instruction}\\nQuery: "\n    index:\n      kind: exact\n'
    )


def test_line_ends_stay() -> None:
    """A file with Windows' line ends has no others afterwards."""
    new = with_teacher(COMMENTED.replace("\n", "\r\n"), "mine", ENTRY, replace=False)
    assert new.replace("\r\n", "\n") == with_teacher(COMMENTED, "mine", ENTRY, replace=False)
    assert new.count("\n") == new.count("\r\n")


@pytest.mark.parametrize("end", ["", "\n", "\n\n# the end"])
def test_the_section_may_be_the_last(end: str) -> None:
    """Where nothing follows the teachers the entry still stands on lines of its own."""
    text = f"mine:\n  depth: 1\nteachers:\n  bm25:\n    kind: bm25{end}"
    new = with_teacher(text, "mine", ENTRY, replace=False)
    assert YAML(typ="safe").load(new)["teachers"] == {"bm25": {"kind": "bm25"}, "mine": ENTRY}
    assert new.startswith(text[: len(text) - len(end)])


@pytest.mark.parametrize("name", ["bm25", "other"])
def test_a_replaced_entry_takes_the_place_of_the_old(name: str) -> None:
    """--replace changes one entry's lines; those of all others stay as they are."""
    with pytest.raises(ParamsError, match="another teacher"):
        with_teacher(COMMENTED, name, ENTRY, replace=False)
    new = with_teacher(COMMENTED, name, ENTRY, replace=True)
    content, before = YAML(typ="safe").load(new), YAML(typ="safe").load(COMMENTED)
    assert content == {**before, "teachers": {**before["teachers"], name: ENTRY}}
    assert list(content["teachers"]) == ["bm25", "other"]
    assert {"# What counts.", "# What follows.", "  # The word counter."} <= set(new.splitlines())


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, TEXTS)
@settings(max_examples=50)
def test_any_text_is_written_as_it_is(prompt: str, licence: str) -> None:
    """Whatever prompts and licences are, they are read back as they were given."""
    entry = {**ENTRY, "query_prompt": prompt, "licence": licence}
    new = with_teacher(COMMENTED, "mine", entry, replace=False)
    assert YAML(typ="safe", pure=True).load(new)["teachers"]["mine"] == entry


def test_the_same_again_writes_nothing(model: Path) -> None:
    """Promoting a model under its name again leaves copy and params as they are."""
    first = promote(model)
    text, files = layout.PARAMS.read_bytes(), sorted(Path("models").rglob("*"))
    again = promote(model)
    assert (first.changed, again.changed, again.entry) == (True, False, first.entry)
    assert (layout.PARAMS.read_bytes(), sorted(Path("models").rglob("*"))) == (text, files)


def test_another_model_needs_another_name(model: Path) -> None:
    """A name that is taken is refused before anything is written; --replace takes it."""
    promote(model)
    before = layout.PARAMS.read_bytes()
    with pytest.raises(ParamsError, match=r"teachers\.mine: is another teacher; give another name with --as"):
        promote(model, query_prompt="other: ")
    assert layout.PARAMS.read_bytes() == before
    promote(model, replace=True, query_prompt="other: ")
    assert load().teachers["mine"].model_dump()["query_prompt"] == "other: "


def test_a_damaged_copy_is_made_again(model: Path) -> None:
    """A copy whose content is not that of its revision is replaced."""
    folder = promote(model).folder
    (folder / "config.json").write_text("{}")
    promote(model)
    assert content_hash(file_hashes(folder)) == content_hash(file_hashes(model))


def test_links_become_files(model: Path, tmp_path: Path) -> None:
    """DVC may link its cache's files: the copy holds them itself, and no hidden files."""
    linked = tmp_path / "linked"
    shutil.copytree(model, linked, copy_function=lambda source, target: Path(target).symlink_to(source))
    (linked / ".hidden").write_text("x")
    folder = promote(linked).folder
    assert not any(path.is_symlink() or path.name == ".hidden" for path in folder.rglob("*"))


def _student_entry(model: Path) -> dict[str, Any]:
    params = project.tiny_params()
    options = models.options(model, query_prompt="Instruct: {instruction}\nQuery: ", licence="Apache-2.0", adapter=None)
    params["students"]["tiny"]["model"] = options.model_dump()
    params["student"] = "tiny"
    return params


@pytest.mark.parametrize("folder", [layout.MODEL, layout.BASE_MODEL])
def test_the_students_prompts_and_lengths(folder: Path, model: Path, tmp_path: Path) -> None:
    """Where the folder is the student's, prompts, lengths and licence are those of its entry."""
    project.write_params(tmp_path, _student_entry(model))
    shutil.copytree(model, folder)
    entry = promotion.promote(folder, "round-two", {}, replace=False).entry
    assert (entry["query_prompt"], entry["passage_prompt"]) == ("Instruct: {instruction}\nQuery: ", "")
    assert (entry["query_length"], entry["passage_length"], entry["licence"]) == (16, 48, "Apache-2.0")


def test_the_offline_student(base_folder: Path) -> None:
    """The student that is built here has no prompts, and its licence is said to be that of its data."""
    shutil.copytree(base_folder / "model", layout.BASE_MODEL)
    entry = promotion.promote(layout.BASE_MODEL, "base", {}, replace=False).entry
    assert (entry["query_prompt"], entry["passage_prompt"], entry["pooling"]) == ("", "", "mean")
    assert entry["licence"] == "built here; the licences of its training data apply"
    assert (entry["dimensions"], entry["query_length"], entry["passage_length"]) == (16, 16, 48)


def _pickled(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")


def _beside(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "organisation/model"}')


def _coded(folder: Path) -> None:
    (folder / "custom.py").write_text("")


def _custom(folder: Path) -> None:
    listing = json.loads((folder / "modules.json").read_text())
    listing[1]["type"] = "custom.Module"
    (folder / "modules.json").write_text(json.dumps(listing))


def _unlisted(folder: Path) -> None:
    (folder / "modules.json").unlink()


def _weightless(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _broken(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no weights")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (_pickled, "holds pytorch_model.bin, which could run code"),
        (_coded, "holds custom.py, which could run code"),
        (_beside, r"is an adapter on its base, and a teacher's folder .*; set finetune\.merged: true"),
        (_custom, "custom.Module"),
        (_unlisted, "no modules.json"),
        (_weightless, "holds no safetensors"),
        (_broken, "no readable safetensors"),
    ],
)
def test_what_is_no_such_model_is_refused(break_it: Any, said: str, model: Path, tmp_path: Path) -> None:  # noqa: ANN401 - a function
    """Pickles, code, custom modules and what does not load are refused, and nothing is written."""
    before = layout.PARAMS.read_bytes()
    folder = tmp_path / "broken"
    shutil.copytree(model, folder)
    break_it(folder)
    with pytest.raises(ModelError, match=said):
        promote(folder)
    assert (layout.PARAMS.read_bytes(), layout.MODELS.exists()) == (before, False)


def test_a_last_token_model_must_end_its_texts(tmp_path: Path) -> None:
    """A tokenizer that forgets the end token of a last-token model is found out by one text."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    mistral = Transformer(str(models.make_mistral(tmp_path / "mistral")))
    made = SentenceTransformer(modules=[mistral, Pooling(16, "lasttoken")], device="cpu")
    made.save(str(tmp_path / "model"), create_model_card=False)
    with pytest.raises(Exception, match="last-token model"):
        promote(tmp_path / "model")


def test_a_licence_must_be_said(model: Path) -> None:
    """A folder that is no student's has no licence that this program knows."""
    with pytest.raises(ParamsError, match="give --licence"):
        promotion.promote(model, "mine", {}, replace=False)


def test_an_invalid_entry_is_not_written(model: Path) -> None:
    """A name or licence that params.yaml may not have is refused before anything is copied."""
    before = layout.PARAMS.read_bytes()
    for name, licence in (("Not A Name", "MIT"), ("mine", "")):
        with pytest.raises((ParamsError, ModelError)):
            promote(model, name, licence=licence)
    assert (layout.PARAMS.read_bytes(), layout.MODELS.exists()) == (before, False)


def test_lengths_are_the_smallest_that_the_files_say(model: Path, tmp_path: Path) -> None:
    """The folder's own length is what its tokenizer, its positions and sentence-transformers all allow."""
    shorter = edited(model, tmp_path / "shorter", "sentence_bert_config.json", max_seq_length=24)
    assert promote(shorter).entry["query_length"] == 24
    boundless = edited(model, tmp_path / "boundless", "tokenizer_config.json", model_max_length=10**30)
    assert promote(boundless, replace=True).entry["query_length"] == 64


@pytest.mark.parametrize(
    ("prompts", "wanted"),
    [
        ({"query": "q: ", "passage": "p: ", "document": ""}, ("q: ", "p: ")),
        ({"query": "q: ", "document": "d: ", "passage": "p: "}, ("q: ", "d: ")),
        ({}, ("", "")),
        (None, ("", "")),
    ],
)
def test_the_folders_own_prompts(
    prompts: dict[str, str] | None, wanted: tuple[str, str], model: Path, tmp_path: Path
) -> None:
    """Prompts of a folder are those it calls query, and document or passage; it may have none."""
    folder = edited(model, tmp_path / "other", "config_sentence_transformers.json", prompts=prompts)
    entry = promote(folder).entry
    assert (entry["query_prompt"], entry["passage_prompt"]) == wanted
