"""TFLite's interpreter from Python, tflite-runtime: window after window, and all in one batch."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

from numpy.typing import NDArray

from .contest import Peer, PeerMissingError, Work
from .jobs import WINDOW_JOBS, WindowJob
from .numpy_pipeline import numpy_work


@cache
def load_runtime() -> Any:
    """The module with its Interpreter.

    Raises:
        PeerMissingError: not installed, or it does not load here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tflite_runtime import interpreter
    except ModuleNotFoundError:
        raise PeerMissingError(
            "not installed: pip install 'tinyol[reference]' (Python below 3.12)"
        ) from None
    except ImportError as error:
        raise PeerMissingError(f"does not load here: {error}") from None
    return interpreter


def version() -> str:
    """Of the package."""
    return importlib.metadata.version("tflite-runtime")


class TfliteRuntime:
    """A loaded model; see numpy_pipeline.Interpreter.

    With TFLite's reference kernels: for a small net and a window at a time they are faster than
    its optimised ones, and round as microcontrollers do.
    """

    def __init__(self, model: bytes) -> None:
        runtime = load_runtime()
        self._interpreter = _loaded(model, runtime.OpResolverType.BUILTIN_REF)
        self._interpreter.allocate_tensors()
        source = self._interpreter.get_input_details()[0]
        self._input, self._shape = source["index"], source["shape"]
        self._outputs = [details["index"] for details in self._interpreter.get_output_details()]

    def run(self, values: NDArray[Any], wanted: Sequence[int]) -> list[NDArray[Any]]:
        """One window."""
        self._interpreter.set_tensor(self._input, values.reshape(self._shape))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(self._outputs[i]).reshape(-1) for i in wanted]


class TfliteBatch:
    """The model for n windows at once, with the optimised kernels.

    Raises PeerMissingError for a net whose operators hold it to one window.
    """

    def __init__(self, model: bytes, n: int) -> None:
        without_delegates = load_runtime().OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter = _loaded(model, without_delegates)
        source = self._interpreter.get_input_details()[0]
        self._input, self._shape = source["index"], (n, *source["shape"][1:])
        try:
            self._interpreter.resize_tensor_input(self._input, self._shape)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError):
            raise PeerMissingError("this net runs one window at a time only") from None
        self._outputs = [details["index"] for details in self._interpreter.get_output_details()]

    def run(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """All windows (n, length) in one call; the outputs, (n, length)."""
        self._interpreter.set_tensor(self._input, rows.reshape(self._shape))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(i).reshape(len(rows), -1) for i in self._outputs]


def _loaded(model: bytes, resolver: Any) -> Any:
    try:
        return load_runtime().Interpreter(
            model_content=model, experimental_op_resolver_type=resolver, num_threads=1
        )
    except (RuntimeError, ValueError):
        raise PeerMissingError("does not run this net") from None


def _work(job: WindowJob, what: str) -> Work:
    return numpy_work(job, what, TfliteRuntime)


PEER: Peer[WindowJob] = Peer(
    "tflite-runtime + numpy",
    WINDOW_JOBS,
    load_runtime,
    version,
    _work,
)
