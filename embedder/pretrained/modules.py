"""The modules of a sentence-transformers folder, as its modules.json lists them: read, checked, built."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder.errors import ModelError
from embedder.pretrained.intact import intact

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

# What sentence-transformers calls the poolings of params.yaml.
POOLINGS = {"cls": "cls", "mean": "mean", "last_token": "lasttoken", "weighted_mean": "weightedmean"}
KNOWN = ("Transformer", "Pooling", "Normalize", "Dense", "WordWeights")


@dataclass(frozen=True)
class Part:
    """One module of a folder.

    Attributes:
        kind: its class in sentence-transformers.
        folder: where its config and weights lie, relative to the model's folder; empty for the folder itself.
    """

    kind: str
    folder: str


def parts_of(path: Path, what: str) -> tuple[Part, ...]:
    """List the modules of the folder `path`, in order; none where it has no modules.json.

    Args:
        path: a model's folder.
        what: the words before an error: "student 'x'".

    Raises:
        ModelError: modules.json cannot be read, or lists modules this program does not build.
    """
    listing = path / "modules.json"
    if not listing.exists():
        return ()
    try:
        written = json.loads(listing.read_text(encoding="utf-8"))
        parts = tuple(Part(_kind(module["type"]), module["path"]) for module in written)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{what}: {listing} is no list of modules ({error!r}); download the model again") from error
    for part in parts:
        _check_part(part, what)
    if [part.kind for part in parts].count("Transformer") != 1 or parts[0].kind != "Transformer":
        raise ModelError(f"{what}: {listing} must start with its one Transformer; this model cannot be used")
    return parts


def pooling_of(path: Path, what: str) -> str | None:
    """Return the pooling of a folder in the words of params.yaml, in the library's where they have none.

    Returns:
        None where the folder has no modules.json, or that no Pooling.

    Raises:
        ModelError: see `parts_of`.
    """
    found = [_pooling(path / part.folder) for part in parts_of(path, what) if part.kind == "Pooling"]
    ours = {theirs: mode for mode, theirs in POOLINGS.items()}
    return ours.get(found[0], found[0]) if found else None


def normalises(path: Path, what: str) -> bool:
    """Return whether a folder's vectors have length 1: whether its modules.json ends with Normalize.

    Raises:
        ModelError: see `parts_of`.
    """
    parts = parts_of(path, what)
    return bool(parts) and parts[-1].kind == "Normalize"


def check_pooling(path: Path, pooling: str, what: str) -> None:
    """A folder that says how its vectors are made must say what the entry says, or the model is another.

    Raises:
        ModelError: the folder's pooling is not `pooling`.
    """
    found = pooling_of(path, what)
    if found != pooling and parts_of(path, what):
        raise ModelError(f"{what}: pools by {found or 'nothing'}, not by {pooling}; correct `pooling`")


def build(path: Path, part: Part, what: str) -> "nn.Module":
    """Build a module other than the Transformer from its folder.

    Raises:
        ModelError: its weights are no safetensors, or it cannot be built.
    """
    from sentence_transformers.sentence_transformer import modules

    if part.kind == "Dense" and not (path / part.folder / "model.safetensors").is_file():
        raise ModelError(f"{what}: its {part.kind} module has no model.safetensors; convert its weights")
    load: Callable[..., Any] = getattr(modules, part.kind).load
    with intact(path / part.folder, f"{what}: its {part.kind} module"):
        return load(str(path), subfolder=part.folder, local_files_only=True)  # type: ignore[no-any-return]


def _kind(name: str) -> str:
    library, _, kind = name.rpartition(".")
    return kind if library.partition(".")[0] == "sentence_transformers" else name


def _check_part(part: Part, what: str) -> None:
    if part.kind not in KNOWN:
        raise ModelError(f"{what}: has a module {part.kind}, none of {', '.join(KNOWN)}; this model cannot be used")
    if Path(part.folder).is_absolute() or ".." in Path(part.folder).parts:
        raise ModelError(f"{what}: its module {part.kind} lies outside its folder; this model cannot be used")


def _pooling(folder: Path) -> str:
    from sentence_transformers.sentence_transformer.modules import Pooling

    config = Pooling.load_config(str(folder))
    mode = config.get("pooling_mode", "mean")
    return mode if isinstance(mode, str) else "+".join(mode)
