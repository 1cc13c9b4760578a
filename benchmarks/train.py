"""A training step with LoRA: this project's, and sentence-transformers' cached loss as it comes and as an expert tunes it.

Same weights, texts, masks, temperature and adapters: gradients must agree before a time is printed. A sequence is a text
of a row as its user counts it: a query, its positive, its seven negatives.

`python benchmarks/train.py` takes under 12 minutes on 2 cores that do nothing else. `python benchmarks/train.py --gpu`
makes steps of 2,048 rows with a model of Mistral-7B's shapes and random weights; what runs out of memory is tried again
with smaller mini-batches. Add `--tiny --device=cpu --square=256` to see that it runs.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING

import arms
import made_up
import numpy as np
import train_work
from train_work import LABELS, RETRIEVAL, TEXTS

if TYPE_CHECKING:
    from train_steps import Steps

_CLOSE = 1e-4
_DEFAULT_SIZE = 32
# Shares of a batch: what the peer is tuned on, and what is measured of what is no main arm.
_TRIED, _PART = 4, 8
_BUDGETS = {"cpu": (1_024, 2_048, 4_096), "cuda": (8_192, 16_384, 32_768)}
_PRODUCTS = 5
_OURS, _LEAN, _DEFAULT, _TUNED = "ours", "ours, no graphs kept", "ST, default", "ST, tuned"
_RIGHT, _KEPT, _STOCK = "ST, default, padded right, of an eighth", "all graphs kept, of an eighth", "ST, its own loss"
_COMPARED, _ONCE = (_OURS, _DEFAULT, _TUNED), (_LEAN, _RIGHT, _KEPT)
_COLUMNS = {"sequences_s": "sequences/s", "tokens_s": "useful tokens/s", "forward": "tokens forward / useful"}
_GPU = {"device": "cuda", "shape": "7b", "dtype": "bfloat16", "rows": 2_048, "warm_rows": 2_048, "warm": 2, "steps": 3}
_GPU |= {"rounds": 1, "longest": 256, "passages": 200_000, "square": 8_192}
_TINY = {"shape": "tiny", "rows": 16, "warm_rows": 4, "passages": 60, "mean": 24, "longest": 32}


def ours(asked: Namespace) -> arms.Result:
    """Make steps as the stage finetune does, graphs kept in half of the free memory."""
    import train_steps

    return train_steps.measured(asked, _OURS, lambda share: train_steps.ours(asked, None, share))


def lean(asked: Namespace) -> arms.Result:
    """Make steps as the stage does where no graph may be kept."""
    import train_steps

    return train_steps.measured(asked, _LEAN, lambda share: train_steps.ours(asked, 0.0, share))


def default(asked: Namespace) -> arms.Result:
    """Use the cached loss with its defaults, padded left as the tokenizers of Mistral's embedding models say."""
    return _peer(asked, _DEFAULT, "left")


def right(asked: Namespace) -> arms.Result:
    """Use it with its defaults and a tokenizer that pads right, whose columns the library trims; on an eighth of the rows."""
    return _whole(asked, _peer(_few(asked, _PART), _RIGHT, "right"))


def stock(asked: Namespace) -> arms.Result:
    """Use the library's loss as it is, which is the same where nothing repeats."""
    return _peer(asked, _STOCK, "right", stock=True)


def tuned(asked: Namespace) -> arms.Result:
    """Cut mini-batches of the best number of tokens from columns sorted by length; with flash-attn nothing is padded."""
    return _peer(asked, _TUNED, "right", ordered=True, budget=asked.budget)


def kept(asked: Namespace) -> arms.Result:
    """Encode 32 texts at a time and keep all graphs, as FlagEmbedding does; on an eighth of the rows, for want of memory."""
    import train_peers
    import train_steps

    few = _few(asked, _PART)

    def make(share: float) -> "Steps":
        model, size = train_peers.adapted(few, few.folder / "kept", "right"), max(1, int(_DEFAULT_SIZE * share))
        return train_peers.steps(few, model, lambda found: train_peers.kept(model, found, size))

    return _whole(asked, train_steps.measured(few, _KEPT, make))


