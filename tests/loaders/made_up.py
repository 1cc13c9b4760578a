"""Made-up packages and definitions for the tests of python-env."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from embedder.loaders.python_env import Options, View
from embedder.loaders.python_env.parse import Definition
from embedder.loaders.python_env.rows import Entry

ROOT = Path(__file__).resolve().parents[2]
# Loads views in a process of its own. The libraries are imported before the path changes: the packages there have no
# compiled parts and are only read.
SCRIPT = """
import json, sys, pandas, scipy.sparse.csgraph, sklearn.feature_extraction.text
from pathlib import Path
from embedder.loaders.python_env import Options, load
site, lock, packages, views = json.loads(sys.argv[1])
sys.path.insert(0, site)
common = {"loader": "python-env", "packages": packages, "versions": "locked", "dev_share": 0.25}
for view in views:
    within = "scipy" if view == "package-topic" else None
    print(load(Options(view=view, within=within, **common), Path(lock)).facts["digest"])
"""
_PLAIN = Definition(
    id="", kind="function", package="", module="", file="", line=1, parameters=[], summary="", body="", see_also=[],
    code="", statements=0,
)  # fmt: skip


def install(site: Path, name: str, files: Mapping[str, str], version: str = "1.0", distribution: str = "") -> None:
    """Write the source files of a package and the metadata of its installation below `site`."""
    distribution = distribution or name
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    for file, source in ({"__init__.py": ""} | dict(files)).items():
        path = site / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
    listed = sorted(path.relative_to(site).as_posix() for path in (site / name).rglob("*.py"))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in [*listed, f"{info.name}/METADATA"]))


def function(name: str, docstring: str, body: str = "return None", head: str = "x, y") -> str:
    """Return the source of a function."""
    text = f'def {name}({head}):\n    """{textwrap.dedent(docstring).strip()}\n    """\n'
    return text + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n\n\n"


def definition(id_: str, summary: str = "", **changes: object) -> Definition:
    """Return a function of a module, or a method where `owner` is in the id: `package.module:Class.name`."""
    module, _, path = id_.partition(":") if ":" in id_ else id_.rpartition(".")
    plain = replace(
        _PLAIN,
        id=id_.replace(":", "."),
        kind="method" if "." in path else "function",
        package=module.split(".")[0],
        module=module,
        file=f"{module.replace('.', '/')}.py",
        summary=summary or f"Summary of {id_}",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def entries(
    definitions: Sequence[Definition], dev: Sequence[str] = (), groups: Mapping[str, str] | None = None
) -> list[Entry]:
    """Return entries sorted by id; those named in `dev` are dev, and each is its own group unless `groups` says."""
    ordered = sorted(definitions, key=lambda d: d.id)
    return [Entry(d, (groups or {}).get(d.id, d.id), "dev" if d.id in dev else "train") for d in ordered]


def options(view: View, packages: Sequence[str]) -> Options:
    """Return the options of a view as params.yaml has them."""
    within = "scipy" if view == "package-topic" else None
    return Options(
        loader="python-env", view=view, packages=list(packages), versions="locked", dev_share=0.25, within=within
    )


def start(
    folder: Path, site: Path, lock: Path, packages: Sequence[str], views: Sequence[View], hash_seed: str
) -> subprocess.Popen[str]:
    """Start loading views in a new process that works in the new `folder` and reads the packages of `site`."""
    folder.mkdir(parents=True)
    argument = json.dumps([str(site), str(lock), list(packages), list(views)])
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, argument]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def digests(process: subprocess.Popen[str]) -> list[str]:
    """Wait for what `start` started and return the digests it printed."""
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output.split()
