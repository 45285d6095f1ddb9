"""How many instructions a net takes on a Cortex-M4F, layer by layer, counted exactly.

The net alone, whatever its size: no learner, whose arrays would have to be as wide.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bundle import Bundle
from ..errors import EmulatorError, ModelError
from ..frozen_net.net_compiler import compile_net
from ..frozen_net.tflite_model import read_tflite
from ..frozen_net.tflite_taps import find_taps
from ..model_image import MAGIC, read_sections
from .build import build_image
from .counting import Instructions, over_calls, run_counted

PLAIN = ("-DTINYOL_PLAIN_KERNELS",)  # no DSP instructions, and no assembly: build_image(extra=...)

# firmware/lib/frozen/src/frozen/net_blob.h
_HEADER_BYTES, _TENSOR_BYTES, _OPERATOR_BYTES = 32, 12, 24
_KINDS = {
    1: "fully connected, int8",
    2: "lookup, int8",
    3: "fully connected, float32",
    4: "unary, float32",
    5: "quantize",
    6: "dequantize",
}


@dataclass(frozen=True)
class LayerCost:
    """Of one operator of a net."""

    kind: str
    n_in: int
    n_out: int
    instructions: Instructions

    @property
    def multiply_accumulates(self) -> int:
        """Of a fully connected layer; 0 of others."""
        return self.n_in * self.n_out if self.kind.startswith("fully") else 0


@dataclass(frozen=True)
class NetCost:
    """Of one invocation."""

    layers: list[LayerCost]
    all: Instructions  # with what it takes to go from layer to layer
    output_crc: int  # of the outputs for the benchmark's inputs: the same for every build

    @property
    def multiply_accumulates(self) -> int:
        """Of all layers."""
        return sum(layer.multiply_accumulates for layer in self.layers)

    @property
    def instructions_per_mac(self) -> float | None:
        """Of the whole invocation; None for a net without a fully connected layer."""
        macs = self.multiply_accumulates
        return self.all.median / macs if macs else None

    @property
    def cycles_per_mac(self) -> float | None:
        """An estimate, for the whole invocation; None where there is none."""
        macs, cycles = self.multiply_accumulates, self.all.cycles
        return cycles.estimate / macs if macs and cycles is not None else None


def count_net(
    net: bytes,
    *,
    compiler: str | None = None,
    optimize: str = "-O2",
    machine: str = "unicorn",
    extra: Sequence[str] = (),
    cycles: bool = True,
) -> NetCost:
    """Runs a net blob (net_of()) with inputs of noise.

    Raises:
        EmulatorError: compiler or emulator missing, or the net is refused.
    """
    image = build_image(
        None, compiler=compiler, optimize=optimize, extra=extra, program="net_bench_main", net=net
    )
    shapes = _shapes(net)
    layers: list[list[tuple[int, ...]]] = [[] for _ in shapes]
    invocations: list[tuple[int, ...]] = []
    crc = ""
    for word, text, figures in run_counted(image, machine, cycles=cycles):
        if word == "LAYER":
            layers[int(text.partition(" ")[2])].append(figures)
        elif word == "NET":
            invocations.append(figures)
        elif word == "OUTPUT":
            crc = text
    costs = [
        LayerCost(kind, n_in, n_out, over_calls(calls))
        for (kind, n_in, n_out), calls in zip(shapes, layers, strict=True)
    ]
    return NetCost(costs, over_calls(invocations), int(crc, 16))


def _shapes(net: bytes) -> list[tuple[str, int, int]]:
    """Each operator's kind, and how many numbers it reads and writes."""
    try:
        n_tensors, n_operators = struct.unpack_from("<HH", net, 6)
        lengths = [
            struct.unpack_from("<H", net, _HEADER_BYTES + _TENSOR_BYTES * i + 4)[0]
            for i in range(n_tensors)
        ]
        at = _HEADER_BYTES + _TENSOR_BYTES * n_tensors
        records = [
            struct.unpack_from("<BBHH", net, at + _OPERATOR_BYTES * i) for i in range(n_operators)
        ]
        return [
            (_KINDS.get(kind, f"operator {kind}"), lengths[n_in], lengths[n_out])
            for kind, _, n_in, n_out in records
        ]
    except (struct.error, IndexError):
        raise EmulatorError("this is no net blob: it ends early") from None


def net_of(model: Bundle | Path) -> bytes:
    """The net blob of a bundle, or of an autoencoder in a .tflite file.

    Raises:
        ModelError: the net has an operator or type that the kernels do not run.
    """
    if isinstance(model, Bundle):
        return bytes(read_sections(model.model_image, MAGIC, "model image")[1]["NETB"])
    try:
        tflite = read_tflite(model.read_bytes(), str(model))
    except OSError as error:
        raise ModelError(f"{model}: cannot be read: {error.strerror}") from None
    return compile_net(tflite, find_taps(tflite))
