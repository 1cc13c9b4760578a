"""The sections of params.yaml. Nothing that changes a result has a default here: what counts is written down."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, StringConstraints, model_validator

from embedder.judges import JUDGES
from embedder.loaders import LOADERS
from embedder.params.base import Model, options
from embedder.params.finetune import Finetune
from embedder.params.recipe import Recipe
from embedder.params.runtime import Runtime
from embedder.students import STUDENTS
from embedder.teachers import TEACHERS

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Task = Literal["retrieval", "reranking", "sts", "classification", "clustering"]
Share = Annotated[float, Field(ge=0, le=1)]
Percentile = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def _registered(registry: Mapping[str, str], what: str) -> BeforeValidator:
    """An entry is validated by the module that its key `what` names in `registry`."""
    return BeforeValidator(lambda value: options(registry, what, value))


Source = Annotated[SerializeAsAny[Model], _registered(LOADERS, "loader")]
Teacher = Annotated[SerializeAsAny[Model], _registered(TEACHERS, "kind")]
Judge = Annotated[SerializeAsAny[Model], _registered(JUDGES, "kind")]
StudentModel = Annotated[SerializeAsAny[Model], _registered(STUDENTS, "kind")]

# Relevance is stored as float32.
Grade = Annotated[float, Field(gt=-3e38, lt=3e38)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]

LABEL_TASKS = frozenset({"classification", "clustering"})


class Terms(Model):
    """What a dataset asks of a model, and what counts as right: all that a score of one must know of it.

    Attributes:
        language: ISO 639 code of its texts: how words are found, stemmed and compared; null: words between blanks,
            as they are.
    """

    task: Task
    instruction: Annotated[str, Field(min_length=1)]
    instruct_passages: bool
    language: Language | None
    positive_at: Grade


class Dataset(Terms):
    """One corpus with its queries: what it asks for, where it comes from, what counts as relevant.

    Attributes:
        weight: its share of the batches; with 0 it is evaluated, and nothing is learnt from it or chosen by it.
        ingest: what it overrides of the section `ingest`, key by key.
        filter: what it overrides of the section `filter`, key by key.
    """

    licence: Annotated[str, Field(min_length=1)]
    path: Annotated[str, Field(min_length=1)]
    source: Source
    negative_at: Grade | None
    weight: Annotated[float, Field(ge=0)]
    label_mode: Literal["label", "example"] | None
    ingest: dict[str, Any]
    filter: dict[str, Any]

    @model_validator(mode="after")
    def _consistent(self) -> "Dataset":
        if self.negative_at is not None and self.negative_at >= self.positive_at:
            raise ValueError(f"negative_at {self.negative_at} must lie below positive_at {self.positive_at}")
        if (self.label_mode is not None) != self.labelled:
            wanted = "label or example" if self.labelled else "null"
            raise ValueError(f"label_mode must be {wanted} for task {self.task}")
        if getattr(self.source, "labelled", self.labelled) != self.labelled:
            raise ValueError(
                f"task {self.task} {'needs' if self.labelled else 'has no'} labels, and source.columns names "
                f"{'none' if self.labelled else 'some'}"
            )
        return self

    @property
    def terms(self) -> Terms:
        """What a score must know of it, and no more."""
        return Terms.model_validate(self.model_dump(include=set(Terms.model_fields)))

    @property
    def labelled(self) -> bool:
        """Whether the passages are labels or examples of labels."""
        return self.task in LABEL_TASKS


class Ingest(Model):
    """What is done with long texts, and how much of a source may be refused before it is the wrong source.

    Attributes:
        max_characters: a longer text is cut there.
        max_reject_share: the largest share of queries, of passages, of qrels or of rows that may be refused.
    """

    max_characters: Positive
    max_reject_share: Share


class Mine(Model):
    """How deep a teacher's run goes, counted in passages that are no positives of the query.

    Attributes:
        depth: how many passages.
        cosines: whether dense teachers also write how close each of them is to a positive (filter.near_copy_cosine).
    """

    depth: Positive
    cosines: bool


class Filter(Model):
    """The rules that refuse candidates; null turns a rule off. A rank window includes both ends.

    Attributes:
        min_rank: a candidate of a better rank is refused.
        max_rank: a candidate of a worse rank is refused.
        counted: which ranks are meant.
        max_score: a candidate of a higher score is refused.
        min_score: a candidate of a lower score is refused.
        max_score_percentile: max_score, as a percentile (0 to 100) of the scores of the dataset's positives.
        min_score_percentile: min_score likewise.
        absolute_margin: a candidate is kept when score <= positive - margin.
        relative_margin: a candidate is kept when score <= positive - |positive| * margin.
        percentile_margin: a candidate is kept when percentile <= percentile of the positive * (1 - margin); a score's
            percentile is the share of the dataset's positives that score no higher.
        reference: the positive that margins are about: the query's lowest, or each training row's own.
        near_copy_jaccard: a candidate is refused whose shingles overlap so much with those of a positive.
        near_copy_size: words or characters a shingle.
        near_copy_cosine: a candidate is refused whose vector is so close to a positive's; see mine.cosines.
    """

    min_rank: Positive | None
    max_rank: Positive | None
    counted: Literal["without_positives", "raw"]
    max_score: float | None
    min_score: float | None
    max_score_percentile: Percentile | None
    min_score_percentile: Percentile | None
    absolute_margin: float | None
    relative_margin: Share | None
    percentile_margin: Share | None
    reference: Literal["lowest", "own"]
    near_copy_jaccard: Annotated[float, Field(gt=0, le=1)] | None
    near_copy_size: Positive
    near_copy_cosine: Annotated[float, Field(gt=0, le=1)] | None

    @model_validator(mode="after")
    def _window(self) -> "Filter":
        if self.min_rank and self.max_rank and self.min_rank > self.max_rank:
            raise ValueError(f"min_rank {self.min_rank} lies beyond max_rank {self.max_rank}")
        for least, most in (("min_score", "max_score"), ("min_score_percentile", "max_score_percentile")):
            low, high = getattr(self, least), getattr(self, most)
            if low is not None and high is not None and low > high:
                raise ValueError(f"{least} {low:g} lies above {most} {high:g}")
        return self


class Leak(Model):
    """How false negatives are measured.

    Attributes:
        draws: how many negatives of a query a training row sees.
        sample: how many kept candidates of a dataset are labelled to estimate contamination; 0 for none.
        controls: how many known positives, and how many random passages, are labelled to measure the judge.
        bootstrap_samples: of queries, for the intervals.
        confidence: of the intervals.
        seed: of the samples and of the bootstrap.
    """

    draws: Positive
    sample: Annotated[int, Field(ge=0)]
    controls: Annotated[int, Field(ge=0)]
    bootstrap_samples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: Seed


class Materialize(Model):
    """How many negatives are stored, how they are drawn, and what becomes of queries that have too few.

    Attributes:
        num_negatives: stored of each query.
        min_negatives: a query with fewer is short.
        sampling: top takes the best ranks; random all with one chance; score-weighted the higher scored more often.
        max_reuse: for how many queries of a dataset one passage may be a negative; null for any number.
        positives_per_query: how many training rows a query may have.
        on_shortage: what becomes of a short query.
        max_dropped_share: a dataset that loses a larger share of its queries is refused.
        decontaminate_jaccard: how similar a text must be to a dev text to be dropped.
        shard_rows: rows a file.
        seed: of all draws.
    """

    num_negatives: Positive
    min_negatives: Positive
    sampling: Literal["top", "random", "score-weighted"]
    max_reuse: Positive | None
    positives_per_query: Positive
    on_shortage: Literal["drop", "keep"]
    max_dropped_share: Share
    decontaminate_jaccard: Annotated[float, Field(gt=0, le=1)] | None
    shard_rows: Positive
    seed: Seed

    @model_validator(mode="after")
    def _enough(self) -> "Materialize":
        if self.min_negatives > self.num_negatives:
            raise ValueError(f"min_negatives {self.min_negatives} is more than num_negatives {self.num_negatives}")
        return self


class Student(Model):
    """A model to tune: how it starts, and its recipe."""

    model: StudentModel
    recipe: Recipe


class Evaluate(Model):
    """The bootstrap of the intervals, the seed of it and of the clusterings, and the teacher of the BM25 row."""

    lexical: Name
    bootstrap_samples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: Seed


class Params(Model):
    """The whole of params.yaml.

    Attributes:
        version: the version of embedder that a project with the installed package was made for; null in the
            repository of embedder itself, whose stages depend on their code.
    """

    version: str | None = None
    teacher: Name
    student: Name
    judge: Name
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    teachers: Annotated[dict[Name, Teacher], Field(min_length=1)]
    ingest: Ingest
    mine: Mine
    filter: Filter
    leak: Leak
    judges: Annotated[dict[Name, Judge], Field(min_length=1)]
    materialize: Materialize
    students: Annotated[dict[Name, Student], Field(min_length=1)]
    finetune: Finetune
    evaluate: Evaluate
    runtime: Runtime = Runtime()

    def ingest_of(self, dataset: str) -> Ingest:
        """The ingest section with what the dataset overrides."""
        return Ingest.model_validate({**self.ingest.model_dump(), **self.datasets[dataset].ingest})

    def filter_of(self, dataset: str) -> Filter:
        """The filter section with what the dataset overrides."""
        return Filter.model_validate({**self.filter.model_dump(), **self.datasets[dataset].filter})
