"""TFLM's interpreter from Python, without TensorFlow.

The PyPI package tflite-micro asks for TensorFlow, which its Python layer imports; its extension
module does without, and is loaded by itself.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .contest import Peer, PeerMissingError, Work
from .jobs import WINDOW_JOBS, WindowJob
from .numpy_pipeline import numpy_work

_ARENA_BYTES = 1 << 18


@cache
def load_runtime() -> Any:
    """The extension module.

    Raises:
        PeerMissingError: not installed, or it does not load here.
    """
    package = importlib.util.find_spec("tflite_micro")
    folders = list(package.submodule_search_locations or ()) if package is not None else []
    found = [file for folder in folders for file in Path(folder).rglob("_runtime*.so")]
    if not found:
        raise PeerMissingError(
            "not installed: pip install --no-deps --pre tflite-micro"
            " (Linux on x86-64; it needs no TensorFlow here)"
        )
    spec = importlib.util.spec_from_file_location("_runtime", found[0])
    assert spec is not None
    assert spec.loader is not None
    runtime = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(runtime)
    except ImportError as error:
        raise PeerMissingError(f"does not load here: {error}") from None
    return runtime


def _version() -> str:
    """Of the package."""
    return importlib.metadata.version("tflite-micro")


class TfliteMicro:
    """A loaded model; see numpy_pipeline.Interpreter."""

    def __init__(self, model: bytes) -> None:
        runtime = load_runtime()
        config = runtime.PythonInterpreterConfig.kAllocationRecording
        try:
            self._interpreter = runtime.InterpreterWrapper(model, [], _ARENA_BYTES, 0, config)
        except RuntimeError:
            raise PeerMissingError("does not run this net") from None
        self._shape = self._interpreter.GetInputTensorDetails(0)["shape"]

    def run(self, values: NDArray[Any], wanted: Sequence[int]) -> list[NDArray[Any]]:
        """One window."""
        self._interpreter.SetInputTensor(values.reshape(self._shape), 0)
        self._interpreter.Invoke()
        get = self._interpreter.GetOutputTensor
        return [get(i).reshape(-1) for i in wanted]


def _work(job: WindowJob, what: str) -> Work:
    return numpy_work(job, what, TfliteMicro)


PEER: Peer[WindowJob] = Peer(
    "tflite-micro + numpy",
    WINDOW_JOBS,
    load_runtime,
    _version,
    _work,
)
