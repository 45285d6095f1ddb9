"""The Nano 33 BLE's firmware as a native library on stubs of the Arduino core.

tests/stubs/arduino holds the stubs, written from the public API.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from native_build import KEPT, REPO, build, compilers, sources_of_core

from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.c_arrays import write_c_arrays
from tinyol_sim.emulator.capacities import capacities_for

SKETCH = "firmware/boards/nano33ble/src"
STUBS = "tests/stubs/arduino"
TFLM_NET = "firmware/lib/tflm_net/src"
TFLM_STUBS = "tests/stubs/tflm"
RATE_HZ = {1: 119.0, 2: 100.0}
# As the Arduino core compiles, as far as a host's compiler can.
FLAGS = ("-std=gnu++14", "-O1", "-funsigned-char", "-fexceptions")


def build_firmware(revision: int, frozen: str = "kernels", bundle: Bundle | None = None) -> Path:
    """The firmware with a bundle (the one that ships for its rate); frozen: what runs it."""
    loaded = bundle or default_bundle(RATE_HZ[revision])
    model = KEPT / f"model-{loaded.model_id}"  # the same for every run: what is built is kept
    write_c_arrays(loaded, model)
    folders = [REPO / SKETCH, REPO / STUBS, model]
    if frozen == "tflm":
        folders += [REPO / TFLM_STUBS, REPO / TFLM_NET, REPO / TFLM_NET / "tflm_net"]
    sources = [
        *sources_of_core(),
        *(
            p.relative_to(REPO).as_posix()
            for folder in folders
            for p in sorted(folder.glob("*.cpp"))
        ),
    ]
    includes = [f"-I{folder}" for folder in folders]
    flags = [*FLAGS, *includes, f"-DTINYOL_NANO33BLE_REV={revision}", f"-DMODEL={loaded.model_id}"]
    flags.append(f"-DSTAMP={_stamp()}")
    if frozen != "tflm":  # which is the default
        flags.append(f"-DTINYOL_FROZEN={frozen}")
    return build(
        compilers()[0], f"nano{revision}.so", sources, flags,
        capacities_for(loaded.model_image).macros,
    )  # fmt: skip


def with_crc(image: bytes) -> bytes:
    """A model image that was altered, with the checksum that belongs to it."""
    return image[:-4] + struct.pack("<I", zlib.crc32(image[:-4]))


def _stamp() -> int:
    """Changes with the sketch and the stubs, which the build itself does not look at."""
    found = 0
    for folder in (SKETCH, STUBS, TFLM_STUBS, TFLM_NET):
        for path in sorted((REPO / folder).rglob("*.*")):
            found = zlib.crc32(path.read_bytes(), found)
    return found
