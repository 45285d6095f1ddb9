"""Builds the fuzz targets in tests/fuzz: with libFuzzer where it is, else to replay kept inputs."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from native_build import REPO, Compiler, build, compilers, sources_of_core

FOLDER = REPO / "tests" / "fuzz"
CORPUS = FOLDER / "corpus"
GROWN = REPO / "build" / "fuzz" / "grown"  # what fuzzing has found so far; kept by nobody
TARGETS = ("server", "image")
# Bytes an input: long enough for a session of some 50 requests, and for every image.
MAX_LEN = {"server": 512, "image": 4096}
INSTALL = "`apt install clang` and, where it is a package of its own, `libclang-rt-14-dev`"

SHARED = (
    "board_under_test.cpp",
    "kept_models.cpp",
    "ram_flash.cpp",
    "shadow.cpp",
    "state_checks.cpp",
    "watch_checks.cpp",
)
MUTATORS = {"server": (), "image": ("image_mutator.cpp",)}  # for libFuzzer only
SANITIZERS = "address,undefined,float-cast-overflow"
FLAGS = ("-O2", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-fno-sanitize=vptr")
# What an input is compared with guides the fuzzer through an image's fields. A session's requests
# are well formed anyway, and untraced its arithmetic runs three times as fast.
TRACING = {"server": ("-fno-sanitize-coverage=trace-cmp",), "image": ()}
# The largest of the kept models, so that an index too far is one too far.
CAPACITIES = {
    "TINYOL_MAX_CLASSES": 16,
    "TINYOL_MAX_FEATURES": 6,
    "TINYOL_MAX_HIDDEN": 5,
    "TINYOL_MAX_INPUTS": 8,
    "TINYOL_MAX_RING": 64,
}


@cache
def fuzzing_compiler() -> Compiler | None:
    """clang++ if it has libFuzzer and can link with it."""
    for compiler in compilers():
        if compiler.name != "clang++":
            continue
        with TemporaryDirectory() as folder:
            source = Path(folder, "empty.cpp")
            source.write_text(
                'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long)'
                " { return 0; }"
            )
            command = [*compiler.command, "-fsanitize=fuzzer,address", str(source)]
            done = subprocess.run([*command, "-o", f"{folder}/empty"], capture_output=True)
        if done.returncode == 0:
            return compiler
    return None


def build_fuzzer(target: str) -> Path:
    """A libFuzzer program; fuzzing_compiler() must have found one."""
    compiler = fuzzing_compiler()
    assert compiler is not None
    return _build(
        compiler,
        target,
        f"fuzz-{target}",
        MUTATORS[target],
        f"fuzzer,{SANITIZERS}",
        TRACING[target],
    )


def build_replay(target: str, compiler: Compiler) -> Path:
    """The same target as a program that runs over the files that it is given."""
    return _build(compiler, target, f"replay-{target}", ("replay_main.cpp",), SANITIZERS)


def _build(
    compiler: Compiler,
    target: str,
    name: str,
    more: tuple[str, ...],
    sanitizers: str,
    flags: tuple[str, ...] = (),
) -> Path:
    files = (f"{target}_fuzz.cpp", *SHARED, *more)
    flags = (*FLAGS, f"-fsanitize={sanitizers}", *flags)
    flags += (f'-DTINYOL_FUZZ_MODELS="{REPO / "tests" / "vectors"}"',)
    sources = [*sources_of_core(), *(f"tests/fuzz/{file}" for file in files)]
    return build(compiler, name, sources, flags, CAPACITIES)
