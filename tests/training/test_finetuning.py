"""From a base to a saved model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from embedder import encoding, finetuning, saving
from embedder.batches import TrainingSet, read_shards
from embedder.errors import StudentError
from embedder.params.models import Student
from embedder.revisions import file_hashes
from embedder.students import build_base, load_student
from tests import models
from tests.training_sets import rows, student, training_set, write_shards

TEXTS = ["where is the red apple", "The boat painted blue stands in room 9.", ""]


def finetune(model: SentenceTransformer, entry: Student, folder: Path) -> tuple[finetuning.Tuned, dict[str, float]]:
    """Tune on made-up shards and export into `folder`."""
    write_shards(folder / "shards", "rooms")
    write_shards(folder / "shards", "walls", "classification")
    sets = read_shards(folder / "shards")
    tuned = finetuning.tune(model, entry, sets, 10.0)
    return tuned, finetuning.export(tuned, sets, folder)


def test_the_saved_model_is_the_tuned_one(fresh: Callable[[], SentenceTransformer], tmp_path: Path) -> None:
    """The folder loads with SentenceTransformer(path), encodes like the model in memory, and unlike the base."""
    tuned, cosines = finetune(fresh(), student(), tmp_path)
    loaded = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    found = loaded.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(found, encoding.encode(tuned.model, TEXTS), atol=1e-5)
    assert not np.allclose(found, encoding.encode(fresh(), TEXTS), atol=1e-3)
    assert cosines["base_to_tuned"] < 0.999 < cosines["tuned_to_reloaded"]
    assert loaded.max_seq_length == 16


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_the_adapter_on_the_base_is_the_model(fresh: Callable[[], SentenceTransformer], tmp_path: Path) -> None:
    """PeftModel puts the saved adapter on a fresh base, and the vectors are the merged model's."""
    from peft import PeftModel

    tuned, _ = finetune(fresh(), student(), tmp_path)
    model = fresh()
    transformer: Any = model[0]
    transformer.model = PeftModel.from_pretrained(transformer.model, str(tmp_path / "adapter")).merge_and_unload()
    model.max_seq_length = 16
    np.testing.assert_allclose(encoding.encode(model, TEXTS), encoding.encode(tuned.model, TEXTS), atol=1e-5)


def test_two_trainings_write_equal_bytes(fresh: Callable[[], SentenceTransformer], tmp_path: Path) -> None:
    """Two trainings on one machine into two folders give the same bytes in every file, and name no folder of it."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        finetune(fresh(), student(), tmp_path / name)
    one, two = file_hashes(tmp_path / "one"), file_hashes(tmp_path / "two")
    assert one == two
    assert {"adapter/adapter_model.safetensors", "history.csv", "model/model.safetensors"} <= one.keys()
    assert (tmp_path / "one/model/README.md").read_bytes() == (tmp_path / "two/model/README.md").read_bytes()
    written = [path for path in (tmp_path / "one").rglob("*") if path.suffix in (".json", ".md", ".csv")]
    assert not any(str(tmp_path.parent) in path.read_text() for path in written)


def test_the_report_counts_rows_by_dataset(fresh: Callable[[], SentenceTransformer], tmp_path: Path) -> None:
    """The report says for each dataset how many steps it had and how many of its rows were used."""
    tuned, _ = finetune(fresh(), student(steps=8), tmp_path)
    assert tuned.report["steps"] == 8
    assert json.loads(json.dumps(tuned.report["datasets"]))["rooms"] == {
        "task": "retrieval",
        "weight": 1.0,
        "rows": 24,
        "rows_used": 24,
        "rows_seen": 32,
        "steps": 4,
        "epochs_begun": 2,
    }


def test_a_last_token_model_keeps_its_end_token(tmp_path: Path) -> None:
    """A tuned Mistral in bfloat16 is saved in float32 with its prompts, and reloaded it still puts EOS last."""
    entry = models.options(
        models.make_mistral(tmp_path / "mistral"),
        pooling="last_token",
        add_eos=True,
        dtype="bfloat16",
        query_prompt="Instruct: {instruction}\nQuery: ",
    )
    whole = student(entry.model_dump(), query_length=32, passage_length=24)
    (tmp_path / "base").mkdir()
    build_base(whole.model, [], tmp_path / "base")
    _, cosines = finetune(load_student(whole.model, tmp_path / "base", "cpu"), whole, tmp_path)
    loaded = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert cosines["tuned_to_reloaded"] >= 0.9999
    assert loaded.prompts["rooms"] == "Instruct: Find it\nQuery: "
    assert str(loaded.dtype) == "torch.float32"
    assert {(one[0], one[-1]) for one in encoding.tokenize(loaded, TEXTS, max_length=5)} == {(1, 2)}


def test_a_cls_model_is_tuned_and_reloaded(tmp_path: Path) -> None:
    """A tuned BERT with a pooler and CLS pooling passes the gate."""
    entry = models.options(models.make_bert(tmp_path / "bert"), passage_prompt="passage: ")
    whole = student(entry.model_dump())
    (tmp_path / "base").mkdir()
    build_base(whole.model, [], tmp_path / "base")
    _, cosines = finetune(load_student(whole.model, tmp_path / "base", "cpu"), whole, tmp_path)
    assert cosines["tuned_to_reloaded"] >= 0.9999


def test_a_training_that_changes_nothing_is_refused(fresh: Callable[[], SentenceTransformer], tmp_path: Path) -> None:
    """A learning rate too small to move a vector ends in one line."""
    with pytest.raises(StudentError, match=r"the tuned student equals its base: .*; raise learning_rate or steps"):
        finetune(fresh(), student(learning_rate=1e-30), tmp_path)


def test_a_damaged_folder_is_refused(fresh: Callable[[], SentenceTransformer], tmp_path: Path) -> None:
    """A saved model whose weights are another model's does not pass the gate."""
    finetune(fresh(), student(), tmp_path)
    other = encoding.encode(fresh(), TEXTS)
    with pytest.raises(StudentError, match="the saved model is not the tuned one"):
        saving.check_reload(tmp_path / "model", "cpu", {"": TEXTS}, other)


@pytest.mark.parametrize("empty", [training_set([]), training_set(rows()[:0])])
def test_no_rows_are_one_line(fresh: Callable[[], SentenceTransformer], empty: TrainingSet) -> None:
    """Shards without rows end in one line."""
    with pytest.raises(StudentError, match="no dataset of the shards has a row"):
        finetuning.tune(fresh(), student(), [empty], 10.0)
