"""What both sides of benchmarks/train.py train: a workload's rows and columns, a Mistral of random weights, its recipe."""

from argparse import Namespace
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import made_up
import numpy as np
from numpy.typing import NDArray

from embedder import schemas
from embedder.params.models import Student
from embedder.prompts import Prompts
from embedder.training.batches import compose
from embedder.training.plans import Batch, Part
from embedder.training.shards import TrainingSet, training_set

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

RETRIEVAL, LABELS = "retrieval", "labels"
NEGATIVES = 7
# A row's query, positive and negatives.
TEXTS = 2 + NEGATIVES
LORA: dict[str, Any] = {"r": 8, "alpha": 16, "dropout": 0.0, "targets": "all-linear"}
TEMPERATURE = 0.02
NO_PROMPTS = Prompts("", "")
_QUERY_LENGTH = 128
_QUERY_SHARE = 0.5
_LABELS, _LABEL_TOKENS, _LABEL_LENGTH = 40, 16, 48
# A made-up word and its blank in bytes, each of which is a token, and the two tokens at a text's ends.
_WORD, _ENDS = 7, 2
_LIMIT = 512
_SHAPES: dict[str, dict[str, int]] = {
    "tiny": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 64,
    },
    "small": {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 512,
    },
    "7b": {
        "hidden_size": 4_096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14_336,
    },
}
SHAPES = tuple(_SHAPES)


@dataclass(frozen=True)
class Columns:
    """A batch as sentence-transformers takes it.

    Attributes:
        texts: the queries, their positives, their first negatives and so on; a row's stand at one place of each.
        allowed: [rows, (1 + negatives) * rows] whether a passage counts for a row; of a repeated one, one place.
    """

    texts: list[list[str]]
    allowed: NDArray[np.bool_]


def rows(asked: Namespace) -> TrainingSet:
    """Make up the rows of the workload that is asked for.

    Retrieval draws each row's passages from a corpus of `asked.passages`; with 0, no passage is twice in the batch.
    Labels has 40 of them, which are short, and longer queries.
    """
    draw, width = np.random.default_rng([made_up.SEED, 5]), 1 + NEGATIVES
    if asked.workload == LABELS:
        passages = _texts(_LABELS, _LABEL_TOKENS, _LABEL_LENGTH, 6)
        queries = _texts(asked.rows, asked.mean, _QUERY_LENGTH, 7)
    else:
        passages = _texts(asked.passages or asked.rows * width, asked.mean, asked.longest, 8)
        queries = _texts(asked.rows, asked.mean * _QUERY_SHARE, _QUERY_LENGTH, 7)
    dealt = draw.permutation(len(passages))
    found = []
    for row, query in enumerate(queries):
        once = asked.workload == RETRIEVAL and not asked.passages
        drawn = dealt[row * width :][:width] if once else draw.choice(len(passages), width, replace=False)
        found.append(_row(asked.workload, row, query, [(f"p{one:07}", passages[one]) for one in drawn]))
    columns = {name: [one[name] for one in found] for name in schemas.SHARD.schema.names}
    said = {"task": found[0]["task"], "weight": "1.0", "instruction": "Find it", "instruct_passages": "false"}
    return training_set(asked.workload, said, schemas.build(schemas.SHARD, columns))


def batch(asked: Namespace, step: int, count: int) -> Batch:
    """Plan a step of the first `count` rows and all of their negatives."""
    part = Part(asked.workload, 0, np.arange(count), np.tile(np.arange(NEGATIVES), (count, 1)))
    return Batch(step, (part,))


def columns(asked: Namespace, count: int) -> Columns:
    """Return the same step's texts in columns, and the same loss's passages."""
    made = rows(asked)
    texts = compose({made.name: made}, {made.name: NO_PROMPTS}, student(asked, 1).recipe, batch(asked, 0, count))
    places = texts.listed.T.ravel()
    first = np.zeros(len(places), dtype=bool)
    first[np.unique(places, return_index=True)[1]] = True
    allowed = texts.allowed[:, places] & first
    allowed[texts.targets[:, None] == places] = False
    np.fill_diagonal(allowed, val=True)
    passages = [[texts.passages[one] for one in column] for column in texts.listed.T]
    return Columns([texts.queries, *passages], allowed)


