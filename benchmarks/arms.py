"""Run the arms of a comparison in turn, each in a fresh process, and print medians and ratios in Markdown.

A script names its arms: functions of its options that measure one thing. It starts itself once for every arm and round,
with `--arm NAME --folder FOLDER`; what that process prints last is one line of JSON.
"""

import json
import os
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Any

from embedder.devices import bfloat16_flag

Result = dict[str, Any]
"""`seconds` and `peak_mb` of what was measured, and whatever else an arm has to say."""
Arm = Callable[[Namespace], Result]

_PACKAGES = (
    "torch",
    "faiss-cpu",
    "faiss-gpu",
    "flash-attn",
    "sentence-transformers",
    "transformers",
    "bm25s",
    "numba",
    "rank-bm25",
)
# From here on no decimals are shown.
_MANY = 1_000
# macOS counts bytes, Linux kilobytes.
_MAXRSS_IN_MB = 2**20 if sys.platform == "darwin" else 2**10


def parser(script: str | None, **numbers: int) -> ArgumentParser:
    """Return a parser of options that are whole numbers with defaults, and of what all scripts have."""
    made = ArgumentParser(description=script)
    for name, default in numbers.items():
        made.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default {default:,}")
    made.add_argument("--trial", action="store_true", help="all arms in this process: peaks and times mean little")
    made.add_argument("--arm", help="measure this alone; the script does so itself")
    made.add_argument("--folder", type=Path, help="where the arms share files")
    return made


@contextmanager
def measured() -> Iterator[Result]:
    """Measure the block: what is yielded has `seconds` and the process's `peak_mb` at its end."""
    found: Result = {}
    start = time.perf_counter()
    yield found
    found["seconds"] = time.perf_counter() - start
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_IN_MB


def process(command: Sequence[str], folder: Path) -> tuple[float, float, str]:
    """Run a command in `folder`; return its seconds, its peak memory in MB, and what it printed."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - our own
        printed = running.stdout.read() if running.stdout else ""
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)[:200]}: ended with {running.returncode}")
    return time.perf_counter() - start, used.ru_maxrss / _MAXRSS_IN_MB, printed


def once(arms: Mapping[str, Arm], name: str, asked: Namespace, **more: object) -> Result:
    """Measure one arm in a process of its own.

    Args:
        arms: the script's.
        name: which.
        asked: the script's options, with the folder.
        more: options that this time differ.
    """
    if asked.trial:
        return arms[name](Namespace(**(vars(asked) | more)))
    named = vars(asked) | more | {"arm": name}
    options = [f"--{key.replace('_', '-')}={value}" for key, value in named.items() if key != "trial"]
    # As the stages set it: two libraries' waiting threads would take the cores from each other, in every arm.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    command = [sys.executable, sys.argv[0], *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - this script
    if ran.returncode:
        raise SystemExit(f"{name}: failed\n{ran.stderr}")
    result: Result = json.loads(ran.stdout.splitlines()[-1])
    return result


def in_turn(
    arms: Mapping[str, Arm], names: Sequence[str], rounds: int, asked: Namespace, **more: object
) -> dict[str, list[Result]]:
    """Measure A B C A B C ..., so that a slow minute of the machine meets all arms."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            results[name].append(once(arms, name, asked, **more))
            print(f"{number + 1}/{rounds} {name}: {results[name][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    return results


def table(results: Mapping[str, Sequence[Result]], reference: str, **columns: str) -> str:
    """Return medians, and their ratios to the arm `reference` (medians of the ratios of each round).

    Args:
        results: of every arm, round by round.
        reference: what the others are compared with.
        columns: more keys of results, and their headings.
    """
    head = ["arm", "seconds", "fastest-slowest", "time ratio", "peak MB", "memory ratio", *columns.values()]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, ran in results.items():
        seconds = [one["seconds"] for one in ran]
        lines.append([
            name,
            f"{median(seconds):.2f}",
            f"{min(seconds):.2f}-{max(seconds):.2f}",
            f"{_ratio(ran, results[reference], 'seconds'):.2f}",
            f"{median(one['peak_mb'] for one in ran):,.0f}",
            f"{_ratio(ran, results[reference], 'peak_mb'):.2f}",
            *(_shown([one[key] for one in ran if key in one]) for key in columns),
        ])  # fmt: skip
    said = f"Ratios are to {reference}, medians over {len(results[reference])} rounds in turn."
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in lines), "", said])


def machine() -> str:
    """Name the processor, its memory and the packages that decide the times."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    bfloat16 = bfloat16_flag() or "no bfloat16 instructions"
    packages = ", ".join(filter(None, map(_version, _PACKAGES)))
    return f"{_processor()}, {cores} cores ({bfloat16}), {memory:.0f} GiB; Python {python_version()}, {packages}."


def heading(title: str, asked: Namespace) -> str:
    """Return the title of a script's results, its machine, and the command that repeats them."""
    options = " ".join(
        f"--{key.replace('_', '-')} {value}"
        for key, value in vars(asked).items()
        if key not in ("arm", "folder", "trial")
    )
    return f"## {title}\n\n{machine()}\n\n    python benchmarks/{Path(sys.argv[0]).name} {options}\n"


def main(arms: Mapping[str, Arm], asked: Namespace, compare: Callable[[Namespace], None]) -> None:
    """Measure the one arm that is asked for, or compare them all in a folder that is deleted afterwards."""
    from tempfile import TemporaryDirectory

    if asked.arm:
        print(json.dumps(arms[asked.arm](asked)))
        return
    with TemporaryDirectory(prefix="bench-") as folder:
        asked.folder = Path(folder)
        compare(asked)


def _ratio(ran: Sequence[Result], reference: Sequence[Result], key: str) -> float:
    return median(float(one[key] / other[key]) for one, other in zip(ran, reference, strict=True))


def _shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    value = median(values)
    return f"{value:,.0f}" if value >= _MANY else f"{value:.4g}"


def _version(package: str) -> str:
    """Return a package's name and version, nothing where it is not installed."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
