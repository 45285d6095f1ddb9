"""The core asks nothing of its surroundings: no heap, no libm, no double, no variable of its own.

Read from the object files for the Cortex-M4F.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elf_object import ElfObject, read_elf_object
from native_build import INCLUDES, N_JOBS, REPO, sources_of_core

FLAGS = ["-std=c++14", "-Os", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
FLAGS += ["-fno-math-errno", "-ffp-contract=off", "-funsigned-char", "-c"]
GCC = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
ZIG = ["-target", "thumb-linux-musleabihf", "-mcpu=cortex_m4+vfp4d16sp"]
ZIG += ["-fno-sanitize=all", "-fno-pic", "-fno-stack-protector"]

# Functions on memory, one conversion of a 64-bit integer, and names that mark unwinding tables.
ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "bcmp", "__aeabi_ul2f"}
ALLOWED_PREFIXES = ("__aeabi_mem", "__aeabi_unwind_cpp_pr")


def cross_compiler() -> list[str]:
    if path := shutil.which("arm-none-eabi-g++"):
        return [path, *GCC]
    zig = importlib.util.find_spec("ziglang")
    for folder in (zig.submodule_search_locations or ()) if zig is not None else ():
        return [str(Path(folder, "zig")), "c++", *ZIG]
    pytest.skip("no compiler for the Cortex-M4: neither arm-none-eabi-g++ nor ziglang")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ElfObject]:
    compiler, folder = cross_compiler(), tmp_path_factory.mktemp("objects")
    includes = [f"-I{REPO / path}" for path in INCLUDES]

    def compiled(source: str) -> ElfObject:
        written = folder / (source.replace("/", "_") + ".o")
        command = [*compiler, *FLAGS, *includes, str(REPO / source), "-o", str(written)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return read_elf_object(written)

    sources = sources_of_core()
    with ThreadPoolExecutor(N_JOBS) as pool:
        return dict(zip(sources, pool.map(compiled, sources), strict=True))


def test_nothing_is_asked_of_the_outside(objects: dict[str, ElfObject]) -> None:
    """A call of malloc, expf or a routine for doubles would show as an undefined symbol."""
    defined = {name for found in objects.values() for name in found.defined}
    foreign = {
        source: names
        for source, found in objects.items()
        if (
            names := {
                name
                for name in found.undefined - defined - ALLOWED
                if not name.startswith(ALLOWED_PREFIXES)
            }
        )
    }
    assert foreign == {}


def test_every_variable_is_in_the_device(objects: dict[str, ElfObject]) -> None:
    assert {source: f.data + f.bss for source, f in objects.items() if f.data + f.bss} == {}
    assert sum(found.flash for found in objects.values()) > 4096  # there was something to read
