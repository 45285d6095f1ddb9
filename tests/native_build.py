"""Compiles the core for tests: with other compilers, flags and capacities than the twin's.

What was built once is kept in build/tests, under a name made of everything that went into it; so is
every object file, for the other programs and libraries that the same file goes into.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from cffi import FFI

from tinyol_sim import _build

REPO = Path(__file__).resolve().parent.parent
NATIVE = REPO / "tests" / "native"
KEPT = REPO / "build" / "tests"
OBJECTS = KEPT / "objects"
N_JOBS = 2

INCLUDES = [_build.CORE, _build.FROZEN, _build.CSRC, Path("tests/native"), Path("tests/fuzz")]
# Set by tests/sanitized.py: what GCC builds here is watched by ASan and UBSan.
SANITIZED = "TINYOL_SANITIZED"
SANITIZERS = (
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize=vptr",
    "-fno-sanitize-recover=all",
)
# The twin's flags without its optimisation, and without the flag that forbids fused
# multiply-adds: the sources must see to that themselves (tinyol/fp_contract.h).
FLAGS = [flag for flag in _build.COMPILE_ARGS if flag not in (_build.OPTIMISE, "-ffp-contract=off")]


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler of this machine; `command` is what its command line starts with."""

    name: str
    command: tuple[str, ...]

    @property
    def is_clang(self) -> bool:
        return self.name != "g++"


@cache
def compilers() -> tuple[Compiler, ...]:
    """Every C++ compiler here: GCC, clang, and zig's clang where the package is installed."""
    found = [Compiler(name, (path,)) for name in ("g++", "clang++") if (path := shutil.which(name))]
    zig = importlib.util.find_spec("ziglang")
    for folder in (zig.submodule_search_locations or ()) if zig is not None else ():
        # Its own default is a debug build that stops at undefined behaviour.
        found.append(Compiler("zig", (str(Path(folder, "zig")), "c++", "-fno-sanitize=all")))
    return tuple(found)


def any_compiler() -> Compiler:
    """The first of them; the test skips without one."""
    if not compilers():
        pytest.skip("no C++ compiler: neither g++ nor clang++ nor the package ziglang")
    return compilers()[0]


@cache
def _fingerprint_of_sources() -> bytes:
    digest = hashlib.sha256()
    for folder in INCLUDES:
        for path in sorted((REPO / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                digest.update(path.as_posix().encode() + path.read_bytes())
    return digest.digest()


@cache
def _version(compiler: Compiler) -> str:
    return subprocess.run(
        [*compiler.command, "--version"], capture_output=True, text=True, check=True
    ).stdout


def build(
    compiler: Compiler,
    target: str,
    sources: Sequence[str],
    flags: Sequence[str],
    capacities: Mapping[str, int] = _build.CAPACITIES,
) -> Path:
    """Compiles and links `sources` (relative to the project) into build/tests.

    target: the file's name; one that ends in .so becomes a shared library. Compiler output of any
    kind fails the test: warnings are errors.
    """
    defines = [f"-D{name}={value}" for name, value in capacities.items()]
    library = target.endswith(".so")
    compiled_as, linked_as = (["-fPIC"], ["-shared"]) if library else ([], [])
    watch = SANITIZERS if SANITIZED in os.environ and compiler.name == "g++" else ()
    arguments = [*compiler.command, *FLAGS, "-Werror", *compiled_as, *flags, *watch, *defines]
    digest = hashlib.sha256(_fingerprint_of_sources())
    digest.update(repr((arguments, list(sources), _version(compiler))).encode())
    stem, dot, suffix = target.partition(".")
    built = KEPT / f"{stem}-{digest.hexdigest()[:16]}{dot}{suffix}"
    if built.exists():
        return built
    OBJECTS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=KEPT) as folder, ThreadPoolExecutor(N_JOBS) as pool:
        objects = pool.map(lambda source: _object(compiler, arguments, source), sources)
        linked = Path(folder, target)
        _run([*arguments, *linked_as, *map(str, objects), "-o", str(linked)])
        os.replace(linked, built)
    return built


def _object(compiler: Compiler, arguments: Sequence[str], source: str) -> Path:
    """The object file of a source; compiled only if there is none of the same text and flags.

    The preprocessed text says which macros and headers matter to this file: a board's revision is
    nothing to the core.
    """
    command = [*arguments, *(f"-I{REPO / folder}" for folder in INCLUDES), str(REPO / source)]
    digest = hashlib.sha256(_run([*command, "-E"]).encode())
    flags = [flag for flag in arguments if not flag.startswith(("-D", "-I"))]
    digest.update(repr((flags, _version(compiler))).encode())
    kept = OBJECTS / f"{Path(source).stem}-{digest.hexdigest()[:32]}.o"
    if not kept.exists():
        with TemporaryDirectory(dir=OBJECTS) as folder:
            made = Path(folder, kept.name)
            _run([*command, "-c", "-o", str(made)])
            os.replace(made, kept)
    return kept


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stderr}", pytrace=False)
    return done.stdout


def sources_of_core() -> list[str]:
    """The core and our kernels, without the twin's C face."""
    return [path for path in _build.sources() if not path.startswith(_build.CSRC.as_posix())]


@dataclass(frozen=True)
class Native:
    """The unit library, the twin's C face included, loaded by cffi."""

    ffi: FFI
    lib: Any

    @contextmanager
    def as_twin(self) -> Iterator[None]:
        """Lets every Twin that is made inside run on this library instead of the installed one."""
        with (
            patch("tinyol_sim.twin.ffi", self.ffi),
            patch("tinyol_sim.twin.lib", self.lib),
            patch("tinyol_sim.refusals.ffi", self.ffi),
            patch("tinyol_sim.window_results.ffi", self.ffi),
        ):
            yield


def load_native(
    capacities: Mapping[str, int] = _build.CAPACITIES,
    compiler: Compiler | None = None,
    flags: Sequence[str] = ("-O2", "-ffp-contract=off"),
) -> Native:
    """Builds and loads tests/native/unit_api.h; the test skips without a compiler."""
    header = (NATIVE / "unit_api.h").read_text()
    regions = re.findall(r"// cdef begin\n(.*?)// cdef end", header, re.DOTALL)
    ffi = FFI()
    ffi.cdef("\n".join([_build.declarations(), *regions]))
    sources = [*_build.sources(), "tests/native/unit_api.cpp"]
    library = build(compiler or any_compiler(), "units.so", sources, flags, capacities)
    return Native(ffi, ffi.dlopen(str(library)))
