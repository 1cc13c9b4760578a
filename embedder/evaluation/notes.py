"""What a reader must know beside a figure, in one line a dataset."""

from collections.abc import Mapping

from embedder.evaluation.dev import Scores
from embedder.params.models import Dataset

_PROXIES = {"doc-similarity": "a proxy: its grades are made of names and See Also links, nobody judged them"}


def note(entry: Dataset, scores: Mapping[str, Scores], baselines: Mapping[str, float], set_aside: int = 0) -> str:
    """Say what stands beside the dataset's figure: AMI, baselines, a proxy's grades, queries that are left out."""
    beside = {name: {model: s.facts[name] for model, s in scores.items()} for name in next(iter(scores.values())).facts}
    parts = [f"{name.upper()} {_figures(by_model)}" for name, by_model in beside.items()]
    if baselines:
        parts.append(f"without the model: {_figures(baselines)}")
    if proxy := _PROXIES.get(_view(entry)):
        parts.append(proxy)
    if set_aside:
        parts.append(f"{set_aside:,} dev queries more are left out: finetune.selection chose by their groups")
    return "; ".join(parts)


def is_proxy(entry: Dataset) -> bool:
    """Whether the dataset's grades only stand for what its task means."""
    return _view(entry) in _PROXIES


def _view(entry: Dataset) -> str:
    return str(getattr(entry.source, "view", ""))


def _figures(named: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in named.items())
