"""Builds the fuzz targets in tests/fuzz: with libFuzzer where it is, else to replay kept inputs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from native_build import REPO, Compiler, build, compilers, sources_of_core
from tflm_device import TFLM_NET, includes, sources, stamp

FOLDER = REPO / "tests" / "fuzz"
CORPUS = FOLDER / "corpus"
GROWN = REPO / "build" / "fuzz" / "grown"  # what fuzzing has found so far; kept by nobody
INSTALL = "`apt install clang` and, where it is a package of its own, `libclang-rt-14-dev`"

SANITIZERS = "address,undefined,float-cast-overflow"
FLAGS = ("-O2", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-fno-sanitize=vptr")
BOARD = (
    "access_shadow.cpp",
    "board_under_test.cpp",
    "kept_models.cpp",
    "ram_flash.cpp",
    "shadow.cpp",
    "state_checks.cpp",
    "watch_checks.cpp",
)
CHECK_TFLITE = tuple(path for path in sources(TFLM_NET) if not path.endswith("/tflm_net.cpp"))


@dataclass(frozen=True)
class Target:
    """tests/fuzz/NAME_fuzz.cpp, and what it is built with."""

    max_len: int  # bytes of an input
    files: tuple[str, ...] = ()  # of tests/fuzz
    more: tuple[str, ...] = ()  # sources from elsewhere
    flags: tuple[str, ...] = ()
    mutators: tuple[str, ...] = ()  # of tests/fuzz, for libFuzzer only
    fuzzing: tuple[str, ...] = ()  # flags for libFuzzer only


TARGETS = {
    # A session of some 50 requests. They are well formed anyway, and without tracing what an input
    # is compared with its arithmetic runs three times as fast.
    "server": Target(512, BOARD, fuzzing=("-fno-sanitize-coverage=trace-cmp",)),
    # Every image. There, what an input is compared with guides through the fields.
    "image": Target(4096, BOARD, mutators=("word_mutator.cpp",)),
    "frame": Target(700),
    "net": Target(
        4096,
        more=CHECK_TFLITE,
        flags=(*includes(), stamp(), "-fexceptions"),
        mutators=("word_mutator.cpp",),
    ),
}
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
    made = TARGETS[target]
    return _build(
        compiler, target, f"fuzz-{target}", made.mutators, f"fuzzer,{SANITIZERS}", made.fuzzing
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
    made = TARGETS[target]
    files = (f"{target}_fuzz.cpp", *made.files, *more)
    flags = (*FLAGS, f"-fsanitize={sanitizers}", *made.flags, *flags)
    flags += (f'-DTINYOL_FUZZ_MODELS="{REPO / "tests" / "vectors"}"',)
    paths = [*sources_of_core(), *(f"tests/fuzz/{file}" for file in files), *made.more]
    return build(compiler, name, paths, flags, CAPACITIES)
