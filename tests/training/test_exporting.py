"""A tuned student as files, and the gate that they must pass."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedder import encoding, layout, saving
from embedder.errors import ModelError, StudentError
from embedder.evaluation.models import loaders
from embedder.params.finetune import Finetune
from embedder.params.runtime import Runtime
from embedder.prompts import Prompts, prompts
from embedder.revisions import file_hashes
from embedder.students import build_base
from embedder.training.adapters import adapt, load_base
from embedder.training.asked import Asked
from embedder.training.exporting import check, export, prompts_by_name
from embedder.training.shards import TrainingSet, read_shards
from tests import models, project
from tests.training_sets import student, texts, training_set, write_shards

TEXTS = ["where is the red apple", "The boat painted blue stands in room 9.", ""]
E5 = "Instruct: {instruction}\nQuery: "
# What adapters are moved by: their products are then below the last bit of weights around 0.5.
LOST = 2e-4
FORMS = ["merged", "beside", "full"]


def asked_of(folder: Path, form: str, model: dict[str, Any] | None = None) -> Asked:
    """Build the base of a student in `folder`, and shards; ask for one of three forms."""
    entry = student(model) if form != "full" else student(model, lora=None)
    settings = Finetune.model_validate(project.tiny_params()["finetune"] | {"merged": form != "beside"})
    (folder / "base").mkdir(parents=True)
    build_base(entry.model, texts(), folder / "base")
    write_shards(folder / "shards", "rooms", licence="CC0-1.0", teacher="bm25", revision="0", window="2-10")
    write_shards(folder / "shards", "walls", "clustering", instruct_passages="true", instruction="Group it")
    return Asked("tiny", entry, settings, folder / "base", folder / "shards")


def train(asked: Asked, by: float = 0.3) -> tuple[Any, Sequence[TrainingSet]]:
    """Load a student and move all that is trained by noise: what training leaves, without training."""
    sets = read_shards(asked.shards)
    model = load_base(asked.student, asked.base, "cpu")
    torch.manual_seed(0)
    adapted = adapt(model, asked.student)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=by)
    model.max_seq_length = 24
    options: Any = asked.student.model
    report = {
        "parameters": {"trained": 1, "all": 2},
        "runs": [{"seed": 1, "steps_planned": 0, "steps": 0, "steps_kept": 0}],
        "seeds": [1],
        "datasets": {one.name: {"rows_used": len(one)} for one in sets},
    }
    filled = {
        one.name: prompts(
            options.query_prompt, options.passage_prompt, one.instruction, instruct_passages=one.instruct_passages
        )
        for one in sets
    }
    return SimpleNamespace(
        model=model, adapted=adapted, prompts=filled, history=[], histories={1: []}, report=report, chosen=""
    ), sets


def exported(asked: Asked, folder: Path, by: float = 0.3) -> tuple[Any, dict[str, float]]:
    """Train and export into `folder`."""
    folder.mkdir()
    tuned, sets = train(asked, by)
    return tuned, export(tuned, sets, folder, asked)


def mistral(folder: Path) -> dict[str, Any]:
    """Return the entry of a small Mistral in bfloat16 whose tokenizer drops EOS unless told."""
    entry = models.options(
        models.make_mistral(folder / "mistral", "bfloat16"),
        pooling="last_token",
        add_eos=True,
        dtype="bfloat16",
        query_prompt=E5,
    )
    return entry.model_dump()


@pytest.mark.parametrize("form", FORMS)
def test_a_user_loads_what_was_tuned(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SentenceTransformer(path) in the project's root gives the vectors of the model in memory, not of the base."""
    monkeypatch.chdir(tmp_path)
    asked = asked_of(Path("data"), form)
    tuned, cosines = exported(asked, Path("out"))
    loaded = SentenceTransformer("out/model", device="cpu")
    found = loaded.encode(TEXTS, normalize_embeddings=True)
    before = encoding.encode(load_base(asked.student, asked.base, "cpu"), TEXTS)
    np.testing.assert_allclose(found, encoding.encode(tuned.model, TEXTS), atol=1e-5)
    assert saving.lowest_cosine(found, before) < 0.99
    assert cosines["base_to_tuned"] < 0.999
    assert cosines["saved_to_reloaded"] >= 0.9999
    assert loaded.max_seq_length == 24
    assert (Path("out/model/model.safetensors").exists(), Path("out/model/adapter_model.safetensors").exists()) == (
        form != "beside",
        form == "beside",
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["mistral", "cls", "projected"])
def test_every_kind_of_model_passes_the_gate(kind: str, form: str, tmp_path: Path) -> None:
    """A last-token model in bfloat16, a BERT with a pooler and one with Dense modules are saved in the dtype they had."""
    entries: dict[str, Callable[[], dict[str, Any]]] = {
        "mistral": lambda: mistral(tmp_path),
        "cls": lambda: models.options(models.make_bert(tmp_path / "bert"), passage_prompt="passage: ").model_dump(),
        "projected": lambda: models.options(models.make_projected(tmp_path), pooling="mean").model_dump(),
    }
    asked = asked_of(tmp_path / "data", form, entries[kind]())
    _, cosines = exported(asked, tmp_path / "out")
    loaded = saving.load_tuned(tmp_path / "out" / "model", asked.student.model, asked.base, "cpu")
    assert cosines["saved_to_reloaded"] >= 0.9999
    sixteen = kind == "mistral" and form != "full"
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16 if sixteen else torch.float32}
    assert cosines["tuned_to_saved"] >= (0.99 if sixteen else 0.9999)


