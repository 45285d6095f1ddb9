"""What `make size` prints is there, and stays below what we promise a board."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import measured_sizes
import pytest
from measured_sizes import CAPACITIES, SIZE

from tinyol_sim._core import lib
from tinyol_sim.bundle import default_bundle
from tinyol_sim.twin import Twin

KB = 1024

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in (SIZE["CROSS"], "c++", "g++", "clang++")),
    reason="no C++ compiler on the path",
)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return measured_sizes.measured()


def test_ram_of_the_learner_is_bounded(measured: dict[str, Any]) -> None:
    ram = measured["ram"]
    assert set(ram) == set(SIZE["PARTS"])
    # 40 * 33 weights and biases of 4 bytes, and what least squares keeps of their inputs.
    assert 5280 + 2244 < ram["learner"] < 16 * KB
    assert ram["learner"] < ram["device"] < 17 * KB


def test_no_head_and_no_memory_of_lessons_is_larger_than_promised(
    measured: dict[str, Any], tmp_path: Path
) -> None:
    command, _ = SIZE["compiler"]()
    full = SIZE["ram"](command, {**CAPACITIES, "full_covariance": 1}, tmp_path)
    assert measured["ram"]["gaussian_head"] < full["gaussian_head"] <= 2 * KB
    assert measured["ram"]["softmax_head"] <= 2 * KB
    assert full["rehearsal_buffer"] + full["window_rehearsal"] <= 2 * KB


def test_code_is_bounded(measured: dict[str, Any]) -> None:
    if "code" not in measured:
        pytest.skip(f"{SIZE['CROSS']} is not installed")
    # Core, protocol server, authentication, saving, the board's name and int8 kernels together, of
    # it 4 KB that the plain loops would save: those for the DSP instructions and the FPU.
    assert 0 < sum(measured["code"]["-Os"].values()) < 72 * KB


def test_image_size_is_the_devices_own() -> None:
    twin = Twin(default_bundle(119.0))
    capacities = {
        **CAPACITIES,
        "classes": 16,
        "features": twin.n_features,
        "hidden": twin.n_hidden,
        "inputs": twin.n_outputs,
    }
    assert SIZE["image_bytes"](capacities) == lib.tinyol_twin_max_image_bytes(twin._handle)
