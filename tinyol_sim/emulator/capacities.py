"""Array sizes of a build that fits one model exactly: the macros of tinyol/capacity.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import BundleError, EmulatorError
from ..model_image import MAGIC, Pipeline, read_sections

_NET_HEADER = struct.Struct("<4sHHHHHHHHIII")  # firmware/lib/frozen/src/frozen/net_blob.h
_TENSOR_BYTES = 12
_TENSOR_LENGTH_AT = 4


@dataclass(frozen=True)
class Capacities:
    """What a build for one model needs."""

    macros: dict[str, int]  # TINYOL_MAX_...: each at least 1; TINYOL_FULL_COVARIANCE
    arena_bytes: int


def capacities_for(model_image: bytes) -> Capacities:
    """Reads the sizes from a model image.

    Raises:
        EmulatorError: not a model image, damaged, or one without a net for our own kernels.
    """
    try:
        _, sections = read_sections(model_image, MAGIC, "model image")
        pipeline = Pipeline.from_bytes(sections["PIPE"], sections["LIMS"])
        net = _NET_HEADER.unpack_from(sections["NETB"])
        embedding, arena_bytes = net[5], net[9]
        at = _NET_HEADER.size + _TENSOR_BYTES * embedding + _TENSOR_LENGTH_AT
        (embedding_len,) = struct.unpack_from("<H", sections["NETB"], at)
        (n_hidden,) = struct.unpack_from("<H", sections["RECO"])
    except BundleError as error:
        raise EmulatorError(str(error)) from None
    except (KeyError, struct.error):
        raise EmulatorError(
            "the model image has no frozen net for the emulated board's kernels"
        ) from None
    width = {"embedding": embedding_len, "axis_log_variance": 3}
    n_features = sum(width.get(name, 1) for name in pipeline.features)
    needed = {
        "TINYOL_MAX_CLASSES": pipeline.max_classes,
        "TINYOL_MAX_FEATURES": n_features,
        "TINYOL_MAX_HIDDEN": n_hidden,
        "TINYOL_MAX_INPUTS": pipeline.n_inputs,
        "TINYOL_MAX_WINDOW": pipeline.window_len,
        "TINYOL_MAX_RING": pipeline.ring_len,
        "TINYOL_MAX_REHEARSAL": pipeline.rehearsal_rows,
        "TINYOL_MAX_REHEARSAL_WINDOWS": pipeline.rehearsal_windows,
    }
    macros = {name: max(1, size) for name, size in needed.items()}
    macros["TINYOL_FULL_COVARIANCE"] = int(pipeline.covariance == "full")
    return Capacities(macros, arena_bytes)


def arena_bytes_of(net: bytes) -> int:
    """What a net blob's tensors take.

    Raises:
        EmulatorError: too short to be one.
    """
    try:
        return int(_NET_HEADER.unpack_from(net)[9])
    except struct.error:
        raise EmulatorError("this is no net blob: it has not even a header") from None
