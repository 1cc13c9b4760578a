"""What every teacher of params.yaml would cost on a dataset, before it is asked: from samples, sizes and a measured rate.

A transformer spends about 2 FLOP for each weight and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); attention
over a few hundred tokens adds little. Exact search spends 2 for each query, passage and dimension.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from embedder import teachers
from embedder.errors import EmbedderError
from embedder.estimates.costs import Cost, Machine, Work, evenly, mean_tokens
from embedder.params.base import Model
from embedder.params.models import Dataset, Params
from embedder.params.runtime import Runtime
from embedder.prompts import Prompts, prompts

SAMPLE = 200
_LEXICAL_PASSAGES = 2_000
_LEXICAL_QUERIES = 50
_SHARD_BYTES = 2**28
_WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Estimate:
    """One row: a teacher of params.yaml and its cost; `active` is the one that is set."""

    teacher: str
    kind: str
    active: bool
    cost: Cost


def estimate(
    params: Params, entry: Dataset, queries: Sequence[str], passages: Collection[str], machine: Machine
) -> list[Estimate]:
    """Estimate every configured teacher on a dataset, the one that is set first. Nothing is written.

    Args:
        params: all of params.yaml.
        entry: the dataset's entry.
        queries: the texts of the queries to mine.
        passages: the joined texts of its corpus.
        machine: what it runs on.
    """
    work = Work(entry, queries, passages, evenly(passages, _LEXICAL_PASSAGES))
    names = sorted(params.teachers, key=lambda name: name != params.teacher)
    return [
        Estimate(name, _kind(options), name == params.teacher, cost_of(options, work, machine, params.runtime))
        for name, options in ((name, params.teachers[name]) for name in names)
    ]


def cost_of(options: Model, work: Work, machine: Machine, runtime: Runtime) -> Cost:
    """Estimate one teacher; what keeps it from being estimated becomes a note."""
    of_kind = _KINDS.get(_kind(options))
    if of_kind is None:
        return Cost(seconds=None, notes=("nobody knows what this kind costs",))
    try:
        return of_kind(options, work, machine, runtime)
    except EmbedderError as error:
        return Cost(seconds=None, notes=(str(error),))


def _kind(options: Model) -> str:
    return str(getattr(options, "kind", ""))


def _lexical(options: Model, work: Work, machine: Machine, runtime: Runtime) -> Cost:
    """Index a sample of passages and ask some queries; both grow with their numbers."""
    del machine
    asked = evenly(work.queries, _LEXICAL_QUERIES)
    _ask(options, work, work.sampled[:10], asked[:1], runtime)  # the first time imports and compiles
    indexing, scoring = _ask(options, work, work.sampled, asked, runtime)
    larger = len(work.passages) / max(len(work.sampled), 1)
    seconds = larger * (indexing + scoring * len(work.queries) / max(len(asked), 1))
    return Cost(seconds=seconds, notes=(f"measured on {len(work.sampled):,} passages, {len(asked)} queries",))


def _ask(
    options: Model, work: Work, passages: Sequence[str], queries: Sequence[str], runtime: Runtime
) -> tuple[float, float]:
    """Return the seconds that indexing and scoring took."""
    start = time.perf_counter()
    corpus = teachers.Corpus([str(i) for i in range(len(passages))], passages, work.entry.language)
    teacher = teachers.build(options, corpus, runtime)
    built = time.perf_counter()
    most = np.full(len(queries), len(passages), np.int64)
    for _ in teacher.score(teachers.Queries([str(i) for i in range(len(queries))], queries, most)):
        pass
    return built - start, time.perf_counter() - built


def _given(options: Model, work: Work, machine: Machine, runtime: Runtime) -> Cost:
    del options, work, machine, runtime
    return Cost(notes=("comes with the source",))


def _dense(options: Any, work: Work, machine: Machine, runtime: Runtime) -> Cost:  # noqa: ANN401 - of a registry's module
    from embedder.teachers.readings import Readings

    readings = Readings(options, runtime, options.name, parameters=options.parameters)
    read = _prompts(options, work)
    sides = (
        (work.queries, read.query, options.query_length),
        (work.passages, read.passage, options.passage_length),
    )
    stored = [readings.stored(*side) for side in sides]
    missing = [len(side[0]) - found for side, found in zip(sides, stored, strict=True)]
    lengths = options.query_length, options.passage_length
    means = _means(work, read.query, read.passage, *lengths, Path(options.name))
    tokens = round(sum(mean * count for mean, count in zip(means, missing, strict=True)))
    model = _model(options.parameters, tokens, options.dtype, machine)
    search = 2.0 * len(work.queries) * len(work.passages) * options.dimensions
    width = _WIDTHS[options.dtype]
    return replace(
        model,
        texts=sum(missing),
        stored=sum(stored),
        bytes=sum(missing) * options.dimensions * width,
        flops=model.flops + search,
        seconds=(model.seconds or 0.0) + search / machine.rate("float32"),
        memory=options.parameters * width
        + 4 * options.dimensions * len(work.queries)
        + min(4 * options.dimensions * len(work.passages), _SHARD_BYTES),
    )


def _fusion(options: Any, work: Work, machine: Machine, runtime: Runtime) -> Cost:  # noqa: ANN401 - of a registry's module
    whole = Cost()
    for member in options.members:
        whole = whole.then(cost_of(member.teacher, work, machine, runtime))
    return whole


def _cross_encoder(options: Any, work: Work, machine: Machine, runtime: Runtime) -> Cost:  # noqa: ANN401 - of a registry's module
    """The first teacher, then every pair of a query and one of its best."""
    pairs = _pairs(options, work)
    queries, passages = _means(work, options.query_prompt, "", None, None, Path(options.name))
    tokens = round(pairs * min(queries + passages, options.max_length))
    return cost_of(options.first, work, machine, runtime).then(_local(options, pairs, tokens, machine))


def _encoded_pairs(options: Any, work: Work, machine: Machine, runtime: Runtime) -> Cost:  # noqa: ANN401 - of a registry's module
    """The first teacher, then every query and every passage that is among some query's best."""
    read = _prompts(options, work)
    lengths = options.query_length, options.passage_length
    queries, passages = _means(work, read.query, read.passage, *lengths, Path(options.name))
    among = min(len(work.passages), _pairs(options, work))
    tokens = round(len(work.queries) * queries + among * passages)
    cost = _local(options, len(work.queries) + among, tokens, machine)
    return cost_of(options.first, work, machine, runtime).then(cost)


