"""What a person drives a board with: the command line and, under it, the client.

from tinyol_host import connect
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyol_host.board import Board as Board
    from tinyol_host.board import connect as connect

__all__ = ["Board", "connect"]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: `tinyol --help` must not cost the import of numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("tinyol_host.board"), name)
