"""The two compilers that make an image for the emulated Cortex-M4F."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import EmulatorError

ZIG = "ziglang==0.15.2"  # clang 20; 0.17 makes the same images
GCC = "arm-none-eabi-g++"
INSTALL_ZIG = f"`pip install {ZIG}`"
INSTALL_GCC = "`apt install gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib`"

# The rules for bit-exactness, and what a microcontroller does without.
_COMMON = (
    "-std=c++14",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-funsigned-char",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wall",
    "-Wextra",
)
_GCC_CPU = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
# Without +vfp4d16sp zig's cortex_m4 computes floats in software.
_ZIG_CPU = ("-mcpu=cortex_m4+vfp4d16sp", "-fno-sanitize=all", "-fno-pic", "-fno-stack-protector")


@dataclass(frozen=True)
class Compiler:
    """How one compiler is called: a program with its first arguments, and two sets of flags."""

    name: str  # "zig" or "gcc"
    program: tuple[str, ...]
    compile_flags: tuple[str, ...]
    link_flags: tuple[str, ...]


def _find_gcc() -> Compiler | None:
    path = shutil.which(GCC)
    if path is None:
        return None
    return Compiler(
        "gcc",
        (path,),
        (*_GCC_CPU, *_COMMON),
        (*_GCC_CPU, "-nostartfiles", "-specs=nano.specs", "-specs=nosys.specs"),
    )


def _find_zig() -> Compiler | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is not None and spec.submodule_search_locations:
        path: str | None = str(Path(spec.submodule_search_locations[0], "zig"))
    else:
        path = shutil.which("zig")
    if path is None:
        return None
    return Compiler(
        "zig",
        (path, "c++"),
        # The freestanding target has no C++ headers; musl's have the same types.
        ("-target", "thumb-linux-musleabihf", *_ZIG_CPU, "-fno-unwind-tables", *_COMMON),
        ("-target", "thumb-freestanding-eabihf", *_ZIG_CPU),
    )


_FINDERS: dict[str, tuple[Callable[[], Compiler | None], str]] = {
    "zig": (_find_zig, INSTALL_ZIG),
    "gcc": (_find_gcc, INSTALL_GCC),
}


def find_compiler(name: str | None = None) -> Compiler:
    """The compiler of that name; None takes the first that is installed.

    Raises:
        EmulatorError: it is not installed; the message says what to install.
    """
    if name is not None and name not in _FINDERS:
        raise EmulatorError(f"no compiler {name!r}; it must be one of {', '.join(_FINDERS)}")
    wanted = list(_FINDERS) if name is None else [name]
    for candidate in wanted:
        compiler = _FINDERS[candidate][0]()
        if compiler is not None:
            return compiler
    ways = " or ".join(_FINDERS[candidate][1] for candidate in wanted)
    raise EmulatorError(f"the emulated board needs a compiler for the Cortex-M4F: {ways}")