def tune(asked: Namespace) -> arms.Result:
    """Find the cached loss's best number of tokens of a mini-batch here, on a quarter of the rows."""
    few = vars(_few(asked, _TRIED)) | {"warm": 1, "steps": 1}
    took = {
        budget: tuned(Namespace(**(few | {"budget": budget})))["seconds"]
        for budget in _BUDGETS[asked.device.partition(":")[0]]
    }
    return {"seconds": min(took.values()), "budget": min(took, key=lambda one: took[one])}


def peak(asked: Namespace) -> arms.Result:
    """Measure the device's rate of matrix products in the dtype that is computed in."""
    import torch
    import train_steps

    made, kind = torch.Generator().manual_seed(made_up.SEED), getattr(torch, asked.dtype)
    one, other = (torch.randn(asked.square, asked.square, generator=made).to(asked.device, kind) for _ in range(2))
    out = one @ other
    took = median(train_steps.seconds(asked, lambda: torch.mm(one, other, out=out)) for _ in range(_PRODUCTS))
    return {"seconds": took, "flops": 2 * float(asked.square) ** 3 / took}


def compare(asked: Namespace) -> None:
    """Print the tables of each workload, once all gradients agree."""
    _check_stock(asked)
    print(arms.heading(f"A training step: {asked.rows:,} rows of {TEXTS} texts, {asked.shape} Mistral", asked))
    asked.budget = asked.budget or arms.once(ARMS, "tune", asked)["budget"]
    for workload in (RETRIEVAL, LABELS):
        here = Namespace(**(vars(asked) | {"workload": workload}))
        first = arms.in_turn(ARMS, [*_COMPARED, *_ONCE], 1, here)
        apart = _apart(here, [*_COMPARED, _LEAN])
        again = arms.in_turn(ARMS, _COMPARED, here.rounds - 1, here)
        found = {name: [*first[name], *again[name]] for name in _COMPARED}
        _say_work(here, apart)
        print(arms.table(found, _OURS, **_COLUMNS), end="\n\n")
        print(arms.table({name: first[name] for name in (_OURS, *_ONCE)}, _OURS, **_COLUMNS), end="\n\n")
        _say_least(here, found[_OURS])


def _check_stock(asked: Namespace) -> None:
    """Compare ours with the library's own loss in float32, on a small batch in which no passage is twice."""
    few = {"rows": min(asked.rows, 32), "warm": 0, "steps": 1, "passages": 0, "workload": RETRIEVAL}
    shape = "small" if asked.shape == "7b" else asked.shape
    small = Namespace(**(vars(asked) | few | {"dtype": "float32", "shape": shape}))
    for name in (_OURS, _STOCK):
        arms.once(ARMS, name, small)
    _apart(small, [_STOCK])


def _apart(asked: Namespace, names: Sequence[str]) -> float:
    """Return how far the gradients of arms are from ours, in shares of their length.

    Raises:
        SystemExit: they differ. In bfloat16 they do by its rounding.
    """
    reference = np.load(asked.folder / f"{_OURS}.npy")
    found = {name: np.load(asked.folder / f"{name}.npy") for name in names}
    apart = {name: float(np.linalg.norm(one - reference) / np.linalg.norm(reference)) for name, one in found.items()}
    worst = max(apart, key=lambda name: apart[name])
    if asked.dtype == "float32" and not apart[worst] < _CLOSE:
        raise SystemExit(f"{worst}: its gradients are {apart[worst]:.1e} of their length from ours, more than {_CLOSE}")
    return apart[worst]


def _say_work(asked: Namespace, apart: float) -> None:
    found, total = train_work.columns(asked, asked.rows), TEXTS * asked.rows
    every, useful = train_work.tokens(found)
    distinct = len({text for column in found.texts for text in column})
    rounding = "" if asked.dtype == "float32" else f", which is {asked.dtype}'s rounding"
    print(f"### {asked.workload}\n\n{total:,} sequences of {every / total:.0f} tokens on average. ", end="")
    print(f"{distinct:,} of them are distinct, with {useful:,} tokens, the useful ones. ", end="")
    print(f"Gradients differ by at most {apart:.1e} of their length{rounding}. ", end="")
    print(f"Tuned: mini-batches of {asked.budget:,} tokens, the best here.\n")


