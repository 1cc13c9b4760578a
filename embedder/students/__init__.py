"""Students are models to tune. Adding one: a module that has what `StudentModule` says, one line below."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from embedder.params.base import Model, module

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

STUDENTS = {
    "offline": "embedder.students.offline",
    "model": "embedder.students.model",
}


class StudentOptions(Protocol):
    """What the options of every student have."""

    @property
    def kind(self) -> str:
        """The key of its module in STUDENTS."""
        ...

    @property
    def query_prompt(self) -> str:
        """What stands before a query; `{instruction}` in it is the dataset's."""
        ...

    @property
    def passage_prompt(self) -> str:
        """What stands before a passage."""
        ...

    @property
    def dtype(self) -> str:
        """What it computes in; its weights have it too, unless they are all tuned."""
        ...

    @property
    def origin(self) -> str:
        """The base as an adapter's config names it: a Hub id, or a folder relative to the project's root."""
        ...


class StudentModule(Protocol):
    """What a student's module has."""

    Options: type[Model]

    @staticmethod
    def build_base(options: Model, texts: Sequence[str], folder: Path) -> Mapping[str, object]:
        """Write the starting checkpoint, or a record of it, into `folder`; return what the report says of it.

        Args:
            options: an instance of the module's `Options`.
            texts: distinct train texts, sorted; none of a dev query or of a positive of one.
            folder: an existing folder.

        Raises:
            StudentError: the base cannot be built.
            ModelError: a pretrained model is not what `options` say.
        """
        ...

    @staticmethod
    def load(options: Model, folder: Path, device: str, dtype: str | None) -> "SentenceTransformer":
        """Load the base that `build_base` left in `folder`, its weights in `dtype`; None: in that of `options`.

        Raises:
            StudentError: it is missing, or was built by other options.
            ModelError: a pretrained model cannot be had, or is not what `options` say.
        """
        ...

    @staticmethod
    def weights(options: Model, folder: Path) -> Path:
        """Return the folder of the base's transformer as it is on disk: what an adapter is put on.

        Raises:
            StudentError: there is no such folder, or none that an adapter can name.
            ModelError: a pretrained model cannot be had, or is not what `options` say.
        """
        ...


def build_base(options: Model, texts: Sequence[str], folder: Path) -> Mapping[str, object]:
    """Write the starting checkpoint of any student, or a record of it: see `StudentModule.build_base`."""
    return _module(options).build_base(options, texts, folder)


def load_student(options: Model, base_folder: Path, device: str, dtype: str | None = None) -> "SentenceTransformer":
    """Load the starting checkpoint of any student, for tuning and for evaluation alike.

    Args:
        options: the student's entry under `model` in params.yaml.
        base_folder: what the stage base wrote.
        device: a torch device: "cpu", "cuda".
        dtype: of the weights; None for the entry's.

    Raises:
        StudentError: the base is missing, or was built by other options.
        ModelError: a pretrained model cannot be had, or is not what `options` say.
    """
    return _module(options).load(options, base_folder, device, dtype)


def weights_of(options: Model, base_folder: Path) -> Path:
    """Return where the weights lie that an adapter is put on: see `StudentModule.weights`."""
    return _module(options).weights(options, base_folder)


def _module(options: Model) -> StudentModule:
    kind = cast("StudentOptions", options).kind
    return cast("StudentModule", module(STUDENTS, "student", kind))
