"""The card of a tuned model."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from embedder import model_card
from embedder.evaluation.results import Row
from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.prompts import Prompts
from embedder.revisions import content_hash, file_hashes
from embedder.shards import describe
from embedder.students import model as students_model
from embedder.training.asked import Asked
from embedder.training.cards import Data, Made, Steps, card, data_of
from embedder.training.history import Step
from tests import project
from tests.training_sets import student, write_shards

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = [
    "|",
    "`",
    "---",
    "</table>",
    "\n## Results\n",
    "\n---\n",
    "```",
    "no",
    "é",
    "\x00",
    "\u2028",
    '"',
    "\\",
    "${x}",
    "\U0001f642",
]
WORDS = st.lists(st.sampled_from([*HOSTILE, "a", " "]), min_size=1, max_size=6).map("".join)
SAID = {
    "task": "retrieval",
    "weight": "2.0",
    "language": "en",
    "licence": "CC BY 4.0",
    "teacher": "bm25",
    "revision": "abc",
    "window": "30-100 without_positives",
    "rules": json.dumps(
        {"min_rank": 30, "max_rank": 100, "near_copy_jaccard": 0.8, "max_score": None, "counted": "raw"}
    ),
}
ROW = Row("docs", "retrieval", "nDCG@10", 1234, 0.5, 0.625, 0.25, 0.125, 0.1, 0.15, "better", None, "a | note")


def step(number: int, loss: float) -> Step:
    """Return a step with a loss."""
    return Step(number, "docs", 0, 8, 8, 8, 80, 0.1, loss, 0.1, 1.0, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0, 0, 0, 0)


def e5(**changes: object) -> Student:
    """Return a student of a Hub model at a commit."""
    written = {
        "kind": "model",
        "name": "intfloat/e5-mistral-7b-instruct",
        "revision": COMMIT,
        "adapter": None,
        "licence": "MIT",
        "pooling": "last_token",
        "query_prompt": "Instruct: {instruction}\nQuery: ",
        "passage_prompt": "",
        "dtype": "bfloat16",
        "normalise": True,
        "add_eos": True,
        "max_length": 512,
    }
    return student(written | changes)


LOSSES = [step(number, 2.0 - number / 10) for number in range(16)]


def asked(student: Student | None = None, *, merged: bool = True) -> Asked:
    """Return what a training of a student was asked for."""
    settings = project.tiny_params()["finetune"] | {"merged": merged}
    return Asked("e5-mistral", student or e5(), Finetune.model_validate(settings))


def made(**changes: Any) -> Made:  # noqa: ANN401 - whatever the field is
    """Return what a card says, with other values of some fields."""
    common = Made(
        asked=asked(),
        data=Data("f" * 64, {"docs": SAID}),
        used={"docs": 5141},
        filled={"docs": Prompts("Instruct: Find it\nQuery: ", "")},
        prompts={"document": "", "docs": "Instruct: Find it\nQuery: "},
        runs=[Steps(1, 20, 12, LOSSES)],
        chosen="",
        figures={"parameters, trained": "20,971,520"},
    )
    return replace(common, **changes)


def head_of(text: str) -> dict[str, Any]:
    """Read a card's head as the Hub's own library does."""
    return dict(ModelCard(text).data.to_dict())  # type: ignore[no-untyped-call]  # the library's


def test_the_head_is_what_the_hub_reads() -> None:
    """Library, task, base, licences of base and data, language and tags stand in a head that the Hub's library reads."""
    assert head_of(card(made())) == {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "language": ["en"],
        "license": "other",
        "license_name": "cc-by-4.0-and-mit",
        "base_model": "intfloat/e5-mistral-7b-instruct",
        "base_model_relation": "finetune",
        "tags": ["sentence-transformers", "feature-extraction", "sentence-similarity", "hard-negatives", "lora"],
    }


def test_one_licence_is_the_cards() -> None:
    """Where base and data have one licence the Hub's name of it stands alone; an adapter is one."""
    one = made(data=Data("f" * 64, {"docs": SAID | {"licence": "MIT"}}), asked=asked(merged=False))
    head = head_of(card(one))
    assert (head["license"], head["base_model_relation"]) == ("mit", "adapter")
    assert "license_name" not in head


def test_only_a_repository_is_a_base_of_the_hub() -> None:
    """A student that was built here, or lies in a folder, names no repository."""
    local = e5(name="models/mine-0123", revision="a" * 64)
    for one in (student(), local):
        assert "base_model" not in head_of(card(made(asked=asked(one))))