def student(asked: Namespace, steps: int) -> Student:
    """Return the entry of a student whose weights hardly move, so that each step has the gradients of the first."""
    model = {"kind": "model", "name": "made-up/mistral", "revision": "0" * 40, "licence": "none", "add_eos": False}
    model |= {"pooling": "last_token", "query_prompt": "", "passage_prompt": "", "normalise": True, "adapter": None}
    recipe = {
        "steps": steps,
        "epochs": None,
        "batch_size": asked.rows,
        "homogeneous": True,
        "size_exponent": 0.0,
        "rows_per_query": None,
        "learning_rate": 1e-12,
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "max_grad_norm": 1e9,
        "losses": {"info_nce": 1.0},
        "distilled": None,
        "temperature": TEMPERATURE,
        "score_mask": None,
        "dimensions": [],
        "num_negatives": NEGATIVES,
        "query_length": _QUERY_LENGTH,
        "passage_length": max(asked.longest, _LABEL_LENGTH),
        "datasets": {},
        "lora": LORA,
        "gradient_checkpointing": False,
        "seed": 1,
    }
    named = model | {"dtype": asked.dtype, "max_length": _LIMIT}
    return Student.model_validate({"model": named, "recipe": recipe})


def model(asked: Namespace, folder: Path, attention: str = "sdpa") -> "SentenceTransformer":
    """Make the frozen model on its device: the library's modules are loaded from a tiny one, whose weights give way."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import AutoModel

    # Without types.
    from_config: Any = AutoModel.from_config
    tokens = made_up.byte_tokenizer(folder)
    from_config(_config("tiny", tokens)).save_pretrained(folder)
    named = {"attn_implementation": attention, "dtype": getattr(torch, asked.dtype)}
    transformer = Transformer(str(folder), model_kwargs=named, processor_kwargs={"model_max_length": _LIMIT})
    torch.manual_seed(made_up.SEED)
    with torch.device(asked.device):
        transformer.model = from_config(_config(asked.shape, tokens), **named)
    made_up.spread(transformer.model)
    pooling = Pooling(transformer.get_embedding_dimension(), "lasttoken")
    made = SentenceTransformer(modules=[transformer, pooling, Normalize()], device=asked.device)
    made.requires_grad_(False)
    return made


def move_adapters(model: "SentenceTransformer") -> None:
    """Draw both matrices of all adapters, the same for the same names: as made, B is zero and A gets no gradient."""
    import torch

    draw = torch.Generator().manual_seed(made_up.SEED)
    for _, one in _trained(model):
        one.data.copy_(0.05 * torch.randn(one.shape, generator=draw))


def gradients(model: "SentenceTransformer") -> NDArray[np.float32]:
    """All gradients, in the order of names."""
    return np.concatenate([one.grad.float().cpu().numpy().ravel() for _, one in _trained(model)])


def weights(asked: Namespace) -> int:
    """How many weights the linear layers have, adapters left out."""
    shape = _SHAPES[asked.shape]
    hidden, heads = shape["hidden_size"], shape["num_key_value_heads"] / shape["num_attention_heads"]
    return int(shape["num_hidden_layers"] * hidden * (hidden * (2 + 2 * heads) + 3 * shape["intermediate_size"]))


def tokens(found: Columns) -> tuple[int, int]:
    """How many tokens the columns have without padding, and how many their distinct texts."""
    every = [text for column in found.texts for text in column]
    return sum(len(text) + _ENDS for text in every), sum(len(text) + _ENDS for text in set(every))


def _texts(count: int, mean: float, longest: int, seed: int) -> list[str]:
    """Draw texts of log-normal lengths whose mean is so many tokens before they are cut to `longest`."""
    made = made_up.texts(count, (mean - _ENDS) / _WORD, seed, _words())
    return [text[: longest - _ENDS] for text in made]


@cache
def _words() -> list[str]:
    return made_up.vocabulary()


def _row(workload: str, number: int, query: str, drawn: list[tuple[str, str]]) -> dict[str, Any]:
    (positive_id, positive), *negatives = drawn
    return {
        "dataset": workload,
        "query_id": f"q{number:05}",
        "positive_id": positive_id,
        "query": query,
        "instruction": "Find it",
        "positive": positive,
        "positive_ids": [positive_id],
        "masked_ids": [],
        "positive_score": 1.0,
        "negative_ids": [one for one, _ in negatives],
        "negatives": [text for _, text in negatives],
        "negative_ranks": list(range(1, 1 + NEGATIVES)),
        "negative_scores": [0.5] * NEGATIVES,
        "positive_judge_score": None,
        "negative_judge_scores": None,
        "task": "classification" if workload == LABELS else "retrieval",
        "teacher": "made-up",
        "teacher_revision": "0",
    }


def _config(shape: str, tokens: int) -> Any:  # noqa: ANN401 - the library's
    from transformers import AutoConfig

    special = {"pad_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
    sizes = {"vocab_size": tokens, "max_position_embeddings": _LIMIT}
    return AutoConfig.for_model("mistral", **sizes, **special, **_SHAPES[shape])


def _trained(model: "SentenceTransformer") -> list[tuple[str, Any]]:
    return sorted((name, one) for name, one in model.named_parameters() if one.requires_grad)
