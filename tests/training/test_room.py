"""What memory is free, as Linux and its control groups tell."""

from pathlib import Path

import pytest
import torch

from embedder.training.room import free_bytes, free_on_host

GIB = 1 << 30


def system(root: Path, available: int, groups: str = "") -> Path:
    """Write a /proc of a system with so many bytes available, and of a process in these control groups."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "meminfo").write_text(f"MemTotal: 99999999999 kB\nMemAvailable: {available // 1024} kB\n")
    (root / "proc" / "self" / "cgroup").write_text(groups)
    return root


def group(folder: Path, version: int, limit: str, usage: int, droppable: int = 0) -> None:
    """Write a control group's limit, its usage, and how much of that is a cache the kernel would drop."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{'' if version == 2 else 'total_'}inactive_file {droppable}\n")


def test_the_system_says_what_is_available(tmp_path: Path) -> None:
    """Without a control group it is MemAvailable."""
    assert free_on_host(system(tmp_path, 6 * GIB)) == 6 * GIB


def test_a_group_without_a_limit_limits_nothing(tmp_path: Path) -> None:
    """A limit of `max` is none."""
    group(system(tmp_path, 6 * GIB, "0::/mine\n") / "sys/fs/cgroup/mine", 2, "max", GIB)
    assert free_on_host(tmp_path) == 6 * GIB


@pytest.mark.parametrize(("version", "line", "top"), [(2, "0::/a/b", ""), (1, "4:hugetlb,memory:/a/b", "memory")])
def test_a_group_may_have_less_than_the_system(tmp_path: Path, version: int, line: str, top: str) -> None:
    """The limit of a group, less what it uses and cannot be dropped, counts where it is less; of those above too."""
    folder = system(tmp_path, 6 * GIB, f"9:name=systemd:/x\n{line}\n") / "sys/fs/cgroup" / top
    group(folder / "a/b", version, str(4 * GIB), 2 * GIB, GIB)
    assert free_on_host(tmp_path) == 3 * GIB
    group(folder / "a", version, str(5 * GIB), 4 * GIB)
    assert free_on_host(tmp_path) == GIB
    group(folder, version, str(5 * GIB), 6 * GIB)
    assert free_on_host(tmp_path) == 0


def test_a_container_sees_the_top_alone(tmp_path: Path) -> None:
    """Where the path is the host's, the limit at the top is the container's."""
    group(system(tmp_path, 6 * GIB, "0::/host/path/of/me\n") / "sys/fs/cgroup", 2, str(2 * GIB), GIB)
    assert free_on_host(tmp_path) == GIB


def test_where_nothing_tells_nothing_is_free(tmp_path: Path) -> None:
    """Without /proc the answer is 0, and so it is for devices that are neither GPU nor CPU."""
    assert free_on_host(tmp_path) == 0
    assert free_bytes(torch.device("meta")) == 0


def test_this_machine_has_some() -> None:
    """The machine of this test says that it has some memory left."""
    assert 0 < free_bytes(torch.device("cpu")) < 1 << 50
