"""Tiny random models made on the spot, as folders that transformers loads."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import BPE

from embedder.revisions import content_hash, file_hashes
from embedder.students import model as students_model

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]


def make_bert(folder: Path, words: Sequence[str] = WORDS) -> Path:
    """Write a random BERT with a pooler, as Hub models have one."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", *words]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={piece: index for index, piece in enumerate(vocabulary)}).save_pretrained(folder)
    return folder


def make_mistral(folder: Path, dtype: str = "float32") -> Path:
    """Write a random Mistral whose tokenizer.json adds BOS alone while its config promises EOS, as e5-mistral's does."""
    import torch
    from transformers import MistralConfig, MistralModel

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    MistralModel(config).to(getattr(torch, dtype)).save_pretrained(folder)
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "add_eos_token": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "</s>",
        "padding_side": "left",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def make_adapter(base: Path, folder: Path) -> Path:
    """Write an adapter of the model in `base`, random in both of its matrices."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    config = LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", task_type="FEATURE_EXTRACTION")
    torch.manual_seed(1)
    adapted = get_peft_model(AutoModel.from_pretrained(base), config)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.5)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


def make_projected(folder: Path) -> Path:
    """Write a sentence-transformers folder of a BERT, mean pooling, two Dense modules and Normalize."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from torch import nn

    transformer = Transformer(str(make_bert(folder / "bert")))
    dense = [Dense(16, 24, bias=False, activation_function=nn.Identity()), Dense(24, 8)]
    model = SentenceTransformer(modules=[transformer, Pooling(16, "mean"), *dense, Normalize()], device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def without(folder: Path, *names: str) -> Path:
    """Take the weights whose names start with one of `names` out of a model's file."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: one for name, one in weights.items() if not name.startswith(names)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def configure(folder: Path, **changes: object) -> None:
    """Write `changes` into a model's config."""
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(written | changes))


SPOILING: list[Callable[[Path], object]] = [
    lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100]),
    lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64),
    lambda folder: configure(folder, hidden_size=32),
    lambda folder: configure(folder, hidden_size="sixteen"),
    lambda folder: configure(folder, num_attention_heads=None),
]
"""What breaks a model: weights cut off, weights garbled, a config of other shapes or types."""


def adapter(folder: Path) -> dict[str, str]:
    """Return the entry of a local adapter, pinned by its content."""
    return {"name": str(folder), "revision": content_hash(file_hashes(folder))}


def options(folder: Path, **changes: object) -> students_model.Options:
    """Return the entry of a local model, pinned by its content."""
    written = {
        "kind": "model",
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "licence": "CC0-1.0",
        "pooling": "cls",
        "query_prompt": "",
        "passage_prompt": "",
        "dtype": "float32",
        "normalise": True,
        "max_length": 32,
        "add_eos": False,
        "adapter": None,
    }
    return students_model.Options.model_validate(written | changes)
