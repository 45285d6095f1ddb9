"""Whether a person sees what is written to a stream, or types what is read from it."""

from __future__ import annotations

from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """False also for a stream that who started this has closed: then Python has None there."""
    return stream is not None and not stream.closed and stream.isatty()
