"""The documentation and code of installed packages, as six datasets with one split."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import Field, model_validator

from embedder.errors import SourceError
from embedder.params.base import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedder.loaders import Source
    from embedder.loaders.python_env.definitions import Definitions
    from embedder.loaders.python_env.packages import Package
    from embedder.loaders.python_env.rows import Rows

View = Literal["pydoc-search", "code-search", "see-also", "doc-similarity", "package-topic", "module-cluster"]


class Options(Model):
    """Which packages are parsed, and which of the six datasets is made of them.

    Attributes:
        within: which of `packages` has the subpackages that package-topic tells apart; null for the other views.
    """

    loader: Literal["python-env"]
    view: View
    packages: Annotated[list[str], Field(min_length=1)]
    versions: Literal["locked", "any"]
    dev_share: Annotated[float, Field(gt=0, lt=1)]
    within: str | None

    @model_validator(mode="after")
    def _consistent(self) -> "Options":
        if self.view == "package-topic" and self.within not in self.packages:
            raise ValueError(f"within: view package-topic needs one of its packages: {', '.join(self.packages)}")
        if self.view != "package-topic" and self.within is not None:
            raise ValueError(f"within: must be null for view {self.view}")
        return self

    @property
    def split_key(self) -> tuple[object, ...]:
        """What fixes the split that all six datasets share."""
        return tuple(self.packages), self.versions, self.dev_share


def load(options: Model, path: Path) -> "Source":
    """Make the dataset `options.view` of the installed packages that the lock file `path` pins.

    Raises:
        SourceError: a package is missing, has another version than the lock, or has nothing for this view.
    """
    from embedder.loaders.python_env import definitions, packages, rows

    chosen = cast("Options", options)
    found = packages.installed(chosen.packages, path, chosen.versions)
    every = definitions.read(found, chosen.versions)
    made = _view(chosen, found, every) if every.rows else rows.Rows()
    if not made.queries:
        raise SourceError(
            f"python-env: view '{chosen.view}' finds nothing in {', '.join(chosen.packages)}; add packages"
        )
    made.facts |= _facts(found, every)
    made.rejects = [*every.rejects, *made.rejects]
    return rows.source(made)


def _view(options: Options, found: "Sequence[Package]", every: "Definitions") -> "Rows":
    from embedder.loaders.python_env import labels, retrieval, see_also, similarity
    from embedder.loaders.python_env.rows import Entry

    entries = [Entry(*row) for row in zip(every.rows, every.groups, every.splits(options.dev_share), strict=True)]
    names = sorted({name for package in found for name in (package.name, package.distribution)})
    within = {package.name for package in found if package.distribution == options.within}
    match options.view:
        case "pydoc-search":
            return retrieval.pydoc_search(entries)
        case "code-search":
            return retrieval.code_search(entries)
        case "see-also":
            return see_also.see_also(entries)
        case "doc-similarity":
            return similarity.doc_similarity(entries)
        case "package-topic":
            return labels.package_topic(entries, names, within)
        case "module-cluster":
            return labels.module_cluster(entries, names, options.dev_share)


def _facts(found: "Sequence[Package]", every: "Definitions") -> dict[str, object]:
    from embedder.loaders.python_env.rows import counts

    sizes = counts(every.groups)
    return {
        "versions": {package.distribution: package.version for package in found},
        "definitions": counts(row.kind for row in every.rows),
        "undocumented": every.undocumented,
        "groups": len(sizes),
        "largest_group": max(sizes.values(), default=0),
    }
