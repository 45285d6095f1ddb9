"""Lines from standard input while something else goes on: a terminal, a pipe or a file."""

from __future__ import annotations

import asyncio
import io
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_LINE_BYTES = 1000


@contextmanager
def typed_lines() -> Iterator[asyncio.Queue[bytes | None]]:
    """Meanwhile, a queue gets each line, without its end; None when there will be no more."""
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(line: bytes | None) -> None:
        loop.call_soon_threadsafe(lines.put_nowait, line)

    try:
        fd = sys.stdin.fileno()
    except (AttributeError, ValueError, io.UnsupportedOperation):  # none, closed, or in memory
        for line in sys.stdin or ():
            lines.put_nowait(line.rstrip("\n").encode())
        lines.put_nowait(None)
        yield lines
        return
    wake, woken = os.pipe()[::-1]
    # A thread: what is read may be a file, which an event loop cannot watch. It reads without
    # Python's buffer, whose lock a blocked thread would hold when the program ends.
    reader = threading.Thread(target=_read, args=(fd, woken, tell), daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        os.close(wake)  # its other end becomes readable
        reader.join()
        os.close(woken)


def _read(fd: int, woken: int, tell: Callable[[bytes | None], None]) -> None:
    rest = b""
    while True:
        ready, _, _ = select.select([fd, woken], [], [])
        if woken in ready:
            return
        try:
            data = os.read(fd, 4096)
        except OSError:  # the terminal is gone
            data = b""
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            tell(line.rstrip(b"\r"))
        if not data or len(rest) > MAX_LINE_BYTES:
            if rest:
                tell(rest)
            rest = b""
        if not data:
            tell(None)
            return
