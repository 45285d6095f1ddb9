"""A .tflite file as bytes: opening one safely, and replacing the list of its outputs."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tflite

from tinyol_sim.errors import ModelError

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b"TFL3"


def open_tflite(model: bytes, source: str) -> Any:
    """Return the root table, which has one graph; call it within `naming_damage`."""
    if len(model) < 8 or model[4:8] != FILE_IDENTIFIER:
        raise ModelError(f"{source}: not a .tflite file (no identifier TFL3 at byte 4)")
    root = tflite.Model.GetRootAs(model, 0)
    if root.Version() != SCHEMA_VERSION:
        raise ModelError(f"{source}: schema version {root.Version()}; version 3 is needed")
    n_graphs = root.SubgraphsLength()
    if n_graphs != 1:
        raise ModelError(f"{source}: {n_graphs} subgraphs; a model of one graph is needed")
    return root


def with_outputs(model: bytes, tensor_indices: Sequence[int], source: str = "model") -> bytes:
    """Return the same model with these tensors as the graph's outputs, in this order.

    A vector of indices is appended and the graph's offset to its outputs points there; nothing
    else changes. Needed where an interpreter reuses the memory of inner tensors.
    """
    with naming_damage(source):
        graph = open_tflite(model, source).Subgraphs(0)
        n_tensors = graph.TensorsLength()
        field = graph._tab.Offset(8)  # vtable slot of SubGraph.outputs
        if field == 0:
            raise ModelError(f"{source}: the graph has no list of outputs to replace")
        position = graph._tab.Pos + field
        for index in tensor_indices:
            if not 0 <= index < n_tensors:
                raise ModelError(f"{source}: no tensor {index}; the model has 0 to {n_tensors - 1}")
        patched = bytearray(model)
        patched.extend(bytes(-len(patched) % 4))
        end = len(patched)
        patched.extend(
            struct.pack(f"<I{len(tensor_indices)}i", len(tensor_indices), *tensor_indices)
        )
        struct.pack_into("<I", patched, position, end - position)
        return bytes(patched)


@contextmanager
def naming_damage(source: str) -> Iterator[None]:
    """Turn what reading beyond a damaged file's bounds raises into a ModelError."""
    try:
        yield
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError) as e:
        raise ModelError(f"{source}: damaged .tflite file: {e}") from e
