"""The golden references: TFLM itself, and TFLite's reference kernels. Both without TensorFlow.

TFLM comes from the PyPI package tflite-micro, whose metadata ask for TensorFlow while its
extension module does without. TFLite is tflite-runtime with its reference kernels: the optimised
ones round differently from any microcontroller.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.benchmark import tflite_micro_peer, tflite_runtime_peer
from tinyol_sim.benchmark.contest import PeerMissingError

# Runs a model over (n, ...) rows; returns (n, length) for each of the graph's outputs.
Reference = Callable[[bytes, NDArray[Any]], list[NDArray[Any]]]

NAMES = ("tflite-micro", "tflite-runtime")
_ARENA_BYTES = 1 << 18


def load_reference(name: str) -> Reference | str:
    """Return the reference of that name, or why it cannot be had here."""
    return _tflite_micro() if name == "tflite-micro" else _tflite_runtime()


@cache
def _tflite_micro() -> Reference | str:
    try:
        runtime = tflite_micro_peer.load_runtime()
    except PeerMissingError as e:
        return f"tflite-micro: {e}"

    def run(model: bytes, inputs: NDArray[Any]) -> list[NDArray[Any]]:
        config = runtime.PythonInterpreterConfig.kAllocationRecording
        interpreter = runtime.InterpreterWrapper(model, [], _ARENA_BYTES, 0, config)
        shape = interpreter.GetInputTensorDetails(0)["shape"]

        def row(values: NDArray[Any]) -> list[NDArray[Any]]:
            interpreter.SetInputTensor(values.reshape(shape), 0)
            interpreter.Invoke()
            return [interpreter.GetOutputTensor(i).reshape(-1) for i in range(_n_outputs(model))]

        return _by_output([row(values) for values in inputs])

    return run


@cache
def _tflite_runtime() -> Reference | str:
    try:
        runtime = tflite_runtime_peer.load_runtime()
    except PeerMissingError as e:
        return f"tflite-runtime: {e}"

    def run(model: bytes, inputs: NDArray[Any]) -> list[NDArray[Any]]:
        interpreter = runtime.Interpreter(
            model_content=model,
            experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
            num_threads=1,
        )
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]
        outputs = [details["index"] for details in interpreter.get_output_details()]

        def row(values: NDArray[Any]) -> list[NDArray[Any]]:
            interpreter.set_tensor(source["index"], values.reshape(source["shape"]))
            interpreter.invoke()
            return [interpreter.get_tensor(index).reshape(-1) for index in outputs]

        return _by_output([row(values) for values in inputs])

    return run


@cache
def _n_outputs(model: bytes) -> int:
    import tflite

    return int(tflite.Model.GetRootAs(model, 0).Subgraphs(0).OutputsLength())


def _by_output(rows: list[list[NDArray[Any]]]) -> list[NDArray[Any]]:
    return [np.stack(values) for values in zip(*rows, strict=True)]