def test_the_card_says_what_the_model_is_made_of() -> None:
    """Base with commit and licence, each dataset with teacher, window, rules and licence, the data's hash, prompts, recipe."""
    text = card(made())
    for said in (
        "# e5-mistral, tuned",
        "| model | intfloat/e5-mistral-7b-instruct |",
        f"| revision | {COMMIT} |",
        "| licence | MIT |",
        "| docs | retrieval | 2.0 | 5,141 | en | CC BY 4.0 | bm25 at abc | 30-100 without\\_positives | near\\_copy\\_jaccard 0.8 |",
        f"SHA-256 of the shards: `{'f' * 64}`",
        '| docs | "Instruct: Find it\\\\nQuery: " | "" |',
        "| steps planned | 20 |",
        "| steps carried out | 16 |",
        "| steps kept | 12 |",
        "| mean loss of the first 10 steps | 1.5500 |",
        "| mean loss of the last 10 steps | 1.3500 |",
        "| parameters, trained | 20,971,520 |",
    ):
        assert said in text
    found = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert found
    recipe = json.loads(found[1])
    assert recipe["recipe"] == e5().recipe.model_dump(mode="json")
    assert recipe["finetune"]["backend"] == "own"
    assert recipe["model"]["dtype"] == "bfloat16"


def test_a_restricting_licence_is_said() -> None:
    """A licence of the data that forbids something is named with its dataset."""
    text = card(made(data=Data("f" * 64, {"docs": SAID | {"licence": "CC BY-NC 4.0"}, "more": SAID})))
    assert "**Restricted by the licences of its base and data** (no commercial use: docs)." in text
    assert "Restricted" not in card(made())


@pytest.mark.parametrize(
    ("licence", "said"),
    [("CC-BY-NC-4.0", "no commercial use"), ("Gemma", "terms of its own"), ("not specified", "licence not stated")],
)
def test_a_restricted_base_is_said(licence: str, said: str) -> None:
    """A base, and with it an adapter that was merged into it, restricts what is tuned from it on free data."""
    plain = card(made(asked=asked(e5(licence=licence))))
    assert f"base and data** ({said}: base intfloat/e5-mistral-7b-instruct)." in plain
    adapter = {"name": "someone/adapter", "revision": COMMIT}
    both = card(made(asked=asked(e5(licence=licence, adapter=adapter))))
    assert f"({said}: base intfloat/e5-mistral-7b-instruct with adapter someone/adapter)." in both


def test_shards_that_say_no_licence_warn() -> None:
    """Nobody may take data of an unknown licence for free."""
    old = {key: value for key, value in SAID.items() if key != "licence"}
    assert "(licence not stated: docs)" in card(made(data=Data("f" * 64, {"docs": old})))


def test_an_average_shows_the_steps_of_each_run() -> None:
    """Where several runs are averaged, the steps and losses of each stand under its seed, as far as they were kept."""
    text = card(made(runs=[Steps(1, 20, 12, LOSSES), Steps(2, 20, 16, LOSSES)]))
    for said in (
        "| steps kept, seed 1 | 12 |",
        "| steps kept, seed 2 | 16 |",
        "| mean loss of the last 10 steps, seed 1 | 1.3500 |",
        "| mean loss of the last 10 steps, seed 2 | 0.9500 |",
    ):
        assert said in text


def test_shards_without_a_licence_are_not_made_free() -> None:
    """Shards of an older version, which say no licence, leave the model without a name of the Hub's for it."""
    old = {key: value for key, value in SAID.items() if key not in ("licence", "language")}
    head = head_of(card(made(data=Data("f" * 64, {"docs": old}))))
    assert (head["license"], head["license_name"]) == ("other", "mit-and-not-said")


def test_how_to_use_it_is_code(tmp_path: Path) -> None:
    """The three lines name the folder and a dataset's prompt, and are Python."""
    found = re.search(r"```python\n(.*?)\n```", card(made()), re.DOTALL)
    assert found
    compile(found[1], "card", "exec")
    assert 'SentenceTransformer("data/finetune/model")' in found[1]
    assert 'prompt_name="docs"' in found[1]
    assert str(tmp_path) not in found[1]


