"""These tests leave a board as they found it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinyol_sim.bundle import default_bundle
from tinyol_sim.synth import synthesize
from tinyol_sim.twin import Twin

HERE = Path(__file__).resolve().parent


def test_what_was_on_the_board_is_there_afterwards(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.config.getoption("--device") is not None:
        pytest.skip("a test of these tests, on a board in this process")
    twin = Twin(default_bundle(119.0))
    twin.add_class("mine")
    twin.label("mine")
    twin.feed(synthesize("normal", 5).samples)
    twin.save(tmp_path / "board.state")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(str(HERE / "test_device_lock_step.py"), "-k", "classes or reset"),
            *("--device", f"sim:?source=none&state={tmp_path / 'board.state'}"),
        ],
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert (tmp_path / "board.state").read_bytes() == twin.state
    assert list((tmp_path / "home" / "tinyol").iterdir()) == []
