"""A small BERT that needs no download: latent semantic analysis before any training, a transformer to tune after.

Token embeddings are LSA vectors (Deerwester et al. 1990) of the model's own word pieces, the layers start near the
identity, and pooling weighs each token by its inverse document frequency (Sparck Jones 1972).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from embedder import layout
from embedder.errors import StudentError
from embedder.params.base import Model

if TYPE_CHECKING:
    from scipy import sparse
    from sentence_transformers import SentenceTransformer
    from transformers import DistilBertModel, DistilBertTokenizer

FOLDER = "model"
_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---

# offline student

Built from train texts alone.
"""
_NEAR_IDENTITY = 0.1
# Not 0, or a text without a known word would have no direction.
_SPECIAL_WEIGHT = 0.01

Positive = Annotated[int, Field(ge=1)]


class Options(Model):
    """The shape of the small BERT; `vocabulary` counts word pieces, `max_length` tokens."""

    kind: Literal["offline"]
    layers: Positive
    hidden: Positive
    heads: Positive
    vocabulary: Positive
    max_length: Annotated[int, Field(ge=8)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    query_prompt: ClassVar[str] = ""
    passage_prompt: ClassVar[str] = ""
    dtype: ClassVar[str] = "float32"
    origin: ClassVar[str] = (layout.BASE / FOLDER).as_posix()

    @model_validator(mode="after")
    def _divisible(self) -> "Options":
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} must be a multiple of heads {self.heads}")
        return self


def build_base(options: Options, texts: Sequence[str], folder: Path) -> Mapping[str, object]:
    """Build the model from `texts` and save it as `model/` in `folder`; seconds for ten thousands of texts.

    Args:
        options: the shape.
        texts: distinct train texts, sorted.
        folder: an existing folder.

    Returns:
        How many texts it was built from, and its word pieces and parameters.

    Raises:
        StudentError: there are too few texts, or too small a vocabulary for their characters.
    """
    from embedder.students.word_pieces import train_tokenizer

    if len(texts) <= options.hidden:
        raise StudentError(
            f"the offline student has {len(texts)} train texts and needs more than its hidden size {options.hidden}; "
            "lower `hidden` or add data"
        )
    tokenizer = train_tokenizer(texts, options.vocabulary, options.max_length)
    counts = count_pieces(tokenizer, texts)
    weights = inverse_document_frequency(counts)
    bert = near_identity(options, lsa(counts, weights, options.hidden, options.seed))
    _save(bert, tokenizer, weights, folder / FOLDER)
    return {"texts": len(texts), "word_pieces": len(tokenizer), "parameters": bert.num_parameters()}


def load(options: Options, folder: Path, device: str, dtype: str | None = None) -> "SentenceTransformer":
    """Load the model `build_base` left in `folder`; its weights are float32.

    Raises:
        StudentError: there is none.
    """
    from sentence_transformers import SentenceTransformer

    del dtype
    return SentenceTransformer(str(weights(options, folder)), device=device)


def weights(options: Options, folder: Path) -> Path:
    """Return the model's folder.

    Raises:
        StudentError: there is none.
    """
    path = folder / FOLDER
    if not path.is_dir():
        raise StudentError(f"{path}: no {options.kind} student; build it with `python -m stages.base`")
    return path


def count_pieces(tokenizer: "DistilBertTokenizer", texts: Sequence[str]) -> "sparse.csr_matrix":
    """Count the word pieces of `texts`: [texts, pieces]."""
    from scipy import sparse

    ids = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in ids])])
    flat = np.fromiter((piece for one in ids for piece in one), dtype=np.int32, count=int(starts[-1]))
    counts = sparse.csr_matrix((np.ones(len(flat)), flat, starts), shape=(len(ids), len(tokenizer)))
    counts.sum_duplicates()
    return counts


def inverse_document_frequency(counts: "sparse.csr_matrix") -> NDArray[np.float64]:
    """Return log((1 + n) / (1 + df)) of each piece, where df of the n texts hold it."""
    held = np.bincount(counts.indices, minlength=counts.shape[1]).astype(np.float64)
    weights: NDArray[np.float64] = np.log((1 + counts.shape[0]) / (1 + held))
    return weights


def lsa(counts: "sparse.csr_matrix", weights: NDArray[np.float64], size: int, seed: int) -> NDArray[np.float32]:
    """Vectors of word pieces by a truncated singular value decomposition of tf-idf.

    Args:
        counts: [texts, pieces] how often each text holds each piece.
        weights: [pieces] inverse document frequencies.
        size: how many dimensions are kept.
        seed: of the randomised decomposition (Halko et al. 2011, arXiv 0909.4061).

    Returns:
        [pieces, size] right singular vectors, scaled to a mean square of 1; each has the sign that makes its largest
        component positive. A piece in no text has a random direction: it can still match itself.
    """
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    frequencies = counts.copy()
    frequencies.data = 1 + np.log(frequencies.data)
    # One thread, since a sum's order, and with it the last bits, depends on their number.
    with threadpool_limits(1):
        tf_idf = normalize(frequencies.multiply(weights).tocsr())
        _, _, vectors = randomized_svd(tf_idf, size, random_state=seed, flip_sign=False)
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    pieces = np.asarray(vectors * np.sign(largest), dtype=np.float64).T
    pieces /= np.sqrt(np.mean(pieces**2))
    unseen = np.diff(counts.tocsc().indptr) == 0
    pieces[unseen] = np.random.default_rng(seed).standard_normal((int(unseen.sum()), size))
    return pieces.astype(np.float32)


def near_identity(options: Options, vectors: NDArray[np.float32]) -> "DistilBertModel":
    """A BERT whose token embeddings are `vectors` [pieces, hidden] and whose layers change them little.

    DistilBERT's architecture, for it has neither pooler nor token types: nothing in it that mean pooling leaves unused.
    """
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(
        vocab_size=len(vectors),
        max_position_embeddings=options.max_length,
        n_layers=options.layers,
        n_heads=options.heads,
        dim=options.hidden,
        hidden_dim=4 * options.hidden,
        dropout=0.0,
        attention_dropout=0.0,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(options.seed)
        bert = DistilBertModel(config)
        bert.embeddings.word_embeddings.weight.copy_(torch.from_numpy(vectors))
        bert.embeddings.position_embeddings.weight.zero_()
        for name, weight in bert.named_parameters():
            if name.endswith(("attention.out_lin.weight", "ffn.lin2.weight")):
                weight.mul_(_NEAR_IDENTITY)
    return bert


def _save(bert: "DistilBertModel", tokenizer: "DistilBertTokenizer", weights: NDArray[np.float64], path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer, WordWeights

    from embedder.saving import save

    pieces = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    named = {piece: float(weight) for piece, weight in zip(pieces, weights.round(6), strict=True)}
    named |= dict.fromkeys(tokenizer.all_special_tokens, _SPECIAL_WEIGHT)
    named[tokenizer.unk_token] = max(named.values())
    with TemporaryDirectory() as parts:
        bert.save_pretrained(parts)
        tokenizer.save_pretrained(parts)
        transformer = Transformer(parts)
    modules = [transformer, WordWeights(pieces, named), Pooling(bert.config.dim, "mean"), Normalize()]
    save(SentenceTransformer(modules=modules, device="cpu"), path)
    (path / "README.md").write_text(_CARD, encoding="utf-8")
