"""A board in virtual radio range that a test holds in its hands: cuts, restarts, plugs in."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from small_models import int8_bundle
from small_replay import small_bundle

from tinyol_host.access.key_store import KeyStore
from tinyol_host.board import Board, connect
from tinyol_host.events import Changed
from tinyol_host.protocol import Opcode
from tinyol_host.timing import Timing
from tinyol_sim.bundle import Bundle

pytest.importorskip("bumble", reason="the virtual radio needs bumble (Python 3.11 or later)")
pytest.importorskip("dbus_fast", reason="the virtual radio needs dbus-fast")

import board_in_process
from radio import bus
from radio.air import Air, Pace
from radio.peripheral import Peripheral
from radio.radio import Radio, virtual_radio

if sys.platform != "linux" or not bus.is_installed():
    pytest.skip(f"the virtual radio needs Linux and {bus.PROGRAM}", allow_module_level=True)

T = TypeVar("T")

# Whatever is lost here is lost with its link, which both sides are told of at once.
BRISK = Timing(
    reply_s=5.0, give_up_s=20.0, backoff_first_s=0.001, backoff_most_s=0.02, heartbeat_s=60.0
)


def bundle_of_4_kb() -> Bundle:
    """Its state images have 4,100 bytes and 48 more a class; ten windows a second at 100 Hz."""
    return int8_bundle(window_len=150, hop=10)


@dataclass
class Range:
    """A radio with one board in range."""

    radio: Radio
    board: Peripheral
    bundle: Bundle
    cuts: int = 0  # by cut_after

    @property
    def air(self) -> Air:
        return self.radio.air

    def fresh(self, bundle: Bundle | None = None, max_mtu: int = 247) -> None:
        """A board that has learned nothing yet; nobody may be connected."""
        self.bundle = bundle or small_bundle()
        self.board.model_image = self.bundle.model_image
        self.board.max_mtu = self.board.device.gatt_server.max_mtu = max_mtu
        self.board.clock_ahead_ms = 0
        self.restore()
        self.radio.wait(self.board.restart())

    def connect(self, timing: Timing = BRISK) -> Coroutine[Any, Any, Board]:
        return connect(f"ble:{self.board.address}", timing=timing)

    def do(self, work: Callable[[Board], Coroutine[Any, Any, T]], timing: Timing = BRISK) -> T:
        """What `work(board)` returns, over a connection of its own."""

        async def main() -> T:
            async with await self.connect(timing) as board:
                return await work(board)

        return asyncio.run(main())

    def sense(self, samples: NDArray[np.float32], gap: bool = False) -> None:
        """The board's own sensor."""
        self.radio.run(lambda: self.board.sense(samples, gap))

    def state(self) -> bytes:
        """The board's state image, past the protocol."""
        return self.radio.run(self.board.state)

    def cut(self) -> None:
        """The link breaks, and may be made again at once."""
        self.radio.wait(self.board.cut())

    def cut_after(self, *n_packets: int, restart: bool = False) -> None:
        """So many more packets arrive, either way; the next is lost with the link. It may be made
        again at once, whereupon the second number counts, and so on.

        restart: each cut is the board's own power failing.
        """
        numbers = deque(n_packets)

        async def cut() -> None:
            await (self.board.restart() if restart else self.board.cut())
            self.cuts += 1
            self.air.cut_after = numbers.popleft() if numbers else None

        def begin() -> None:
            self.cuts = 0
            self.air.on_cut = lambda: self.board._spawn(cut())
            self.air.cut_after = numbers.popleft()

        self.radio.run(begin)

    def restore(self) -> None:
        """No cut is to come, and the board is heard."""

        def forget() -> None:
            self.air.cut_after = None
            self.air.on_cut = lambda: None
            self.air.audible = True

        self.radio.run(forget)

    def usb(self) -> Usb:
        """Another peer, at the board's USB port, that has said HELLO."""
        return Usb(self)


@contextlib.contextmanager
def in_range(pace: Pace | None = None) -> Iterator[Range]:
    """This process's Bluetooth is a virtual radio with one board."""
    bundle = small_bundle()
    with virtual_radio(pace) as radio, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", radio.bus_address)
        yield Range(radio, radio.add("bench", bundle.model_image), bundle)


class _Port(board_in_process.Board):
    """The wire protocol by hand, on the first link of a board that is there already."""

    def __init__(self, board: Peripheral) -> None:
        self._board = board
        super().__init__(boot_id=board.boot_id, model=board.model_image)

    def __post_init__(self) -> None:
        self.handle = self._board.board

    def write(
        self, message: bytes, link: int = 0, now_ms: int = 0
    ) -> list[board_in_process.Message]:
        replies = super().write(message, link, self._board.now_ms())
        self._board._send()  # what the other link is told
        return replies


class Usb:
    """A peer at the board's USB port, for as long as the board is not restarted."""

    def __init__(self, where: Range) -> None:
        self._radio = where.radio
        self._port = _Port(where.board)
        self._radio.run(self._begin)

    def _begin(self) -> None:
        self._port.hello()
        (key,) = [KeyStore().open(entry) for entry in KeyStore().entries()]
        assert key is not None
        assert self._port.authenticate(key.secret).status == board_in_process.OK

    def ask(self, opcode: Opcode, payload: bytes = b"") -> board_in_process.Message:
        """The reply to a request."""
        return self._radio.run(lambda: self._port.ask(opcode, payload))

    def changes(self) -> list[Changed]:
        """What others had executed since the last call; they are then forgotten."""
        self.ask(Opcode.PING)  # whoever is silent for 10 s is told nothing more
        told = self._radio.run(lambda: self._port.told(board_in_process.CHANGED))
        return [
            Changed(body[0], bool(body[1]), int.from_bytes(body[4:12], "little"), body[12:])
            for body in told
        ]
