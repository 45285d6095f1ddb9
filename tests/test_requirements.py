"""requirements/: everything that `make` installs is pinned, hashed, and what pyproject asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tinyol_sim.emulator.compilers import ZIG

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

REPO = Path(__file__).parents[1]
FOLDER = REPO / "requirements"
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
RUNTIME = PROJECT["project"]["dependencies"]
WANTED = {
    "runtime": [*RUNTIME, *GROUPS["build"]],
    "emulator": [*RUNTIME, *EXTRAS["plots"], *EXTRAS["emulator"]],
    "bench": [
        *RUNTIME,
        *(one for extra in ("plots", "emulator", "bench") for one in EXTRAS[extra]),
    ],
    "lint": [*RUNTIME, *EXTRAS["plots"], *EXTRAS["lint"]],
    "test": [
        *RUNTIME,
        *(one for extra in ("plots", "test", "ble-test", "train") for one in EXTRAS[extra]),
        *(one for extra in ("emulator", "notebooks") for one in EXTRAS[extra]),
        *(one for extra in ("bench", "sweep", "cluster") for one in EXTRAS[extra]),
    ],
    "compiler": GROUPS["compiler"],
    "maintain": GROUPS["maintain"],
    "reference": EXTRAS["reference"],
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pins(name: str) -> list[tuple[Requirement, list[str]]]:
    """Each pin of a file with its hashes."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    found = []
    for line in lines:
        pin, *hashes = re.split(r"\s+--hash=", line.strip())
        found.append((Requirement(pin.strip()), hashes))
    return found


def on_linux(requirement: Requirement, python: str) -> bool:
    marker = requirement.marker
    environment = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "extra": "",
    }
    return marker is None or marker.evaluate(environment)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_file_has_a_purpose():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_every_line_is_one_version_and_its_files(name):
    found = pins(name)
    assert found
    for requirement, hashes in found:
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", WANTED)
def test_what_pyproject_asks_for_is_pinned_within_its_bounds(name, python):
    versions = {
        canonical(pin.name): pin.specifier for pin, _ in pins(name) if on_linux(pin, python)
    }
    for wanted in map(Requirement, WANTED[name]):
        if on_linux(wanted, python):
            version = str(versions[canonical(wanted.name)]).removeprefix("==")
            assert wanted.specifier.contains(version, prereleases=True), wanted


@pytest.mark.parametrize("python", PYTHONS)
def test_a_package_has_one_version_in_all_files(python):
    seen: dict[str, str] = {}
    for name in WANTED:
        here = [pin for pin, _ in pins(name) if on_linux(pin, python)]
        assert len({canonical(pin.name) for pin in here}) == len(here), f"{name}: twice"
        for pin in here:
            version = seen.setdefault(canonical(pin.name), str(pin.specifier))
            assert version == str(pin.specifier), f"{name}: {pin}"


def test_the_groups_say_what_others_say():
    assert GROUPS["build"] == PROJECT["build-system"]["requires"]
    assert GROUPS["compiler"] == [ZIG]
    assert ZIG in EXTRAS["emulator"]
