"""The card of a tuned model: what it was made of, how, and how to use it; for a person and for the Hub."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from embedder import layout, schemas
from embedder.licences import licence_lines, restricted
from embedder.markdown import inline
from embedder.model_card import table, without_results
from embedder.pretrained import Pretrained, is_local
from embedder.prompts import Prompts
from embedder.revisions import content_hash, file_hashes
from embedder.training.asked import Asked
from embedder.training.history import Step

# https://huggingface.co/docs/hub/model-cards: `base_model` is a repository of the Hub.
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")
_NOT_SAID = "not said"
_RECENT = 10


@dataclass(frozen=True)
class Made:
    """What a card says of a training.

    Attributes:
        asked: what the training was asked for.
        data: what the shards say, see `data_of`.
        used: the rows of each dataset that training saw.
        filled: the prompts of each dataset.
        prompts: the prompts of the saved model, by name.
        runs: those that the weights are of: one, or several that were averaged.
        chosen: what was chosen after it, in words; empty where nothing was.
        figures: other figures, in words: parameters, cosines.
    """

    asked: Asked
    data: "Data"
    used: Mapping[str, int]
    filled: Mapping[str, Prompts]
    prompts: Mapping[str, str]
    runs: Sequence["Steps"]
    chosen: str
    figures: Mapping[str, str]


@dataclass(frozen=True)
class Steps:
    """The steps of a run.

    Attributes:
        seed: of the run.
        planned: how many there would be.
        kept: how many made the weights: more may have been carried out.
        history: of those carried out.
    """

    seed: int
    planned: int
    kept: int
    history: Sequence[Step]


@dataclass(frozen=True)
class Data:
    """What shards say of themselves.

    Attributes:
        sha256: of their names and contents, the same as the manifest's.
        datasets: the metadata of each dataset's shards, and its rows.
    """

    sha256: str
    datasets: dict[str, dict[str, str]]


def data_of(folder: Path) -> Data:
    """Read what the shards in a folder say of themselves, and hash them.

    The hash is `content_hash` of file names and SHA-256 sums: manifest.json holds the same, and
    `python -m embedder.revisions FOLDER` prints it.

    Raises:
        TableError: a file is no shard.
    """
    datasets: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.parquet")):
        said = schemas.metadata(schemas.peek(path, schemas.SHARD))
        datasets.setdefault(said.get("dataset", path.stem), said)
    return Data(content_hash(file_hashes(folder)), dict(sorted(datasets.items())))


def card(made: Made) -> str:
    """Write the card of a tuned model; `model_card.with_results` adds what it is worth."""
    head = "\n".join(_head(made))
    parts = [
        f"---\n{head}\n---\n# {inline(made.asked.name)}, tuned\n",
        "A model that turns texts into vectors: a base, tuned on queries, their positives and hard negatives.\n",
        _use(made),
        _base(made),
        _data(made),
        _prompts(made),
        f"## Recipe\n\n```json\n{_recipe(made)}\n```\n",
        f"## Training\n\n{table(('what', 'figure'), _figures(made))}",
    ]
    return without_results("\n".join(parts))


def _head(made: Made) -> Iterator[str]:
    """The card's head, as https://huggingface.co/docs/hub/model-cards lists its keys; JSON's strings are YAML's."""
    yield "library_name: sentence-transformers\npipeline_tag: sentence-similarity"
    languages = sorted({one["language"] for one in made.data.datasets.values() if one.get("language")})
    if languages:
        yield "\n".join(["language:", *(f"- {json.dumps(language)}" for language in languages)])
    yield from licence_lines(set(_licences(made).values()))
    options = made.asked.student.model
    if isinstance(options, Pretrained) and not is_local(options) and _REPOSITORY.fullmatch(options.name):
        yield f"base_model: {json.dumps(options.name)}\nbase_model_relation: {'adapter' if made.asked.beside else 'finetune'}"
    yield "tags:\n- sentence-transformers\n- feature-extraction\n- sentence-similarity\n- hard-negatives"
    if made.asked.student.recipe.lora:
        yield "- lora"


def _licences(made: Made) -> dict[str, str]:
    """Of the base and of the data, by name: what is made of them is bound by all."""
    options = made.asked.student.model
    found = {name: said.get("licence", _NOT_SAID) for name, said in made.data.datasets.items()}
    if not isinstance(options, Pretrained):
        return found
    adapter = f" with adapter {_shown(options.adapter.name)}" if options.adapter else ""
    return {f"base {_shown(options.name)}{adapter}": options.licence} | found


def _use(made: Made) -> str:
    named = [name for name in made.filled if name in made.prompts]
    by_name = f", prompt_name={json.dumps(named[0])}" if named else ""
    code = f"""from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{layout.MODEL.as_posix()}")
vectors = model.encode(["a query"]{by_name})"""
    return f"## Use\n\n```python\n{code}\n```\n{_where(made)}"


