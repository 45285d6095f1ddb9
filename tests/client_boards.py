"""Boards behind a link that a test holds in its hands, as connect() makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from unittest import mock

from faulty_link import QUICK, DeviceInProcess, Direction, Fault, FaultyLink
from small_models import vibration

import tinyol_host.board
from tinyol_host.board import Board, connect
from tinyol_host.kept_state import KeptState
from tinyol_host.protocol import Message, Opcode
from tinyol_host.timing import Timing
from tinyol_host.transports.opening import Way

Choice = Callable[[Message], Fault]


class WatchedLink(FaultyLink):
    """Keeps what was sent; `fault_of` says what becomes of a request, or of its reply if LOSE."""

    def __init__(
        self, device: DeviceInProcess, *, max_message: int = 512, device_notices: bool = False
    ) -> None:
        super().__init__(device, max_message=max_message, device_notices=device_notices)
        self.fault_of: Choice = lambda request: Fault.NONE
        self.reboots_when_cut = False
        self.sent: list[Message] = []

    async def send(self, message: bytes) -> None:
        request = Message.from_bytes(message)
        self.sent.append(request)
        fault = self.fault_of(request)
        side = Direction.TO_HOST if fault is Fault.LOSE else Direction.TO_DEVICE
        self.plan = lambda direction, number: fault if direction is side else Fault.NONE
        await super().send(message)

    def cut(self) -> None:
        super().cut()
        if self.reboots_when_cut:
            self.device.reboot()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def opcodes(self) -> list[Opcode]:
        return [Opcode(message.opcode) for message in self.sent]

    def payloads(self, opcode: Opcode) -> list[bytes]:
        return [message.payload for message in self.sent if message.opcode == opcode]

    def vanish(self) -> None:
        """Cut, and not to be opened again."""
        self.refuse_open = "the cable is gone"
        self.cut()


def nth(number: int, opcodes: Iterable[Opcode], fault: Fault) -> Choice:
    """The fault for the `number`th of these requests, from 1."""
    seen, of = 0, set(opcodes)

    def choose(request: Message) -> Fault:
        nonlocal seen
        if request.opcode not in of:
            return Fault.NONE
        seen += 1
        return fault if seen == number else Fault.NONE

    return choose


def every(number: int, fault: Fault) -> Choice:
    """The fault for every `number`th message."""
    seen = 0

    def choose(request: Message) -> Fault:
        nonlocal seen
        seen += 1
        return Fault.NONE if seen % number else fault

    return choose


async def connect_over(
    link: WatchedLink, *, kept: KeptState | None = None, timing: Timing = QUICK
) -> Board:
    """connect(), whose way is this link."""
    way = Way(link, None, kept, link.device.bundle, ends_with_link=True)
    with mock.patch.object(tinyol_host.board, "transport_for", return_value=way):
        return await connect("sim:", timing=timing)


def watched() -> WatchedLink:
    """A link whose device notices when it is cut."""
    return WatchedLink(DeviceInProcess(), device_notices=True)


async def teach(board: Board, n: int = 300, seed: int = 0) -> None:
    """Class "a" from n samples fed; its label and 20 steps of fine-tuning may be under way then."""
    if "a" not in await board.classes():
        await board.add_class("a")
    await board.label("a")
    await board.fine_tune(20)
    async with board.feeding() as feeding:
        await feeding.feed(vibration(n, seed))


def free(kept: KeptState) -> None:
    """Nobody has it."""
    again = KeptState(kept.path)
    again.lock()
    again.release()
