"""The resolved view of params.yaml: what applies, with what a dataset overrides and what its task turns off."""

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from embedder.candidates import OFF_FOR_LABELS
from embedder.params.models import Params

_COMMENTS = 36


def resolved(params: Params) -> str:
    """Write as YAML the teacher, the student and the judge that are chosen, and the filter rules that apply to each dataset."""
    content = {
        "teacher": {params.teacher: params.teachers[params.teacher].model_dump(mode="json")},
        "student": {params.student: params.students[params.student].model_dump(mode="json")},
        "judge": {params.judge: params.judges[params.judge].model_dump(mode="json")},
        "filter": {name: _rules(params, name) for name in params.datasets},
    }
    yaml = YAML()
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    text = io.StringIO()
    yaml.dump(content, text)
    return text.getvalue()


def _rules(params: Params, name: str) -> Any:  # noqa: ANN401 - ruamel's map has no types
    """A dataset's rules, with a comment where they are not those of the section `filter`."""
    entry, common = params.datasets[name], params.filter.model_dump()
    rules = CommentedMap(params.filter_of(name).model_dump())
    for rule in common:
        if entry.labelled and rule in OFF_FOR_LABELS:
            rules[rule] = None
            rules.yaml_add_eol_comment(f"off for {entry.task}", rule, _COMMENTS)
        elif rule in entry.filter:
            rules.yaml_add_eol_comment(f"overrides {'null' if common[rule] is None else common[rule]}", rule, _COMMENTS)
    return rules
