"""From this repository's dvc.yaml and params.yaml to what `embedder init` writes: `python -m tests.starter` does it."""

import re

from tests import presets, project

PATH = project.ROOT / "embedder" / "starter" / "dvc.template.yaml"
PARAMS = PATH.with_name("params.template.yaml")
# Sections of params.yaml that a project starts with as they are.
SHARED = ("students", "finetune")

_HEADER = """\
# The pipeline: ingest@D -> mine@D -> filter@D -> judge@D -> materialize -> finetune -> evaluate -> report,
# with base beside them; D is each key of `datasets` in params.yaml. The stages' code is the installed package
# embedder; `version` in params.yaml stands for it: set to another version, everything runs again.
"""


def starter(dvc_yaml: str) -> str:
    """Return dvc.yaml without code deps, every stage tracking the key `version` instead."""
    body = dvc_yaml[dvc_yaml.index("stages:\n") :]
    body = re.sub(r"^ +- (?:stages|embedder)/.*\n", "", body, flags=re.MULTILINE)
    return _HEADER + re.sub(r"^( +)params:\n", r"\g<0>\1  - version\n", body, flags=re.MULTILINE)


def params(template: str, params_yaml: str) -> str:
    """Return the template of params.yaml with the sections that are this repository's."""
    shared = presets.sections(params_yaml)
    # `$` is the template's own sign.
    own = presets.sections(template.replace("\n$datasets\n", "\n  $datasets\n"))
    whole = "".join(shared[key].replace("$", "$$") if key in SHARED else own[key] for key in own)
    return whole.replace("\n  $datasets\n", "\n$datasets\n")


if __name__ == "__main__":
    whole = (project.ROOT / "params.yaml").read_text(encoding="utf-8")
    PARAMS.write_text(params(PARAMS.read_text(encoding="utf-8"), whole), encoding="utf-8")
    PATH.write_text(starter((project.ROOT / "dvc.yaml").read_text(encoding="utf-8")), encoding="utf-8")
