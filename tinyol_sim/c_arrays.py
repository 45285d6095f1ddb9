"""A bundle's model as C++ that a board's firmware links in: arrays, and the sizes of a build.

`model_data.h` and `model_data.cpp` hold the model image; `model_tflite.h` and `model_tflite.cpp`
the .tflite model, for a build whose frozen net runs in TFLM's interpreter; `model_flags.txt` the
compiler's options for every C++ file of that build, one a line.
"""

from __future__ import annotations

from pathlib import Path

from tinyol_sim.bundle import Bundle
from tinyol_sim.emulator.capacities import Capacities, capacities_for
from tinyol_sim.errors import BundleError
from tinyol_sim.files import write_whole
from tinyol_sim.tflm_arrays import tflm_files

FLAGS_FILE = "model_flags.txt"
_BYTES_A_LINE = 16


def write_c_arrays(bundle: Bundle, folder: Path) -> list[Path]:
    """Writes the files into `folder`, which is made if it is not there.

    A file whose content is what it should be is left alone, so that a build is not made again.

    Returns:
        The files, written or not.

    Raises:
        BundleError: the folder or a file cannot be written.
        EmulatorError: the bundle has no net for our own kernels.
    """
    sizes = capacities_for(bundle.model_image)
    texts = {
        "model_data.h": _header(bundle, sizes),
        "model_data.cpp": _source(bundle.model_image),
        **tflm_files(bundle, _initialiser(bundle.tflite)),
        FLAGS_FILE: "".join(f"-D{name}={value}\n" for name, value in sizes.macros.items()),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{folder}: cannot be made: {error.strerror or error}") from None
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != text.encode():
            write_whole(path, text.encode(), BundleError)
    return [folder / name for name in texts]


def _header(bundle: Bundle, sizes: Capacities) -> str:
    same = " || \\\n    ".join(f"{name} != {value}" for name, value in sizes.macros.items())
    return f"""\
// Written by `tinyol model export`: model {bundle.model_id}, {bundle.pipeline.rate_hz:g} Hz.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"

#if {same}
#error "compile every file with the options in {FLAGS_FILE}"
#endif

namespace tinyol {{

constexpr uint32_t kModelImageBytes = {len(bundle.model_image)};
constexpr uint32_t kModelArenaBytes = {sizes.arena_bytes};

extern const uint8_t kModelImage[kModelImageBytes];
extern uint8_t model_arena[kModelArenaBytes];  // the frozen net's working memory

}}  // namespace tinyol
"""


def _initialiser(data: bytes) -> str:
    """The lines between an array's braces."""
    return "".join(
        "    " + ", ".join(f"0x{byte:02x}" for byte in data[at : at + _BYTES_A_LINE]) + ",\n"
        for at in range(0, len(data), _BYTES_A_LINE)
    )


def _source(image: bytes) -> str:
    return (
        "// Written by `tinyol model export`.\n"
        '#include "model_data.h"\n\nnamespace tinyol {\n\n'
        "alignas(8) const uint8_t kModelImage[kModelImageBytes] = {\n"
        + _initialiser(image)
        + "};\n\nalignas(8) uint8_t model_arena[kModelArenaBytes];\n\n}  // namespace tinyol\n"
    )
