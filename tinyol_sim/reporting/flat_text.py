"""Nested settings and provenance as lines of text: "outer.inner" and a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinyol_sim.text import printable


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of JSON's types; a list of plain values is one line."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            shown = printable(str(key))
            yield from flattened(inner, f"{name}.{shown}" if name else shown)
    elif isinstance(value, (list, tuple)) and any(
        isinstance(item, (list, tuple, Mapping)) for item in value
    ):
        for i, inner in enumerate(value):
            yield from flattened(inner, f"{name}[{i}]")
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(_plain(item) for item in value)
    else:
        yield name, _plain(value)


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))
