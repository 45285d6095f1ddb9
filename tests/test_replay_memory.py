"""A streamed replay takes the same memory for a recording four times as long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_replay import HOP, RATE_HZ, WINDOW_LEN, recording, small_bundle

MEASURE = """
import sys
from pathlib import Path
import tinyol_sim.replay
from tinyol_sim.bundle import Bundle
from tinyol_sim.replay_files import replay_files
tinyol_sim.replay.MAX_KEPT = 1 << 13  # what is kept for plots is as much as it can be early on
folder = Path(sys.argv[1]).parent
plan = tinyol_sim.replay.Plan(learn=True, fine_tune=100)
bundle = Bundle.load(folder / "small.tinyol")
result = replay_files(bundle, [Path(sys.argv[1])], plan, stream=True, folder=folder)
status = Path("/proc/self/status").read_text()  # getrusage() counts what this process was before
print(result.tally.n_windows, status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize(("suffix", "n"), [(".npz", 1_000_000), (".csv", 500_000)])
def test_memory_does_not_grow_with_the_recording(suffix: str, n: int, tmp_path: Path) -> None:
    small_bundle().save(tmp_path / "small.tinyol")
    once = recording([("normal", n // 2), ("loud", n // 4), (None, n // 4)])
    path, used = tmp_path / f"r{suffix}", []
    for times in (1, 4):
        if suffix == ".npz":
            arrays = {"samples": np.tile(once.samples, (times, 1)), "rate_hz": RATE_HZ}
            labels = {"labels": np.tile(once.labels, times), "label_names": once.label_names}
            np.savez(path, **arrays, **labels)
        else:
            row = "0.25,-0.5,{},{}\n"
            rows = "".join(
                row.format(1 + i % 7 / 8, ("a", "b", "")[i // 999 % 3]) for i in range(n)
            )
            path.write_text("# rate_hz=50\nx,y,z,label\n" + rows * times)
        words = [sys.executable, "-c", MEASURE, str(path)]
        ran = subprocess.run(words, check=True, capture_output=True, text=True)
        n_windows, kilobytes = map(int, ran.stdout.split())
        assert n_windows == (n * times - WINDOW_LEN) // HOP + 1
        used.append(kilobytes)
    # Three more of the recording take 42 MB as .npz, 27 MB as .csv, and their windows 42 and 20.
    assert used[1] < used[0] + 15_000