def _say_least(asked: Namespace, ran: Sequence[arms.Result]) -> None:
    """Print how long the useful tokens' products take at the machine's own rate, and their share of our time."""
    rate = arms.once(ARMS, "peak", asked)["flops"]
    _, useful = train_work.tokens(train_work.columns(asked, asked.rows))
    took, share = median(one["seconds"] for one in ran), median(one["kept"] for one in ran)
    print(
        f"Products of {asked.square} x {asked.square} in {asked.dtype}: {rate / 1e9:,.0f} GFLOP/s. At that rate ",
        end="",
    )
    for passes, said in ((2, "forward and backward"), (3, "with a second forward pass")):
        least = passes * 2 * train_work.weights(asked) * useful / rate
        print(f"{said} take {least:.2f} s, {100 * least / took:.0f} % of ours; ", end="")
    print(f"ours kept the graphs of {100 * share:.0f} %. Adapters, attention and padding are not counted.\n")


def _few(asked: Namespace, part: int) -> Namespace:
    """Return options of a batch of which only a part is taken."""
    rows = max(2, asked.rows // part)
    return Namespace(**(vars(asked) | {"rows": rows, "warm_rows": min(rows, asked.warm_rows)}))


def _whole(asked: Namespace, found: arms.Result) -> arms.Result:
    """Scale the seconds of a part of a batch to a whole one's; rates are as they are."""
    return found | {"seconds": TEXTS * asked.rows / found["sequences_s"]}


def _peer(
    asked: Namespace, name: str, side: str, *, budget: int | None = None, ordered: bool = False, stock: bool = False
) -> arms.Result:
    import train_peers
    import train_steps

    flash = ordered and asked.dtype != "float32" and find_spec("flash_attn") is not None

    def make(share: float) -> "Steps":
        model = train_peers.adapted(asked, asked.folder / "peer", side, "flash_attention_2" if flash else "sdpa")
        size, tokens = max(1, int(_DEFAULT_SIZE * share)), budget and max(1, int(budget * share))
        return train_peers.steps(
            asked,
            model,
            lambda found: train_peers.cached(model, found, size, tokens, ordered=ordered, stock=stock),
        )

    return train_steps.measured(asked, name, make)


def _parser() -> ArgumentParser:
    numbers = {"rows": 256, "warm_rows": 8, "warm": 1, "steps": 1, "mean": 80, "longest": 128, "passages": 8_000}
    made = arms.parser(__doc__, **numbers, rounds=5, budget=0, square=4_096)
    made.add_argument("--device", default="cpu")
    made.add_argument("--shape", default="small", choices=train_work.SHAPES)
    made.add_argument("--dtype", default="float32", help="of the frozen weights and of products")
    made.add_argument("--workload", default=RETRIEVAL, help="of an arm; a comparison has both")
    made.add_argument("--gpu", action="store_true", help="sizes for a GPU and 7B shapes")
    made.add_argument("--tiny", action="store_true", help="sizes of a trial")
    return made


def _asked() -> Namespace:
    """Read the options; those that are written win over what `--gpu` and `--tiny` stand for."""
    parser = _parser()
    sizes = parser.parse_args()
    parser.set_defaults(**(_GPU if sizes.gpu else {}) | (_TINY if sizes.tiny else {}))
    asked = parser.parse_args()
    del asked.gpu, asked.tiny
    return asked


ARMS: dict[str, arms.Arm] = {
    _OURS: ours,
    _LEAN: lean,
    _DEFAULT: default,
    _RIGHT: right,
    _STOCK: stock,
    _TUNED: tuned,
    _KEPT: kept,
    "tune": tune,
    "peak": peak,
}

if __name__ == "__main__":
    arms.main(ARMS, _asked(), compare)
