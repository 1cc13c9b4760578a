"""Tiny random models that score pairs, as folders that sentence-transformers loads, and corpora for them."""

import itertools
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel, BertTokenizer

from embedder.revisions import content_hash, file_hashes
from tests import models
from tests.teachers import fakes

_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", *models.WORDS]

# Of all lengths up to beyond the model's 64 tokens.
TEXTS = [" ".join(itertools.islice(itertools.cycle(models.WORDS[i % 5 :]), i)) for i in range(1, 72)]
QUERIES = ["alpha beta", "gamma", "delta epsilon zeta eta theta iota kappa lambda mu alpha", "mu mu mu"]


def bert(
    folder: Path,
    made: Any,  # noqa: ANN401 - a class of transformers
    labels: int = 2,
) -> Path:
    """Write a random BERT with whatever head `made` has."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(_VOCABULARY),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    config.num_labels = labels
    made(config).save_pretrained(folder)
    tokenizer = BertTokenizer(vocab={piece: index for index, piece in enumerate(_VOCABULARY)}, model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


def cross_encoder(folder: Path, labels: int = 1) -> Path:
    """Write a cross-encoder."""
    return bert(folder, BertForSequenceClassification, labels=labels)


def multi_vector(folder: Path) -> Path:
    """Write a multi-vector model."""
    from sentence_transformers import MultiVectorEncoder

    MultiVectorEncoder(str(bert(folder / "bert", BertModel)), device="cpu").save(str(folder / "model"))
    return folder / "model"


def sparse(folder: Path) -> Path:
    """Write a sparse model."""
    from sentence_transformers import SparseEncoder

    SparseEncoder(str(bert(folder / "bert", BertForMaskedLM)), device="cpu").save(str(folder / "model"))
    return folder / "model"


def entry(folder: Path, **changes: object) -> dict[str, Any]:
    """Return what all kinds' entries say of a local model, over a teacher that retrieves everything."""
    scores = [[float(len(TEXTS) - p) for p in range(len(TEXTS))] for _ in QUERIES]
    return {
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "licence": "CC0-1.0",
        "dtype": "float32",
        "first": fakes.table(scores),
        "top": len(TEXTS),
        **changes,
    }
