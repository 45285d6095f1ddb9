"""What stands behind the stubs of TFLM (tests/stubs/tflm): the project's own kernels."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyol_sim.frozen_net.net import TAPS, Net
from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.tflite_model import Taps, read_tflite


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_uint32),
        ("is_float", ctypes.c_uint32),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
    )


_DESCRIBE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Tensor))
_INVOKE = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 5)


@dataclass
class TflmStub:
    """TFLM's part in a library that was built with the stubs: runs one model.

    To be made before the library loads the model, and kept for as long as the library runs.

    tflite: the model, its outputs the three taps. fails: inferences end in an error.
    flip: (tap, bit) of the first byte that comes out otherwise.
    """

    library: ctypes.CDLL
    tflite: bytes
    fails: bool = False
    flip: tuple[str, int] | None = None
    refuses: bool = False
    invocations: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        model = read_tflite(self.tflite)
        self._net = Net(compile_net(model, Taps(*model.outputs)))
        # Kept alive here: the library has their addresses.
        self._callbacks = (_DESCRIBE(self._describe), _INVOKE(self._invoke))
        self.library.stub_tflm_begin(*self._callbacks)

    def _views(self) -> list[Any]:
        return [self._net.input, *(self._net.taps[name] for name in TAPS)]

    def _describe(self, model: int, tensors: Any) -> int:
        for i, view in enumerate(self._views()):
            is_float = int(view.dtype == np.float32)
            tensors[i] = _Tensor(view.length, is_float, view.scale, view.zero_point)
        return int(self.refuses)

    def _invoke(self, model: int, *places: int) -> int:
        self.invocations += 1
        source, *targets = zip(self._views(), places, strict=True)
        row = ctypes.string_at(source[1], source[0].length * source[0].dtype.itemsize)
        outputs = self._net.run(np.frombuffer(row, source[0].dtype)[None])
        for name, (_, place) in zip(TAPS, targets, strict=True):
            values = bytearray(outputs[name].tobytes())
            if self.flip is not None and self.flip[0] == name:
                values[0] ^= 1 << self.flip[1]
            ctypes.memmove(place, bytes(values), len(values))
        return int(self.fails)
