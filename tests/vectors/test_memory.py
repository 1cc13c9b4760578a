"""How much memory reading takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space

FACTS = {"model": "m"}
READ = """
import sys
from pathlib import Path
import numpy as np
from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space

count = int(sys.argv[2])
keys = text_keys(str(number * 7 % count) for number in range(count))
sum = np.zeros(256)
for positions, vectors in Space(Path(sys.argv[1]), {"model": "m"}, "float32").shards(keys, 8192):
    sum += vectors.sum(axis=0, dtype=np.float64)
assert sum[0] == count * (count - 1) // 2, sum
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
"""A process's own peak: getrusage tells that of the process it was started from where that was larger."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's own peak")
def test_reading_ten_times_as_many_takes_as_much_memory(tmp_path: Path) -> None:
    """Reading 200,000 vectors in shards of 8,192 peaks less than 1.3 times as high as reading 20,000."""
    peaks = []
    for root, count in ((tmp_path / "few", 20_000), (tmp_path / "many", 200_000)):
        space = Space(root, FACTS, "float32")
        for start in range(0, count, 10_000):
            numbers = np.arange(start, start + 10_000)
            space.add(text_keys(map(str, numbers)), np.tile(numbers.astype(np.float32)[:, None], 256))
        command = [sys.executable, "-c", READ, str(root), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.3 * peaks[0], peaks
