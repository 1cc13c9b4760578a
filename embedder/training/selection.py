"""What there is to choose after training: a run or the average of several, and how far from the base towards it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from embedder.training.states import State

_IN, _OUT = ".lora_A.", ".lora_B."


@dataclass(frozen=True)
class Candidate:
    """One thing to choose.

    Attributes:
        seeds: of the runs that are averaged; one alone is that run.
        scale: 0 would be the base, 1 is as trained.
    """

    seeds: tuple[int, ...]
    scale: float


@dataclass(frozen=True)
class Choice:
    """What was chosen, and the scores of all there was."""

    candidate: Candidate
    scores: dict[Candidate, float]

    def report(self) -> dict[str, object]:
        """What report.json says; scores to six digits."""
        rows = [asdict(one) | {"score": round(score, 6)} for one, score in self.scores.items()]
        chosen = asdict(self.candidate) | {"score": round(self.scores[self.candidate], 6), "why": self.why}
        return {"candidates": rows, "chosen": chosen}

    @property
    def line(self) -> str:
        """What was chosen and why, in one line."""
        seeds = " and ".join(map(str, self.candidate.seeds))
        score = f"scale {self.candidate.scale:g}, score {self.scores[self.candidate]:.6f}"
        return f"run{'s' * (len(self.candidate.seeds) > 1)} of seed {seeds}, {score}: {self.why}"

    @property
    def why(self) -> str:
        """Why it was chosen."""
        equal = sum(score == self.scores[self.candidate] for score in self.scores.values())
        if len(self.scores) == 1:
            return "there is nothing else"
        if equal == 1:
            return f"the highest of {len(self.scores)} scores"
        return f"of {equal} equal highest scores that closest to scale 1, then of fewer runs, then of the smallest seed"


def choose(
    among: Iterable[Candidate],
    put: Callable[[Candidate], None],
    score: Callable[[], float],
    known: Mapping[Candidate, float],
) -> Choice:
    """Score every candidate, and leave the best one in the model.

    Args:
        among: at least one.
        put: has the model hold a candidate.
        score: scores what the model holds, the higher, the better.
        known: scores that need not be taken again.
    """
    found = {}
    for one in among:
        if one not in known:
            put(one)
        found[one] = known[one] if one in known else score()
    chosen = best(found)
    put(chosen)
    return Choice(chosen, found)


def candidates(seeds: Sequence[int], scales: Sequence[float]) -> Iterator[Candidate]:
    """Yield every run at every scale, then the average of all runs, where there are several, at every scale."""
    parts = [(seed,) for seed in seeds] + ([tuple(seeds)] if len(seeds) > 1 else [])
    for part in parts:
        for scale in dict.fromkeys(scales):
            yield Candidate(part, scale)


def best(scores: Mapping[Candidate, float]) -> Candidate:
    """The highest score; of equals what is closest to as trained, then what is of fewer runs, then the smallest seed."""
    return min(scores, key=lambda one: (-scores[one], abs(math.log(one.scale)), len(one.seeds), one.seeds, one.scale))


def scaled(state: "Mapping[str, Tensor]", scale: float, start: "Mapping[str, Tensor] | None") -> "State":
    """Go `scale` of the way from the base to what was trained: W + scale * (trained - W), for every weight matrix W.

    An adapter's output is linear in its second matrix, so scaling that one scales what it adds to W (as WiSE-FT
    interpolates weights: Wortsman et al. 2022, arXiv 2109.01903). Scale 1 changes no bit.

    Args:
        state: the trained weights, by name.
        scale: above 0; above 1 goes on beyond them.
        start: the weights that training started with, where all were trained; None where adapters were.
    """
    if scale == 1:
        return dict(state)
    if start is None:
        return {name: value * scale if _OUT in name else value for name, value in state.items()}
    return {name: start[name] + scale * (value - start[name]) for name, value in state.items()}


def averaged(states: "Sequence[Mapping[str, Tensor]]", *, adapters: bool) -> "State":
    """The mean of what several runs made of one base (model soups: Wortsman et al. 2022, arXiv 2203.05482).

    The mean of the products of adapters is no product of mean adapters. It is that of all their matrices side by side:
    1/n (B1 A1 + ... + Bn An) = [B1 ... Bn] / n [A1; ...; An], an adapter n times as wide.

    Args:
        states: the trained weights of each run, by name.
        adapters: whether they are LoRA adapters of one alpha / r.
    """
    import torch

    if len(states) == 1:
        return dict(states[0])
    found = {}
    for name in states[0]:
        values = [state[name] for state in states]
        if adapters and _IN in name:
            found[name] = torch.cat(values, dim=0)
        elif adapters:
            found[name] = torch.cat(values, dim=1) / len(values)
        else:
            found[name] = torch.stack(values).mean(dim=0)
    return found
