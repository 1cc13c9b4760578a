"""What the benchmarks read and search: made-up words, texts, vectors and models, the same for the same numbers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SEED = 17
_LETTERS = list("etaoinshrdlucmfwypvbgk")
_WORDS = 20_000
_SPREAD = 0.6
# Of Mandelbrot's law: as in texts whose commonest words are left out.
_SHIFT = 20


def vocabulary(count: int = _WORDS) -> list[str]:
    """Return distinct words, which the draws of `texts` make the rarer the later they stand."""
    draw = np.random.default_rng(SEED)
    words: dict[str, None] = {}
    while len(words) < count:
        words.setdefault("".join(draw.choice(_LETTERS, draw.integers(3, 10))))
    return list(words)


def texts(count: int, mean: float, seed: int, words: list[str] | None = None) -> list[str]:
    """Draw texts of words by Zipf and Mandelbrot's law, whose numbers of words are log-normal with `mean`."""
    draw = np.random.default_rng([SEED, seed])
    known = np.array(words or vocabulary(), dtype=object)
    lengths = np.maximum(3, draw.lognormal(np.log(mean) - _SPREAD**2 / 2, _SPREAD, count).astype(np.int64))
    chances = 1 / (_SHIFT + np.arange(1, len(known) + 1))
    drawn = known[draw.choice(len(known), int(lengths.sum()), p=chances / chances.sum())]
    ends = np.cumsum(lengths)
    return [" ".join(drawn[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def vectors(count: int, dimensions: int, seed: int, centres: int = 0) -> NDArray[np.float32]:
    """Draw vectors of length 1: anywhere, or around so many `centres`, so that scores lie near each other as in text."""
    draw = np.random.default_rng([SEED, seed])
    found = draw.standard_normal((count, dimensions), dtype=np.float32)
    if centres:
        middle = np.random.default_rng(SEED).standard_normal((centres, dimensions), dtype=np.float32)
        found *= np.float32(0.7)
        for start in range(0, count, 8_192):
            part = found[start : start + 8_192]
            part += middle[draw.integers(0, centres, len(part))]
    for start in range(0, count, 8_192):
        part = found[start : start + 8_192]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return found


def bert(folder: Path, layers: int, hidden: int) -> Path:
    """Write a random BERT that reads words, see `word_tokenizer` and `spread`."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=word_tokenizer(folder),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 64),
        intermediate_size=4 * hidden,
    )
    torch.manual_seed(SEED)
    model = BertModel(config, add_pooling_layer=False)
    spread(model)
    model.save_pretrained(folder)
    return folder


def spread(model: "PreTrainedModel") -> None:
    """Draw the vectors of words far apart: else a random model makes nearly the same vector of all texts."""
    import torch

    embeddings: Any = model.get_input_embeddings()
    torch.nn.init.normal_(embeddings.weight, std=0.5)


def word_tokenizer(folder: Path) -> int:
    """Write BERT's tokenizer with one token a word, and return how many it knows."""
    from transformers import BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary()]
    BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}).save_pretrained(folder)
    return len(pieces)


def byte_tokenizer(folder: Path) -> int:
    """Write a tokenizer of single bytes between BOS and EOS, and return how many tokens it knows."""
    from tokenizers import Tokenizer, pre_tokenizers, processors
    from tokenizers.models import BPE

    named = {"<unk>": 0, "<s>": 1, "</s>": 2}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab=named | {one: 3 + i for i, one in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ends = [("<s>", 1), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    tokenizer.add_special_tokens(list(named))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    written = settings | {"unk_token": "<unk>", "pad_token": "</s>", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(written), encoding="utf-8")
    return len(named) + len(alphabet)
