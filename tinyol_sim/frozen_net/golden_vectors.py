"""Golden vectors: inputs drawn from a seed, and the CRC-32 of what a frozen net makes of them.

They travel in the model image, and a board runs them at every boot: net_self_test.h.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import BundleError
from tinyol_sim.frozen_net.net import TAPS, Net
from tinyol_sim.frozen_net.net_reference import run_reference
from tinyol_sim.frozen_net.tflite_model import Taps, TfliteModel

SEED = 2463534242
COUNT = 16
MAX_COUNT = 256

_SECTION = struct.Struct("<IHHI")


@dataclass(frozen=True)
class GoldenVectors:
    """What the model image's TEST section says."""

    seed: int  # of xorshift32, not 0
    count: int  # vectors, 0 to MAX_COUNT
    crc: int

    def to_bytes(self) -> bytes:
        """The TEST section's payload."""
        return _SECTION.pack(self.seed, self.count, 0, self.crc)

    @classmethod
    def from_bytes(cls, payload: bytes) -> GoldenVectors:
        """Reads a TEST section back; BundleError if it is malformed."""
        if len(payload) != _SECTION.size:
            raise BundleError("the model image's TEST section has the wrong length")
        seed, count, zero, crc = _SECTION.unpack(payload)
        if seed == 0 or count > MAX_COUNT or zero != 0:
            raise BundleError("the model image's TEST section is malformed")
        return cls(seed, count, crc)


def golden_vectors(
    model: TfliteModel, taps: Taps, blob: bytes, seed: int = SEED, count: int = COUNT
) -> GoldenVectors:
    """Works the vectors' CRC-32 out.

    An int8 net, and a float32 one of dense layers with RELU, are computed by the numpy reference,
    which shares no arithmetic with the board's kernels. A float32 LOGISTIC or TANH is the board's
    own function: such a net is computed by our kernels, and the test proves only that another
    machine has the same bits. A net that is not finite on these inputs gets no vectors.
    """
    tensor = model.tensors[model.inputs[0]]
    inputs = draw_inputs(seed, count, tensor.length, tensor.type == "INT8")
    if _needs_own_functions(model):
        found = Net(blob).run(inputs)
        outputs = [found[name] for name in TAPS]
    else:
        with np.errstate(all="ignore"):
            values = run_reference(model, inputs)
        outputs = [values[getattr(taps, name)] for name in TAPS]
    if not all(np.isfinite(rows).all() for rows in outputs):
        return GoldenVectors(seed, 0, 0)
    crc = 0
    for vector in range(count):
        for rows in outputs:
            little_endian = rows[vector].astype(rows.dtype.newbyteorder("<"))
            crc = zlib.crc32(little_endian.tobytes(), crc)
    return GoldenVectors(seed, count, crc)


def draw_inputs(seed: int, count: int, length: int, is_int8: bool) -> NDArray[Any]:
    """(count, length) int8, or float32 in [-1, 1), as net_self_test.cpp draws them."""
    numbers, state = np.empty(count * length, np.uint32), seed
    for i in range(len(numbers)):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        numbers[i] = state
    signed = numbers.view(np.int32).reshape(count, length)
    if is_int8:
        return (signed >> 24).astype(np.int8)
    return (signed >> 8).astype(np.float32) * np.float32(2**-23)


def _needs_own_functions(model: TfliteModel) -> bool:
    own = ("LOGISTIC", "TANH")
    return any(
        model.tensors[operator.inputs[0]].type == "FLOAT32"
        and (operator.kind in own or operator.activation in own)
        for operator in model.operators
    )