def test_a_folder_elsewhere_is_named_without_its_path() -> None:
    """A base or an adapter that lies outside the project shows its folder's name alone."""
    adapter = {"name": "/home/somebody/own", "revision": "b" * 64}
    text = card(made(asked=asked(e5(name="/home/somebody/bert", revision="a" * 64, adapter=adapter))))
    assert "somebody" not in text
    assert "| model | bert |" in text
    assert "| adapter merged before | own |" in text


@settings(max_examples=60, deadline=None)
@given(WORDS, WORDS, WORDS)
def test_text_of_others_breaks_nothing(name: str, licence: str, prompt: str) -> None:
    """Whatever names, licences, rules and prompts say, the head is YAML, tables keep their cells, sections their number."""
    said = dict.fromkeys(SAID, licence) | {"language": "en"}
    hostile = made(
        data=Data("f" * 64, {name: said}),
        used={name: 3},
        filled={name: Prompts(prompt, prompt)},
        prompts={name: prompt},
        chosen=prompt,
        asked=replace(
            asked(
                e5(name=licence if licence.strip() else "x", query_prompt="q", passage_prompt=prompt, licence=licence)
            ),
            name=name,
        ),
    )
    text = model_card.with_results(card(hostile), [replace(ROW, dataset=name, note=prompt)], prompt)
    _, head, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    YAML(typ="safe").load(head)
    assert set(head_of(text)) <= set(head_of(card(made()))) | {"license_name"}
    sections = re.findall(r"^## (\w+)$", body, re.MULTILINE)
    assert sections == ["Use", "Base", "Data", "Prompts", "Recipe", "Training", "Results"]
    assert len(re.findall(r"^```", body, re.MULTILINE)) == 4
    for section in re.split(r"^## ", body, flags=re.MULTILINE):
        rows = [line for line in section.splitlines() if line.startswith("|")]
        counts = {len(re.split(r"(?<!\\)(?:\\\\)*\|", line)) for line in rows}
        assert len(counts) <= 1


def test_results_take_the_place_of_the_words_on_them() -> None:
    """Training says where the results will stand; evaluation puts the table there, once or again, and changes nothing else."""
    before = card(made())
    assert "data/evaluate/model_card.md" in before
    after = model_card.with_results(before, [ROW, replace(ROW, dataset="", bm25=None)], "better")
    assert after.partition(model_card.RESULTS)[0].rstrip() == before.partition(model_card.RESULTS)[0].rstrip()
    assert "Not measured yet" not in after
    line = "| docs | nDCG@10 | 1,234 | 0.5000 | 0.6250 | 0.2500 | +0.1250 | +0.1000 to +0.1500 | better | a \\| note |"
    assert line in after
    assert "| all retrieval | nDCG@10 | 1,234 | 0.5000 | 0.6250 |  |" in after
    assert model_card.with_results(after, [ROW], "x") == model_card.with_results(before, [ROW], "x")


def test_the_datas_hash_is_that_of_the_manifest(tmp_path: Path) -> None:
    """The hash of the shards' folder is that of the names and hashes in manifest.json, and changes with a byte."""
    folder = tmp_path / "materialize" / "train"
    folder.mkdir(parents=True)
    write_shards(folder, "rooms", licence="MIT")
    write_shards(folder, "walls", "clustering")
    paths = sorted(folder.glob("*.parquet"))
    manifest = {"files": list(describe(paths, folder.parent))}
    listed = {Path(str(one["path"])).name: str(one["sha256"]) for one in manifest["files"]}
    found = data_of(folder)
    assert found.sha256 == content_hash(listed) == content_hash(file_hashes(folder))
    assert found.datasets["rooms"]["licence"] == "MIT"
    assert list(found.datasets) == ["rooms", "walls"]
    paths[0].write_bytes(paths[1].read_bytes())
    assert data_of(folder).sha256 != found.sha256


def test_equal_trainings_have_equal_cards() -> None:
    """A card holds no clock and no order of sets."""
    assert card(made()) == card(made())
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", card(made()))


@pytest.mark.parametrize("beside", [True, False])
def test_only_an_adapter_asks_for_its_base(beside: bool) -> None:  # noqa: FBT001 - a case
    """Where the weights are an adapter the card says what must be at hand, else nothing."""
    hub, local = (card(made(asked=asked(one, merged=not beside))) for one in (e5(), student()))
    assert (f'snapshot_download(name, revision="{COMMIT}", local_dir=name)' in hub) is beside
    assert ("from the project's root" in local) is beside
    assert isinstance(made().asked.student.model, students_model.Options)
