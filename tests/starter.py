"""From this repository's dvc.yaml to the one that `embedder init` writes: `python -m tests.starter` does it."""

import re

from tests import project

PATH = project.ROOT / "embedder" / "starter" / "dvc.template.yaml"

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


if __name__ == "__main__":
    PATH.write_text(starter((project.ROOT / "dvc.yaml").read_text(encoding="utf-8")), encoding="utf-8")
