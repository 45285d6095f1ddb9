"""Builds the program in tests/endurance and runs it: short in the tests, long in `make soak`."""

from __future__ import annotations

import json
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from native_build import KEPT, REPO, Compiler, build, compilers, sources_of_core
from small_models import int8_bundle

from tinyol_sim.bundle import Bundle, default_bundle

FOLDER = REPO / "tests" / "endurance"
# Of clang everything that the processor has: bits must not hang on it.
LEVELS = {"g++": ("-O2",), "clang++": ("-O2", "-march=native"), "zig": ("-O3",)}
SANITIZERS = (
    "-O1",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-sanitize=vptr",
)
# Of the models below.
CAPACITIES = {
    "TINYOL_MAX_CLASSES": 16,
    "TINYOL_MAX_FEATURES": 8,
    "TINYOL_MAX_HIDDEN": 32,
    "TINYOL_MAX_INPUTS": 40,
    "TINYOL_MAX_RING": 64,
}


def sanitizing_compiler() -> Compiler:
    """The first that has ASan and UBSan; the test skips without one."""
    for compiler in compilers():
        if compiler.name in ("g++", "clang++"):
            return compiler
    pytest.skip("no compiler with sanitizers: neither g++ nor clang++")


def build_program(compiler: Compiler, flags: tuple[str, ...] | None = None) -> Path:
    """The program `endurance`; flags: the compiler's usual ones where None."""
    own = sorted(path for path in FOLDER.iterdir() if path.suffix in (".h", ".cpp"))
    sources = [
        *sources_of_core(),
        *(path.relative_to(REPO).as_posix() for path in own if path.suffix == ".cpp"),
        "tests/fuzz/ram_flash.cpp",
        "tests/fuzz/state_checks.cpp",
    ]
    # build() itself looks for changes in the core, tests/native and tests/fuzz.
    stamp = zlib.crc32(b"".join(path.read_bytes() for path in own))
    chosen = (*(flags or LEVELS[compiler.name]), f"-I{FOLDER}", f"-DSTAMP={stamp}")
    return build(compiler, "endurance", sources, chosen, CAPACITIES)


def shipped() -> Bundle:
    """The bundle that ships for 100 Hz, as it is."""
    return default_bundle(100.0)


def full_covariance() -> Bundle:
    """Its net, with a full covariance a class and the frozen net's error as a feature."""
    bundle = shipped()
    pipeline = replace(bundle.pipeline, covariance="full", error_source="frozen")
    return Bundle.create(
        bundle.tflite, pipeline, settings=bundle.settings, normal=bundle.normal, taps=bundle.taps
    )


def small() -> Bundle:
    """A net that costs next to nothing."""
    return int8_bundle(hop=8)


MODELS: dict[str, Callable[[], Bundle]] = {
    "shipped": shipped,
    "full": full_covariance,
    "small": small,
}


def model_file(name: str) -> Path:
    """One of MODELS as a model image in a file."""
    bundle = MODELS[name]()
    path = KEPT / f"{name}-{bundle.model_id}.model"
    KEPT.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # its name says what is in it; somebody may be reading it
        path.with_suffix(".new").write_bytes(bundle.model_image)
        path.with_suffix(".new").replace(path)
    return path


def run_program(
    program: Path, *arguments: object, timeout_s: float | None = None
) -> list[dict[str, Any]]:
    """The lines of JSON that it prints; RuntimeError with what it said if something is broken."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stderr}{done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines()]
