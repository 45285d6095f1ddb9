"""Fixtures that several test files share."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path

import pytest
from native_build import Native, load_native
from units import Units
from watch_library import load_watch

# Before TensorFlow: tflite-runtime crashes in a process that has loaded that first.
with suppress(ImportError):
    importlib.import_module("tflite_runtime.interpreter")

REPO = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here, since pytest knows options only of the conftest.py files that it reads at its start."""
    group = parser.getgroup("tinyol", "a board for tests/device")
    group.addoption(
        "--device",
        metavar="URI",
        help="the board that tests/device runs on, as `tinyol -d` takes it; default: an emulated"
        " one",
    )
    group.addoption(
        "--bundle", metavar="FILE", help="its model; default: the one that ships for its rate"
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings beside the project; a test that needs it skips without it."""
    folder = Path(os.environ.get("TINYOL_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings: {folder} is missing (set TINYOL_DATA to their folder)")
    return folder


@pytest.fixture(scope="session")
def native() -> Native:
    """The core's parts behind a C face of the tests' own, with the twin's flags and capacities."""
    return load_native()


@pytest.fixture(scope="session")
def units(native: Native) -> Units:
    """The same as functions of arrays."""
    return Units(native)


@pytest.fixture(scope="session")
def watch_library() -> None:
    """Builds what watch_units.Watch runs on, before the clock of any test that uses it starts."""
    load_watch()
