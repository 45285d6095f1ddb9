"""cffi's build of the twin: exactly the C++ that the boards run, plus the C face in csrc/."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
CSRC = Path("tinyol_sim/csrc")
CORE = Path("firmware/lib/tinyol/src")
FROZEN = Path("firmware/lib/frozen/src")
HEADERS = (
    *("twin_api.h", "net_api.h", "flash_api.h", "board_api.h"),
    *("classifier_api.h", "csv_api.h"),
)
NATIVE = "_core_native"  # the library's name where it is built without Python's headers

# Capacities that any reasonable model fits; they change no result (tinyol/capacity.h).
CAPACITIES = {
    "TINYOL_MAX_CLASSES": 64,
    "TINYOL_MAX_FEATURES": 64,
    "TINYOL_MAX_HIDDEN": 128,
    "TINYOL_MAX_INPUTS": 768,
    "TINYOL_MAX_RING": 4096,
    "TINYOL_MAX_REHEARSAL": 1024,
    "TINYOL_MAX_REHEARSAL_WINDOWS": 256,
}

# The rules for bit-exactness; -O3 because CPython's own flags may say anything, and because it
# puts the four sums of a dot product (tinyol/float_math.h) side by side into one register.
OPTIMISE = "-O3"
COMPILE_ARGS = [
    "-std=c++14",
    OPTIMISE,
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-exceptions",
    "-fno-rtti",
    "-funsigned-char",
    "-Wall",
    "-Wextra",
]
# Calls from one file to another go straight there, not through a table that another library might
# have changed. Only ELF has that table.
LINK_ARGS = ["-Wl,-Bsymbolic"] if sys.platform.startswith("linux") else []


def sources() -> list[str]:
    """Every C++ file of the twin, relative to the project's root."""
    folders = (CORE / "tinyol", FROZEN / "frozen", CSRC)
    return [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in sorted((ROOT / folder).glob("*.cpp"))
    ]


def declarations() -> str:
    """What cffi has to know: the marked regions of the C headers."""
    region = re.compile(r"// cdef begin\n(.*?)// cdef end", re.DOTALL)
    return "\n".join(
        text for name in HEADERS for text in region.findall((ROOT / CSRC / name).read_text())
    )


def build_options() -> dict[str, Any]:
    """Include folders, macros and flags, as setuptools' Extension takes them."""
    return {
        "include_dirs": [path.as_posix() for path in (CORE, FROZEN, CSRC)],
        "define_macros": [(name, str(value)) for name, value in CAPACITIES.items()],
        "extra_compile_args": COMPILE_ARGS + os.environ.get("TINYOL_CXXFLAGS", "").split(),
        "extra_link_args": LINK_ARGS,
    }


def make_builder() -> FFI:
    """The FFI object that setuptools compiles."""
    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source(
        "tinyol_sim._core",
        "\n".join(f'#include "{name}"' for name in HEADERS),
        sources=sources(),
        source_extension=".cpp",
        **build_options(),
    )
    return ffi
