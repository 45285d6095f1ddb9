"""Fixtures that several test files share."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attack_count
import pytest
from access_library import load_access
from hypothesis import settings
from native_build import SANITIZED, Native, load_native
from units import Units
from watch_library import load_watch

from tinyol_host.access.key_store import KeyStore

# Before TensorFlow: tflite-runtime crashes in a process that has loaded that first.
with suppress(ImportError):
    importlib.import_module("tflite_runtime.interpreter")

REPO = Path(__file__).resolve().parent.parent

# With sanitizers everything takes twice as long.
if SANITIZED in os.environ:
    settings.register_profile("sanitized", deadline=None)
    settings.load_profile("sanitized")


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many attacks were tried, and how many succeeded."""
    for line in attack_count.summary():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def keys_of_the_tests(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Where tests, and the programs that they start, keep boards' keys: never the user's file.

    With --device, what the user has is copied: a board that is paired wants its key.
    """
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    if request.config.getoption("--device") is not None:
        users, ours = KeyStore(), KeyStore(path)
        for key in filter(None, map(users.open, users.entries())):
            ours.add(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYOL_KEYS", str(path))
        patch.setenv("TINYOL_KEYRING", "0")
        yield path


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
def access_library() -> None:
    """Builds what access_library's classes run on."""
    load_access()


@pytest.fixture(scope="session")
def watch_library() -> None:
    """Builds what watch_units.Watch runs on, before the clock of any test that uses it starts."""
    load_watch()