def _endpoint(options: Any, work: Work, machine: Machine, runtime: Runtime) -> Cost:  # noqa: ANN401 - of a registry's module
    """The first teacher, then requests: what they take is the server's business."""
    read = _prompts(options, work)
    queries, passages = _means(work, read.query, read.passage, None, None, Path())
    among = min(len(work.passages), _pairs(options, work))
    cost = Cost(
        texts=len(work.queries) + among,
        tokens=round(len(work.queries) * queries + among * passages),
        bytes=4 * options.dimensions * (len(work.queries) + among),
        seconds=None,
        requests=ceil(len(work.queries) / options.batch_size) + ceil(among / options.batch_size),
        notes=(f"the time is that of {options.url}",),
    )
    return cost_of(options.first, work, machine, runtime).then(cost)


def _local(options: Any, texts: int, tokens: int, machine: Machine) -> Cost:  # noqa: ANN401 - of a registry's module
    """What a rescoring model spends; its entry says no size, so a local folder's weights do."""
    from embedder.pretrained.sizes import parameters

    found = parameters(Path(options.name))
    if not found:
        unknown = f"{options.name} is not here, so its size is unknown"
        return Cost(texts=texts, tokens=tokens, seconds=None, notes=(unknown,))
    memory = found * _WIDTHS[options.dtype]
    return replace(_model(found, tokens, options.dtype, machine), texts=texts, memory=memory)


def _model(parameters: int, tokens: int, dtype: str, machine: Machine) -> Cost:
    flops = 2.0 * parameters * tokens
    notes = () if machine.is_native(dtype) else (f"{dtype} is not native here; float32 may be faster",)
    return Cost(tokens=tokens, flops=flops, seconds=flops / machine.rate(dtype), notes=notes)


def _prompts(options: Any, work: Work) -> Prompts:  # noqa: ANN401 - of a registry's module
    entry = work.entry
    return prompts(
        options.query_prompt, options.passage_prompt, entry.instruction, instruct_passages=entry.instruct_passages
    )


def _means(
    work: Work,
    query_prompt: str,
    passage_prompt: str,
    query_length: int | None,
    passage_length: int | None,
    folder: Path,
) -> tuple[float, float]:
    """The mean tokens of a query and of a passage."""
    language = work.entry.language
    return (
        mean_tokens(evenly(work.queries, SAMPLE), query_prompt, query_length, folder, language),
        mean_tokens(evenly(work.sampled, SAMPLE), passage_prompt, passage_length, folder, language),
    )


def _pairs(options: Any, work: Work) -> int:  # noqa: ANN401 - of a registry's module
    return len(work.queries) * min(int(options.top), len(work.passages))


_KINDS: Mapping[str, Callable[[Any, Work, Machine, Runtime], Cost]] = {
    "bm25": _lexical,
    "bm25-reference": _lexical,
    "cross-encoder": _cross_encoder,
    "dense": _dense,
    "endpoint": _endpoint,
    "fusion": _fusion,
    "given": _given,
    "multi-vector": _encoded_pairs,
    "sparse": _encoded_pairs,
}
