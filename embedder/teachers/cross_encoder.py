"""A model that reads query and passage together, over the best of another teacher."""

from typing import Literal

from embedder.pairs.cross_encoder import Reading, scores
from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Corpus
from embedder.teachers.rescoring import Rescored, RescorerOptions


class Options(Reading, RescorerOptions):
    """A CrossEncoder of one label."""

    kind: Literal["cross-encoder"]


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Rescored:
    """Return the teacher; first teacher and model are loaded when it is asked."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of cross-encoder: {options!r}")
    return Rescored(options, corpus, runtime, scores(options, corpus.instruction, runtime, "rescore"))
