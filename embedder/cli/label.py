"""`embedder show --label`: a person says of sampled pairs whether the passage is relevant."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from embedder import labels
from embedder.cli.terminal import console, visible, whole
from embedder.labels import Verdict, Verdicts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from rich.console import Console

    from embedder.contamination.estimate import Contamination
    from embedder.contamination.shares import Interval
    from embedder.judges import Pairs

_VERDICTS = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "?": "unsure"}
_BACK, _QUIT = frozenset({"b", "back"}), frozenset({"q", "quit"})
_QUESTION = "relevant? y yes, n no, ? unsure, b back, q quit: "
# A person who scrolls through more has forgotten the query.
_SHOWN = 6_000
_SCORES = {"yes": 1.0, "no": 0.0, "unsure": float("nan")}


def label(dataset: str, most: int) -> None:
    """Ask for up to `most` verdicts on the dataset's sample, and store each at once in labels/DATASET.csv.

    The pairs come in an order that mixes what the filter kept with known positives and random passages; which is which
    is not shown, nor are ranks and scores.

    Args:
        dataset: its name.
        most: how many.

    Raises:
        EmbedderError: the dataset has no sample, or the file of verdicts is not as it was written.
    """
    from embedder import layout, schemas
    from embedder.contamination.estimate import estimate
    from embedder.errors import EmbedderError
    from embedder.judges import texts
    from embedder.params.load import dataset_of, load

    params = load()
    instruction = dataset_of(params, dataset).instruction
    sample = schemas.read(layout.table("filter", dataset, "sample"), schemas.SAMPLE)
    if not sample.num_rows:
        raise EmbedderError(f"dataset '{dataset}' has no sample to label: leak.sample is 0, or its passages are labels")
    path, sample = layout.labels(dataset), shuffled(sample, params.leak.seed, dataset)
    pairs, verdicts, out = texts.read(dataset, sample), labels.read(path), console()
    said = ask(out, instruction, pairs, path, verdicts, most)
    scores = _scores(pairs, verdicts)
    _print_end(out, path, said, pairs, verdicts)
    _print_estimate(out, estimate(_labels(sample, scores), params.leak))


def shuffled(sample: "pa.Table", seed: int, dataset: str) -> "pa.Table":
    """Return the rows of a sample in random order, the same for the same seed, each kind spread over all of it.

    So whoever stops early has labelled some of every kind.
    """
    import numpy as np
    import pyarrow as pa

    from embedder.seeds import rng

    generator, kinds = rng(seed, "label", dataset), np.array(sample["kind"].to_pylist(), np.str_)
    at = np.empty(len(kinds))
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        at[rows] = (generator.permutation(len(rows)) + generator.random(len(rows))) / len(rows)
    return sample.take(pa.array(np.argsort(at, kind="stable")))


def ask(out: "Console", instruction: str, pairs: "Pairs", path: Path, verdicts: Verdicts, most: int) -> int:
    """Ask about the first `most` pairs that have no verdict; `verdicts` and the file take each as it comes.

    Returns:
        On how many of them there is a verdict now.
    """
    open_ones = [place for place in range(len(pairs)) if not _verdict(pairs, place, verdicts)][:most]
    at = 0
    while at < len(open_ones):
        place = open_ones[at]
        _print_pair(out, f"{at + 1} of {len(open_ones)}", instruction, pairs.queries[place], pairs.passages[place])
        answer = _answer(out)
        if answer in _QUIT:
            break
        if answer in _BACK:
            at = max(at - 1, 0)
            continue
        of = labels.texts_hash(pairs.queries[place], pairs.passages[place])
        pair = pairs.query_ids[place], pairs.passage_ids[place]
        verdicts |= labels.add(path, pair, Verdict(_VERDICTS[answer], of))
        at += 1
    return sum(_verdict(pairs, place, verdicts) is not None for place in open_ones)


def _verdict(pairs: "Pairs", place: int, verdicts: Verdicts) -> Verdict | None:
    """Return the verdict on a pair, if it is on these texts."""
    found = verdicts.get((pairs.query_ids[place], pairs.passage_ids[place]))
    return found if found and found.is_of(pairs.queries[place], pairs.passages[place]) else None


def _answer(out: "Console") -> str:
    """Ask until the answer is one; the end of the input quits."""
    while True:
        try:
            answer = input(_QUESTION).strip().casefold()
        except (EOFError, KeyboardInterrupt):
            out.print()
            return "q"
        if answer in _VERDICTS or answer in _BACK | _QUIT:
            return answer
        out.print("Type y, n, ?, b or q, then Enter.")


def _print_pair(out: "Console", number: str, instruction: str, query: str, passage: str) -> None:
    out.print()
    out.rule(Text(number, style="dim"), align="left", style="dim")
    for name, text in (("instruction", instruction), ("query", query), ("passage", passage)):
        out.print(Text(name, style="dim"))
        out.print(Text(whole(text[:_SHOWN])), soft_wrap=False)
        if len(text) > _SHOWN:
            out.print(Text(f"... and {len(text) - _SHOWN:,} more characters", style="dim"))
    out.print()


def _scores(pairs: "Pairs", verdicts: Verdicts) -> "NDArray[np.float32]":
    import numpy as np

    said = (_verdict(pairs, place, verdicts) for place in range(len(pairs)))
    return np.array([_SCORES[one.verdict] if one else np.nan for one in said], np.float32)


def _labels(sample: "pa.Table", scores: "NDArray[np.float32]") -> "pa.Table":
    import numpy as np

    from embedder.judging import Said
    from embedder.judging import labels as judged

    return judged(sample, np.arange(len(scores)), Said(scores, np.empty(0, np.int64), 1.0))


def _print_end(out: "Console", path: Path, said: int, pairs: "Pairs", verdicts: Verdicts) -> None:
    every = [_verdict(pairs, place, verdicts) for place in range(len(pairs))]
    counts = [f"{name} {sum(one is not None and one.verdict == name for one in every):,}" for name in labels.VERDICTS]
    done = sum(one is not None for one in every)
    out.print()
    out.print(f"{said:,} verdicts now; {done:,} of {len(pairs):,} pairs have one: {', '.join(counts)}", soft_wrap=True)
    out.print(visible(f"{path}  keep it in git; `judge: person` reads it"), soft_wrap=True)


def _print_estimate(out: "Console", found: "Contamination") -> None:
    """Print what the verdicts say of contamination, with what they cannot say."""
    from embedder.contamination.estimate import WORDS

    out.print()
    for line in (*estimate_lines(found), *(WORDS if found.share else ())):
        out.print(line, soft_wrap=True)


def estimate_lines(found: "Contamination", whose: str = "your") -> list[str]:
    """Say in lines what is known of contamination and of the judge."""
    if found.share is None:
        return [f"contamination: cannot be told yet: {found.cannot_tell}"]
    share = found.share
    known = (
        f"below {share.upper:.1%}; so many verdicts tell no smaller share from none"
        if found.upper_only
        else _interval(share.interval)
    )
    lines = [f"contamination of what the filter kept: {known}"]
    if found.unlabelled:
        lines.append(f"{found.unlabelled:.1%} of it lies in strata without a verdict, of which this says nothing")
    for name, interval in (("sensitivity", found.sensitivity), ("specificity", found.specificity)):
        lines += [f"{whose} {name}: {_interval(interval)}"] if interval else []
    return lines


def _interval(found: "Interval") -> str:
    return f"{found.estimate:.1%} ({found.low:.1%} to {found.high:.1%})"
