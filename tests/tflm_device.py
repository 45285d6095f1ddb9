"""A device with a TflmNet, compiled for this machine on the stubs of TFLM (tests/stubs/tflm)."""

from __future__ import annotations

import ctypes
import shutil
import zlib
from pathlib import Path

import numpy as np
from native_build import KEPT, REPO, any_compiler, build, sources_of_core
from numpy.typing import NDArray
from tflm_stub import TflmStub

from tinyol_sim.bundle import Bundle
from tinyol_sim.c_arrays import write_c_arrays

TFLM_NET = "firmware/lib/tflm_net/src"
STUBS = "tests/stubs/tflm"
FLAGS = ("-O1", "-g")
ROOMY = 1 << 19  # bytes of arena


class Refusal(ctypes.Structure):
    """tinyol/status.h"""

    _fields_ = (
        ("status", ctypes.c_int8),
        ("where", ctypes.c_char * 32),
        ("need", ctypes.c_uint32),
        ("have", ctypes.c_uint32),
    )

    @property
    def told(self) -> tuple[int, str, int, int]:
        return self.status, self.where.decode(), self.need, self.have


def sources(*folders: str) -> list[str]:
    """Every C++ file of these folders, relative to the project."""
    return [
        path.relative_to(REPO).as_posix()
        for folder in folders
        for path in sorted((REPO / folder).rglob("*.cpp"))
    ]


def includes(*folders: Path | str) -> list[str]:
    return [f"-I{REPO / folder}" for folder in (TFLM_NET, STUBS, *folders)]


def stamp(*folders: Path | str) -> str:
    """Changes with the files that native_build does not look at."""
    found = 0
    for folder in (TFLM_NET, STUBS, *folders):
        for path in sorted((REPO / folder).rglob("*.*")):
            found = zlib.crc32(path.read_bytes(), found)
    return f"-DSTAMP={found}"


def export(bundle: Bundle, is_tflm: bool = True) -> Path:
    """The folder with the bundle as C++, and the board's header that chooses TFLM, or not."""
    folder = KEPT / f"tflm-{int(is_tflm)}-{bundle.model_id}"
    write_c_arrays(bundle, folder)
    choice = folder / "frozen_choice.h"
    text = f"#pragma once\n#define TINYOL_FROZEN_TFLM {int(is_tflm)}\n"
    if not choice.exists() or choice.read_text() != text:
        choice.write_text(text)
    return folder


class TflmDevice:
    """One device; its operators are those of the bundle that was compiled in."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        model = export(bundle)
        library = build(
            any_compiler(),
            "tflm.so",
            [*sources_of_core(), *sources(TFLM_NET, STUBS), "tests/native/tflm_api.cpp",
             str(model / "model_tflite.cpp")],
            [*FLAGS, *includes(model), stamp(model)],
        )  # fmt: skip
        # A copy: the loader would hand out the same variables again for the same file.
        copy = folder / f"tflm{len(list(folder.iterdir()))}.so"
        shutil.copy(library, copy)
        self.bundle = bundle
        self.lib = ctypes.CDLL(str(copy))
        self.stub = TflmStub(self.lib, bundle.tflite)

    def load(
        self, tflite: bytes, arena_bytes: int = ROOMY, shift: int = 0, arena_shift: int = 0
    ) -> tuple[int, str, int, int]:
        """Status, where, need and have."""
        refusal = Refusal()
        self.lib.tflm_load(
            tflite, len(tflite), arena_bytes, shift, arena_shift, ctypes.byref(refusal)
        )
        return refusal.told

    def load_linked(self) -> tuple[int, str, int, int]:
        """The same of the model that was compiled in, in the arena that goes with it."""
        refusal = Refusal()
        self.lib.tflm_load_linked(ctypes.byref(refusal))
        return refusal.told

    def begin(self) -> None:
        """The device with the bundle's model image."""
        refusal, image = Refusal(), self.bundle.model_image
        assert self.load_linked()[0] == 0
        assert self.lib.tflm_load_device(image, len(image), ctypes.byref(refusal)) == 0

    def self_test(self) -> tuple[int, int]:
        """CRC-32 of the golden vectors: expected and found."""
        crc = (ctypes.c_uint32 * 2)()
        self.lib.tflm_self_test(crc)
        return crc[0], crc[1]

    def push(self, samples: NDArray[np.float32]) -> int:
        """Samples (n, 3); returns the number of windows."""
        rows = np.ascontiguousarray(samples, np.float32)
        return int(self.lib.tflm_push(rows.ctypes.data_as(ctypes.c_void_p), len(rows)))

    def state(self) -> bytes:
        """The state image."""
        out = ctypes.create_string_buffer(1 << 20)
        n_bytes = self.lib.tflm_state(out, len(out))
        return out.raw[:n_bytes]
