"""Resolves every dependency anew and writes the files of this folder; `make lock` runs it.

A file a purpose, from pyproject.toml's extras and groups: names, versions, SHA-256 of every file
that the index has of that version, and who asks for it. test.txt is resolved first and holds for
the others, so that a package has one version in all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "tests/reference.txt"
PROJECT = ["pyproject.toml"]


def extras(*names: str) -> list[str]:
    """The runtime set and these extras of it."""
    return [*PROJECT, *(word for name in names for word in ("--extra", name))]


def group(name: str) -> list[str]:
    """A dependency group: tools that no user installs."""
    return ["--group", name]


FILES = {
    "test": extras(
        *("plots", "test", "ble-test", "train", "emulator", "notebooks"),
        *("bench", "sweep", "cluster"),
    ),
    "runtime": [*PROJECT, *group("build")],  # `make` builds the twin in the same environment
    "emulator": extras("plots", "emulator"),
    "bench": extras("plots", "emulator", "bench"),
    "lint": extras("plots", "lint"),
    "compiler": group("compiler"),
    "maintain": group("maintain"),
    "reference": [REFERENCE, "--no-deps"],
}


def main() -> int:
    """Writes all files; the first failure ends it and leaves the others as they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cool-down",
        default="7 days",
        help="leave out what is younger: a bad release is mostly found within days",
    )
    cool_down = parser.parse_args().cool_down
    for name, what in FILES.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", *what]
        command += ["--constraint", REFERENCE]  # NumPy as the reference interpreters need it
        if name != "test":
            command += ["--constraint", "requirements/test.txt"]
        command += ["--universal", "--python-version", "3.10", "--generate-hashes", "--upgrade"]
        command += ["--only-binary", ":all:"]  # a source distribution runs code to be built
        command += ["--exclude-newer", cool_down, "--custom-compile-command", "make lock"]
        command += ["--quiet", "--output-file", f"requirements/{name}.txt"]
        print(f"requirements/{name}.txt", flush=True)
        if code := subprocess.run(command, cwd=ROOT).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
