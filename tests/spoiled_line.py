"""A bad cable between a serial port and a real device: bytes get lost, flip, double; it is pulled.

Host <-> pty <-> SpoiledLine <-> pty <-> PtyBoard. The port's path is a link that leads to another
pty after each pull, as those in /dev/serial/by-id do.
"""

from __future__ import annotations

import os
import random
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pty_board import PtyBoard

from tinyol_host.transports.stream import ByteStream

KINDS = ("lost", "flipped", "doubled")


class Spoiler:
    """What becomes of bytes on their way, each by itself.

    kinds: of which a spoiled byte suffers one; rate: how many of all bytes do.
    """

    def __init__(self, seed: int, kinds: tuple[str, ...] = KINDS, rate: float = 0.01) -> None:
        self._random = random.Random(seed)
        self._kinds = kinds
        self._rate = rate
        self.seen = self.spoiled = 0

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            out += self._one(byte) if self._random.random() < self._rate else bytes([byte])
        self.seen += len(data)
        return bytes(out)

    def _one(self, byte: int) -> bytes:
        self.spoiled += 1
        kind = self._random.choice(self._kinds)
        if kind == "lost":
            return b""
        if kind == "flipped":
            return bytes([byte ^ 1 << self._random.randrange(8)])
        return bytes([byte, byte])


class SpoiledStream:
    """A ByteStream whose bytes are spoiled, both ways."""

    def __init__(self, stream: ByteStream, there: Spoiler, back: Spoiler) -> None:
        self._stream, self._there, self._back = stream, there, back
        self.close = stream.close

    def read(self, timeout: float) -> bytes:
        return self._back(self._stream.read(timeout))

    def write(self, data: bytes) -> None:
        self._stream.write(self._there(data))


class SpoiledLine:
    """The port is at `path` from the beginning of the `with` block; the device goes on behind it.

    Args:
        there, back: what becomes of bytes to the device, and of those from it.
        next_pull: after how many bytes, both ways together, the cable is pulled, and asked again
            after each pull; None = never. The byte before it still arrives, the next does not,
            so it may come in the middle of any message.
    """

    def __init__(
        self,
        board: PtyBoard,
        path: Path,
        there: Callable[[bytes], bytes] = bytes,
        back: Callable[[bytes], bytes] = bytes,
        next_pull: Callable[[], int] | None = None,
    ) -> None:
        self.path = path
        self.pulls = 0
        self._board = board
        self._spoil = {"there": there, "back": back}
        self._next_pull = next_pull
        self._left = 0 if next_pull is None else next_pull()
        self._counting = threading.Lock()
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._carry, name="cable")

    def pull_in(self, n: int) -> None:
        """The next pull comes after n bytes."""
        with self._counting:
            self._left = n

    def __enter__(self) -> SpoiledLine:
        self._plug_in()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.write(self._wake[1], b"!")
        self._thread.join()
        self._unplug()
        for fd in self._wake:
            os.close(fd)

    def _plug_in(self) -> None:
        self._far = os.open(self._board.plug_in(), os.O_RDWR | os.O_NOCTTY)
        self._near, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path.symlink_to(os.ttyname(self._slave))

    def _unplug(self) -> None:
        self.path.unlink()  # first: the next pty may have the same name
        for fd in (self._slave, self._near, self._far):
            os.close(fd)
        self._board.unplug()

    def _carry(self) -> None:
        while True:
            ready, _, _ = select.select([self._near, self._far, self._wake[0]], [], [])
            if self._wake[0] in ready:
                return
            for fd in ready:
                if not self._pass_on(fd):
                    self._unplug()
                    self.pulls += 1
                    self._plug_in()
                    break

    def _pass_on(self, fd: int) -> bool:
        """False: here the cable is pulled."""
        direction, to = ("there", self._far) if fd == self._near else ("back", self._near)
        data, pulled = self._until_pull(os.read(fd, 4096))
        data = self._spoil[direction](data)
        if data:
            os.write(to, data)
        return not pulled

    def _until_pull(self, data: bytes) -> tuple[bytes, bool]:
        """What still gets through, and whether the cable is pulled behind it."""
        if self._next_pull is None:
            return data, False
        with self._counting:
            pulled = len(data) >= self._left
            data = data[: self._left]
            self._left = self._next_pull() if pulled else self._left - len(data)
        return data, pulled