def _where(made: Made) -> str:
    """What must be at hand, where the weights are an adapter on a base."""
    options = made.asked.student.model
    if not made.asked.beside:
        return ""
    if isinstance(options, Pretrained) and not is_local(options):
        return (
            "\nThe weights are an adapter on its base, of which `SentenceTransformer` takes the newest commit. To have the "
            "one it was tuned on, put it where the name is looked up first:\n\n"
            f"```python\nfrom huggingface_hub import snapshot_download\n\nname = {json.dumps(options.name)}\n"
            f"snapshot_download(name, revision={json.dumps(options.revision)}, local_dir=name)\n```\n"
        )
    return "\nThe weights are an adapter on its base, a folder of the project it was made in: load it from the project's root.\n"


def _base(made: Made) -> str:
    options = made.asked.student.model
    if not isinstance(options, Pretrained):
        return "## Base\n\nA small model that this project built from the train texts of its datasets alone.\n"
    rows = [("model", _shown(options.name)), ("revision", options.revision), ("licence", options.licence)]
    if options.adapter:
        rows += [("adapter merged before", _shown(options.adapter.name)), ("its revision", options.adapter.revision)]
    return f"## Base\n\n{table(('what', 'which'), rows)}"


def _shown(name: str) -> str:
    """A Hub id, or a folder of the project; of a folder elsewhere on a machine its name alone."""
    return PurePath(name).name if PurePath(name).is_absolute() else name


def _data(made: Made) -> str:
    header = ("dataset", "task", "weight", "rows used", "language", "licence", "negatives by", "of rank", "rules")
    rows = [_row(name, said, made.used.get(name, 0)) for name, said in made.data.datasets.items()]
    warned = restricted(_licences(made))
    return (
        f"## Data\n\n{table(header, rows)}\n"
        f"SHA-256 of the shards: `{made.data.sha256}`, which `python -m embedder.revisions {layout.SHARDS.as_posix()}` "
        "prints.\n" + (f"\n**Restricted by the licences of its base and data** ({inline(warned)}).\n" if warned else "")
    )


def _row(name: str, said: Mapping[str, str], used: int) -> list[str]:
    teacher = f"{said.get('teacher', _NOT_SAID)} at {said.get('revision', _NOT_SAID)}"
    seen = f"{used:,}"
    licence = said.get("licence", _NOT_SAID)
    found = [said.get("task", ""), said.get("weight", ""), seen, said.get("language", ""), licence, teacher]
    return [name, *found, said.get("window", _NOT_SAID), _rules(said.get("rules", "{}"))]


def _rules(written: str) -> str:
    """The rules on candidates that are on, in words; those on ranks stand in the window."""
    try:
        rules: dict[str, Any] = json.loads(written)
    except ValueError:
        return _NOT_SAID
    said = {key for key in rules if "rank" in key} | {"near_copy_size"}
    on = {key: value for key, value in rules.items() if isinstance(value, int | float) and key not in said}
    return ", ".join(f"{key} {value}" for key, value in sorted(on.items()))


def _prompts(made: Made) -> str:
    """What stands before texts: by dataset, and under which names the saved model has it."""
    rows = [(name, _quoted(one.query), _quoted(one.passage)) for name, one in made.filled.items()]
    names = ", ".join(inline(name) for name in made.prompts)
    return (
        f"## Prompts\n\n{table(('dataset', 'before a query', 'before a passage'), rows)}\n"
        f"`prompt_name` may be: {names}. A dataset's name is the prompt of its queries.\n"
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _recipe(made: Made) -> str:
    model = made.asked.student.model.model_dump(mode="json")
    for one in (model, model.get("adapter")):
        if one and "name" in one:
            one["name"] = _shown(one["name"])
    recipe = made.asked.student.recipe.model_dump(mode="json")
    said = {"finetune": made.asked.settings.model_dump(mode="json"), "model": model, "recipe": recipe}
    return json.dumps(said, indent=2, sort_keys=True)


def _figures(made: Made) -> Iterator[tuple[str, str]]:
    for run in made.runs:
        yield from _steps(run, f", seed {run.seed}" if len(made.runs) > 1 else "")
    if made.chosen:
        yield "chosen", made.chosen
    yield from made.figures.items()


def _steps(run: Steps, of: str) -> Iterator[tuple[str, str]]:
    """The steps of a run, and its losses as far as it was kept."""
    yield f"steps planned{of}", f"{run.planned:,}"
    yield f"steps carried out{of}", f"{len(run.history):,}"
    yield f"steps kept{of}", f"{run.kept:,}"
    losses = [step.loss for step in run.history[: run.kept]]
    for name, some in (("first", losses[:_RECENT]), ("last", losses[-_RECENT:])):
        if some:
            yield f"mean loss of the {name} {len(some)} steps{of}", f"{sum(some) / len(some):.4f}"
