"""The board's own frozen net on this machine: a net blob run over many rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyol_sim._core import ffi, lib
from tinyol_sim.errors import ModelError
from tinyol_sim.refusals import ensure, new_refusal

TAPS = ("embedding", "hidden", "reconstruction")


@dataclass(frozen=True)
class NetTensor:
    """A tensor's shape of a row and what its numbers mean; scale 1, zero point 0 for float32."""

    length: int
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def to_real(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Turn the tensor's own numbers into real ones, in float32 as the board does."""
        centred = (values.astype(np.float32) - np.float32(self.zero_point)).astype(np.float32)
        return centred * np.float32(self.scale)


class Net:
    """A loaded net blob (see net_compiler).

    input: NetTensor; taps: "embedding", "hidden" and "reconstruction" to NetTensor; arena_bytes:
    the memory that its tensors take. Raises ModelError for a blob that is damaged, that this build
    does not run, or that needs more than `max_arena_bytes`. Calls on one net must not overlap.
    """

    def __init__(self, blob: bytes, max_arena_bytes: int = 2**32 - 1) -> None:
        refusal = new_refusal()
        handle = lib.tinyol_net_new(
            ffi.from_buffer("uint8_t[]", blob), len(blob), max_arena_bytes, refusal
        )
        if handle == ffi.NULL:
            ensure(refusal.status, refusal, ModelError)
        self._net = ffi.gc(handle, lib.tinyol_net_free)
        self.arena_bytes: int = lib.tinyol_net_arena_bytes(self._net)
        self.input = self._describe(0)
        self.taps = {name: self._describe(1 + i) for i, name in enumerate(TAPS)}

    def run(self, inputs: ArrayLike) -> dict[str, NDArray[Any]]:
        """Run every row; returns (n, length) a tap, in the tap's own type.

        inputs: (n, input.length) of exactly the input's type; ValueError otherwise.
        """
        rows = np.ascontiguousarray(inputs)
        if rows.dtype != self.input.dtype or rows.shape[1:] != (self.input.length,):
            raise ValueError(
                f"inputs are {rows.dtype} of shape {rows.shape}; the net reads "
                f"{self.input.dtype} of shape (n, {self.input.length})"
            )
        outputs = {
            name: np.empty((len(rows), tensor.length), dtype=tensor.dtype)
            for name, tensor in self.taps.items()
        }
        pointers = [ffi.from_buffer("char[]", outputs[name]) for name in TAPS]
        status = lib.tinyol_net_run_batch(
            self._net, ffi.from_buffer("char[]", rows), len(rows), *pointers
        )
        if status != 0:
            raise ModelError(f"the net did not run: status {status}")
        return outputs

    def _describe(self, which: int) -> NetTensor:
        raw = lib.tinyol_net_describe(self._net, which)
        dtype = np.dtype(np.int8 if raw.type == 0 else np.float32)
        return NetTensor(raw.length, dtype, raw.scale, raw.zero_point)