def measured(asked: Asked, texts: Sequence[str], monkeypatch: pytest.MonkeyPatch, out: Path) -> list[Any]:
    """Encode texts as evaluation does, by base and by tuned."""
    monkeypatch.setattr(layout, "BASE", asked.base)
    monkeypatch.setattr(layout, "MODEL", out / "model")
    params: Any = SimpleNamespace(runtime=Runtime(device="cpu"), student="tiny", students={"tiny": asked.student})
    terms: Any = SimpleNamespace(instruction="Find it", instruct_passages=False)
    return [load()(terms)(texts, "query") for load in loaders(params).values()]


@pytest.mark.parametrize("form", FORMS)
def test_a_student_in_16_bits_that_learnt_nothing_is_measured_as_its_base(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where training changes no weight, evaluation's base and tuned give the same vectors, bit for bit."""
    for name in ("check_changed", "check_kept", "check_reload"):
        monkeypatch.setattr(saving, name, lambda *_: 1.0)
    asked = asked_of(tmp_path / "data", form, mistral(tmp_path))
    exported(asked, tmp_path / "out", by=0.0)
    base, tuned = measured(asked, ["where is it", *TEXTS], monkeypatch, tmp_path / "out")
    np.testing.assert_array_equal(base, tuned)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_measured_is_what_was_scored(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation's vectors of a student in 16 bits lie at those of the model in training, far from the base's."""
    asked = asked_of(tmp_path / "data", form, mistral(tmp_path))
    model = train(asked, by=0.1)[0].model
    scored = encoding.encode(model, TEXTS, "Instruct: Find it\nQuery: ", asked.student.recipe.query_length)
    exported(asked, tmp_path / "out", by=0.1)
    base, tuned = measured(asked, TEXTS, monkeypatch, tmp_path / "out")
    assert saving.lowest_cosine(scored, tuned) > 0.99 > saving.lowest_cosine(base, tuned)


@pytest.mark.parametrize("form", ["merged", "full"])
def test_modules_in_16_bits_are_saved_as_tuned(form: str, tmp_path: Path) -> None:
    """Dense modules follow the transformer's dtype when they are loaded."""
    entry = models.options(models.make_projected(tmp_path), pooling="mean", dtype="bfloat16").model_dump()
    asked = asked_of(tmp_path / "data", form, entry)
    _, cosines = exported(asked, tmp_path / "out")
    assert cosines["saved_to_reloaded"] >= 0.9999


def test_a_training_that_rounding_loses_is_refused(tmp_path: Path) -> None:
    """Adapters less than the last bit of the weights they are merged into are lost, and are not beside the base."""
    asked, beside = (asked_of(tmp_path / form, form, mistral(tmp_path / form)) for form in ("merged", "beside"))
    with pytest.raises(
        StudentError, match=r"merged into weights in bfloat16 .* finetune\.merged: false, for which nothing"
    ):
        exported(asked, tmp_path / "out", by=LOST)
    _, cosines = exported(beside, tmp_path / "other", by=LOST)
    assert cosines["base_to_tuned"] < 1


def test_in_float32_merging_changes_nothing() -> None:
    """Merged weights in float32 must be the trained ones to 0.9999; in 16 bits nearer to them than to the base."""
    base, trained, saved = (np.array([[1.0, one]], dtype=np.float32) for one in (0.0, 0.5, 0.4))
    assert saving.check_kept(base, trained, saved, "bfloat16") < 0.9999
    with pytest.raises(StudentError, match="merged into weights in float32"):
        saving.check_kept(base, trained, saved, "float32")
    with pytest.raises(StudentError, match="merged into weights in bfloat16"):
        saving.check_kept(base, trained, saved - 0.3, "bfloat16")


@pytest.mark.parametrize("form", FORMS)
def test_a_saved_model_reads_texts_as_it_was_trained_to(form: str, tmp_path: Path) -> None:
    """Its tokenizer puts EOS last and cuts at the recipe's length, and each dataset's prompt stands under its name."""
    tuned, _ = exported(asked := asked_of(tmp_path / "data", form, mistral(tmp_path)), tmp_path / "out")
    loaded = saving.load_tuned(tmp_path / "out" / "model", asked.student.model, asked.base, "cpu")
    assert loaded.prompts["rooms"] == "Instruct: Find it\nQuery: "
    assert loaded.prompts["walls"] == "Instruct: Group it\nQuery: "
    assert (loaded.prompts["document"], loaded.prompts["query"]) == ("", "")
    found = loaded.encode(TEXTS, prompt_name="walls", normalize_embeddings=True)
    wanted = tuned.model.encode(TEXTS, prompt="Instruct: Group it\nQuery: ", normalize_embeddings=True)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert {(one[0], one[-1], len(one)) for one in encoding.tokenize(loaded, ["long " * 99], "x")} == {(1, 2, 24)}


@pytest.mark.parametrize(
    ("filled", "named"),
    [
        ({"a": Prompts("", ""), "b": Prompts("", "")}, {"query": "", "document": "", "a": "", "b": ""}),
        (
            {"a": Prompts("q: ", "p: "), "b": Prompts("q: ", "q: ")},
            {"query": "q: ", "document": "p: ", "a": "q: ", "b": "q: "},
        ),
        ({"a": Prompts("A: ", ""), "b": Prompts("B: ", "B: ")}, {"document": "", "a": "A: ", "b": "B: "}),
        ({"a": Prompts("q: ", "q: ")}, {"query": "q: ", "document": "q: ", "a": "q: "}),
        ({"document": Prompts("D: ", "p: ")}, {"query": "D: ", "document": "D: "}),
    ],
)
def test_prompts_have_names(filled: dict[str, Prompts], named: dict[str, str]) -> None:
    """Every dataset's name is its queries' prompt; `query` and `document` are what all datasets share."""
    assert prompts_by_name(filled) == named


@pytest.mark.parametrize("form", FORMS)
def test_two_exports_write_equal_bytes(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights are the same bytes in every file, wherever it is; no file names a folder of this machine."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        exported(asked_of(Path("data"), form), Path("out"))
    one, two = (file_hashes(tmp_path / name / "out") for name in ("one", "two"))
    assert one == two
    for name in ("model/README.md", "adapter/README.md"):
        paths = [tmp_path / which / "out" / name for which in ("one", "two")]
        assert paths[0].exists() == paths[1].exists() == (name.startswith("model") or form == "full")
        assert not paths[0].exists() or paths[0].read_bytes() == paths[1].read_bytes()
    written = [path for path in (tmp_path / "one" / "out").rglob("*") if path.suffix in (".json", ".md", ".csv")]
    assert not any(str(tmp_path) in path.read_text() for path in written)


def test_the_adapter_on_the_base_is_the_model(tmp_path: Path) -> None:
    """PeftModel puts the saved adapter on a fresh base, and the vectors are the merged model's."""
    from peft import PeftModel

    tuned, _ = exported(asked := asked_of(tmp_path / "data", "merged"), tmp_path / "out")
    model = load_base(asked.student, asked.base, "cpu")
    transformer: Any = model[0]
    with pytest.warns(FutureWarning):
        adapted = PeftModel.from_pretrained(transformer.model, str(tmp_path / "out" / "adapter"))
    transformer.model = adapted.merge_and_unload()
    np.testing.assert_allclose(encoding.encode(model, TEXTS), encoding.encode(tuned.model, TEXTS), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_training_that_changes_nothing_is_refused(form: str, tmp_path: Path) -> None:
    """A model whose trained weights are what they were ends in one line."""
    asked = asked_of(tmp_path / "data", form)
    with pytest.raises(StudentError, match=r"the tuned student equals its base: .*; raise learning_rate or steps"):
        exported(asked, tmp_path / "out", by=0.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("by", [0.5, 0.0], ids=["another", "the-base"])
def test_a_swapped_weight_file_is_refused(
    form: str, by: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate fails where the saved weights are those of another training, or of none."""
    asked = asked_of(tmp_path / "data", form)
    (tmp_path / "other").mkdir()
    other, _ = train(asked, by)
    file = "adapter_model.safetensors" if form == "beside" else "model.safetensors"
    if form == "beside":
        other.adapted.save_pretrained(str(tmp_path / "other"), save_embedding_layers=False)
    else:
        if form == "merged":
            other.model[0].model = other.adapted.merge_and_unload()
        other.model.save(str(tmp_path / "other"), create_model_card=False)
    original = saving.save

    def swapped(model: SentenceTransformer, path: Path) -> None:
        original(model, path)
        shutil.copy(tmp_path / "other" / file, path / file)

    monkeypatch.setattr(saving, "save", swapped)
    with pytest.raises(StudentError, match=r"data/finetune/model: the saved model is not the tuned one: .* cosine"):
        exported(asked, tmp_path / "out", by=1.0)


@pytest.mark.parametrize("form", FORMS)
def test_a_base_saved_after_a_weak_training_is_refused(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that moves vectors by less than the gate's cosine still must be in the files."""
    asked = asked_of(tmp_path / "data", form)
    by = 1e-3 if form == "full" else 0.03
    _, cosines = exported(asked, tmp_path / "out", by=by)
    assert 0.9999 < cosines["base_to_tuned"] < 1
    monkeypatch.setattr(saving, "load_tuned", lambda *_: _plain(asked))
    with pytest.raises(StudentError, match="nearer to the base than to the tuned one"):
        exported(asked, tmp_path / "again", by=by)


def _plain(asked: Asked) -> SentenceTransformer:
    """Load the base with the prompts of a tuned model."""
    model = load_base(asked.student, asked.base, "cpu")
    model.prompts |= {"rooms": "", "walls": ""}
    return model


def test_weights_that_are_missing_are_one_line(tmp_path: Path) -> None:
    """A tuned model with a damaged or an incomplete file ends in one line, adapters too."""
    for form, file in (("merged", "model.safetensors"), ("beside", "adapter_model.safetensors")):
        asked = asked_of(tmp_path / form / "data", form)
        exported(asked, tmp_path / form / "out")
        model = tmp_path / form / "out" / "model"
        (model / file).write_bytes((model / file).read_bytes()[:-50])
        with pytest.raises(ModelError, match="the tuned student: cannot be loaded"):
            saving.load_tuned(model, asked.student.model, asked.base, "cpu")


def test_an_adapter_that_lacks_a_layer_is_one_line(tmp_path: Path) -> None:
    """Transformers would make up the weights of an adapter that its file lacks."""
    from safetensors.torch import load_file, save_file

    asked = asked_of(tmp_path / "data", "beside")
    exported(asked, tmp_path / "out")
    path = tmp_path / "out" / "model" / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: weights[name] for name in sorted(weights)[:-1]}, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"the tuned student: .* lacks 1 of its weights"):
        saving.load_tuned(path.parent, asked.student.model, asked.base, "cpu")


def test_an_adapter_beside_its_base_copies_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder holds the adapter, and names its base as the entry does, a local one by its folder in the project."""
    monkeypatch.chdir(tmp_path)
    asked = asked_of(Path("data"), "beside")
    exported(asked, Path("out"))
    config = json.loads(Path("out/model/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "data/base/model"
    assert Path("out/adapter/adapter_config.json").read_bytes() == Path("out/model/adapter_config.json").read_bytes()
    weights = [path.name for path in Path("out/model").glob("*.safetensors")]
    assert weights == ["adapter_model.safetensors"]
    assert not Path("out/model/config.json").exists()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Asked, list[tuple[str, str]]]:
    """A student whose base is a Hub id at a commit, a Hub that gives its files, and what it was asked for."""
    import huggingface_hub

    entry = mistral(tmp_path) | {"name": "organisation/mistral", "revision": "a" * 40}
    asked_for: list[tuple[str, str]] = []

    def snapshot_download(name: str, revision: str, **_: object) -> str:
        asked_for.append((name, revision))
        return str(tmp_path / "mistral")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    return asked_of(Path("data"), "beside", entry), asked_for


def test_the_pinned_commit_of_the_base_is_loaded(hub: tuple[Asked, list[tuple[str, str]]]) -> None:
    """An adapter beside a Hub base is put on the commit of the entry, in the gate and in evaluation."""
    asked, asked_for = hub
    tuned, cosines = exported(asked, Path("out"))
    assert cosines["saved_to_reloaded"] >= 0.9999
    asked_for.clear()
    loaded = saving.load_tuned(Path("out/model"), asked.student.model, asked.base, "cpu")
    assert asked_for == [("organisation/mistral", "a" * 40)]
    np.testing.assert_allclose(encoding.encode(loaded, TEXTS), encoding.encode(tuned.model, TEXTS), atol=1e-5)
    config = json.loads(Path("out/model/adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("organisation/mistral", "a" * 40)


def test_the_library_alone_takes_the_newest_commit(
    hub: tuple[Asked, list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SentenceTransformer(path) asks for the base by name without the revision; the card says so, and its way helps."""
    import transformers.utils.hub

    asked, _ = hub
    tuned, _ = exported(asked, Path("out"))
    asked_for: list[tuple[object, object]] = []

    def download(name: str, *_: object, revision: str | None = None, **__: object) -> str:
        asked_for.append((name, revision))
        raise RuntimeError("no network")

    monkeypatch.setattr(transformers.utils.hub, "resolve_revision", lambda _, revision=None, **__: revision)
    monkeypatch.setattr(transformers.utils.hub, "hf_hub_download", download)
    with pytest.raises(OSError, match="organisation/mistral"):
        SentenceTransformer("out/model", device="cpu")
    assert asked_for == [("organisation/mistral", None)]
    card = Path("out/model/README.md").read_text()
    assert "takes the newest commit" in card
    assert f'snapshot_download(name, revision="{"a" * 40}", local_dir=name)' in card
    shutil.copytree("mistral", "organisation/mistral")
    found = SentenceTransformer("out/model", device="cpu").encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(found, tuned.model.encode(TEXTS, normalize_embeddings=True), atol=1e-5)


def test_an_adapter_on_an_adapter_must_be_merged(tmp_path: Path) -> None:
    """Where the entry has an adapter of its own, a second one cannot be saved beside the base: known before training."""
    base = models.make_bert(tmp_path / "bert")
    entry = models.options(base, adapter=models.adapter(models.make_adapter(base, tmp_path / "own"))).model_dump()
    check(asked_of(tmp_path / "one", "merged", entry))
    check(asked_of(tmp_path / "two", "full", entry))
    with pytest.raises(StudentError, match=r"finetune\.merged: true"):
        check(asked_of(tmp_path / "three", "beside", entry))
    _, cosines = exported(asked_of(tmp_path / "four", "merged", entry), tmp_path / "out")
    assert cosines["saved_to_reloaded"] >= 0.9999


def test_a_dataset_without_rows_is_no_sample(tmp_path: Path) -> None:
    """A dataset that lost all its rows stands in no gate."""
    asked = asked_of(tmp_path / "data", "merged")
    tuned, sets = train(asked)
    (tmp_path / "out").mkdir()
    cosines = export(tuned, [*sets, training_set([], "empty")], tmp_path / "out", asked)
    assert cosines["saved_to_reloaded"] >= 0.9999
