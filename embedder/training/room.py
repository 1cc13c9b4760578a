"""How many bytes of memory are free, on the device that trains."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_ROOT = Path("/")
# Of a control group, by version 2 and 1: what it may have, what it has, and what of that the kernel would drop.
_LIMITS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def free_bytes(device: "torch.device") -> int:
    """Return what is free on a GPU, or to this process on a CPU; 0 where nothing tells."""
    import torch

    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + held
    return free_on_host() if device.type == "cpu" else 0


def free_on_host(root: Path = _ROOT) -> int:
    """Return what the system and every control group that this process is in leave free; 0 where nothing tells.

    Args:
        root: where Linux's /proc and /sys are.
    """
    rooms = [*_available(root / "proc" / "meminfo"), *_of_groups(root)]
    return max(0, min(rooms, default=0))


def _available(meminfo: Path) -> Iterator[int]:
    if meminfo.exists():
        words = (line.split() for line in meminfo.read_text(encoding="utf-8").splitlines())
        yield from (int(line[1]) * 1024 for line in words if line[0] == "MemAvailable:")


def _of_groups(root: Path) -> Iterator[int]:
    listed = root / "proc" / "self" / "cgroup"
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else ():
        _, controllers, place = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys" / "fs" / "cgroup" / ("memory" if controllers else "")
        folder = top / place.lstrip("/")
        # A limit holds for all groups below; in a container the path may be the host's, and only the top is there.
        for one in (folder, *folder.parents):
            if one.is_relative_to(top):
                yield from _of_group(one)


def _of_group(folder: Path) -> Iterator[int]:
    for limit, usage, droppable in _LIMITS:
        if (folder / limit).exists() and (folder / usage).exists():
            most = (folder / limit).read_text(encoding="utf-8").strip()
            if most.isdigit():
                words = (line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
                dropped = sum(int(value) for name, value in words if name == droppable)
                yield int(most) - int((folder / usage).read_text(encoding="utf-8")) + dropped
