"""The ways to a device, each with a real one behind it: in this process, on a pty, emulated."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from emulator_cases import HAS_GCC, needs_compiler, qemu, unicorn
from emulator_cases import int8_bundle as emulated_bundle
from pty_board import PtyBoard
from small_models import int8_bundle

from tinyol_host.errors import LinkError
from tinyol_host.framing import encode_frame
from tinyol_host.ports import Port, list_ports
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.transports import Transport
from tinyol_host.transports.emu import PowerSwitch, emu_transport
from tinyol_host.transports.opening import transport_for
from tinyol_host.transports.serial import PortFinder, serial_transport
from tinyol_host.transports.sim import SimTransport
from tinyol_host.transports.stream import StreamTransport
from tinyol_host.uri import parse_uri
from tinyol_sim.emulator.machine import Machine, new_machine
from tinyol_sim.errors import BundleError

LIMIT_S = 8.0


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


def message(opcode: Opcode, hello: Message | None = None, sequence: int = 0) -> bytes:
    """A request in the session that a HELLO's reply opened; without it, that HELLO."""
    if hello is None:
        return Message(Kind.REQUEST, opcode, 0, 0, 0, struct.pack("<QQ", 5, 0)).to_bytes()
    return Message(Kind.REQUEST, opcode, hello.session, sequence, hello.boot_id, b"").to_bytes()


HELLO = message(Opcode.HELLO)


async def receive(transport: Transport) -> Message:
    return Message.from_bytes(await asyncio.wait_for(transport.receive(), LIMIT_S))


async def greet(transport: Transport) -> Message:
    await transport.send(HELLO)
    reply = await receive(transport)
    assert (reply.kind, reply.opcode) == (Kind.REPLY, Opcode.HELLO)
    return reply


async def ping(transport: Transport, hello: Message, sequence: int) -> None:
    await transport.send(message(Opcode.PING, hello, sequence))
    reply = await receive(transport)
    assert (reply.kind, reply.opcode, reply.sequence) == (Kind.REPLY, Opcode.PING, sequence)


async def send_for_ever(transport: Transport) -> None:
    async def sending() -> None:
        while True:
            await transport.send(HELLO)

    await asyncio.wait_for(sending(), LIMIT_S)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.002)


# --- sim ----------------------------------------------------------------------------------


def test_sim_has_a_device_that_outlives_its_link() -> None:
    async def scenario() -> None:
        transport = SimTransport(int8_bundle())
        for _ in range(2):  # open() and close() may come twice
            await transport.open()
        hello = await greet(transport)
        assert hello.boot_id != 0
        await ping(transport, hello, 1)
        for _ in range(2):
            await transport.close()
        await transport.open()
        again = await greet(transport)
        assert (again.boot_id, again.session) == (hello.boot_id, hello.session)
        assert again.payload[12:14] == b"\1\0"  # it knows the last request
        await transport.close()
        other = SimTransport(int8_bundle())
        await other.open()
        assert (await greet(other)).boot_id != hello.boot_id
        await other.close()

    asyncio.run(scenario())


def test_sim_says_when_it_is_not_open() -> None:
    async def scenario() -> None:
        transport = SimTransport(int8_bundle())
        with pytest.raises(LinkError, match="sim is not open"):
            await transport.send(HELLO)
        with pytest.raises(LinkError, match="sim is not open"):
            await transport.receive()
        await transport.open()
        waiting = asyncio.ensure_future(transport.receive())
        await asyncio.sleep(0)
        await transport.close()
        with pytest.raises(LinkError, match="closed"):
            await waiting

    asyncio.run(scenario())


def test_sim_carries_what_its_link_is_said_to() -> None:
    async def scenario(max_message: int) -> tuple[int, int]:
        transport = SimTransport(int8_bundle(), max_message=max_message)
        await transport.open()
        hello = await greet(transport)
        await transport.close()
        return transport.max_message, int(struct.unpack_from("<H", hello.payload, 14)[0])

    assert asyncio.run(scenario(512)) == (512, 512)
    assert asyncio.run(scenario(244)) == (244, 244)


def test_sim_drops_a_peer_that_was_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    clock = SimpleNamespace(monotonic_ns=lambda: int((now_s + 2**32 / 1000 - 3) * 1e9))
    monkeypatch.setattr("tinyol_host.transports.sim.time", clock)

    async def lost_peers(transport: SimTransport, hello: Message, sequence: int) -> int:
        await transport.send(message(Opcode.INFO, hello, sequence))
        payload = (await receive(transport)).payload
        return int(struct.unpack_from("<I", payload, 12 + 76)[0])

    async def scenario() -> None:
        nonlocal now_s
        transport = SimTransport(int8_bundle())
        await transport.open()
        hello = await greet(transport)
        now_s = 9.0  # the device's clock has wrapped
        assert await lost_peers(transport, hello, 1) == 0
        now_s = 20.0
        hello = await greet(transport)
        assert await lost_peers(transport, hello, 2) == 1
        await transport.close()

    asyncio.run(scenario())


def test_sim_explains_a_refused_model() -> None:
    with pytest.raises(BundleError, match="the device refuses the model"):
        SimTransport(int8_bundle().model_image[:-1])


def test_sim_by_its_address() -> None:
    async def scenario() -> None:
        way = transport_for(parse_uri("sim:?state=none"))
        assert way.bundle is not None
        await way.transport.open()
        hello = await greet(way.transport)
        assert bytes.fromhex(way.bundle.model_id) in hello.payload
        await way.transport.close()

    asyncio.run(scenario())


# --- frames over a stream -----------------------------------------------------------------


class Pipe:
    """A byte stream whose other end is the test."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._coming: list[bytes | Exception] = []
        self.written: list[bytes] = []
        self.closed = False
        self.write_error: Exception | None = None
        self.write_gate = threading.Event()
        self.write_gate.set()

    def come(self, item: bytes | Exception) -> None:
        with self._changed:
            self._coming.append(item)
            self._changed.notify_all()

    def read(self, timeout: float) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._coming or self.closed, timeout)
            if not self._coming:
                return b""
            item = self._coming.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def write(self, data: bytes) -> None:
        self.write_gate.wait(LIMIT_S)
        if self.write_error is not None:
            raise self.write_error
        self.written.append(data)

    def close(self) -> None:
        assert not self.closed
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        self.write_gate.set()


def some_messages(n: int) -> list[bytes]:
    return [
        Message(Kind.EVENT, 4, 1, i + 1, 9, bytes(range(i % 250)) * 2).to_bytes() for i in range(n)
    ]


def test_a_lost_byte_costs_one_frame() -> None:
    messages = some_messages(40)
    stream = bytearray()
    for i, one in enumerate(messages):
        frame = encode_frame(one)
        if i % 4 == 1:
            middle = len(frame) // 2
            frame = frame[:middle] + frame[middle + 1 :]
        stream += frame

    async def scenario() -> None:
        pipe = Pipe()
        transport = StreamTransport(lambda: pipe, "pipe")
        await transport.open()
        for at in range(0, len(stream), 7):
            pipe.come(bytes(stream[at : at + 7]))
        kept = [one for i, one in enumerate(messages) if i % 4 != 1]
        assert [await asyncio.wait_for(transport.receive(), LIMIT_S) for _ in kept] == kept
        assert transport.bad_frames == 10
        await transport.close()
        assert pipe.closed

    asyncio.run(scenario())


def test_what_is_sent_stands_between_zeros() -> None:
    async def scenario() -> None:
        pipe = Pipe()
        transport = StreamTransport(lambda: pipe, "pipe")
        await transport.open()
        messages = some_messages(20)
        for one in messages:
            await transport.send(one)
        await transport.close()
        assert pipe.written == [b"\0" + encode_frame(one) for one in messages]

    asyncio.run(scenario())


def test_a_cancelled_receive_loses_no_message() -> None:
    async def scenario() -> None:
        pipe = Pipe()
        transport = StreamTransport(lambda: pipe, "pipe")
        await transport.open()
        messages = some_messages(200)
        received: list[bytes] = []

        async def take_one() -> None:
            received.append(await transport.receive())

        for i, one in enumerate(messages):
            task = asyncio.ensure_future(take_one())
            await asyncio.sleep(0)
            pipe.come(encode_frame(one))
            for _ in range(i % 5):  # at another moment each time
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        while len(received) < len(messages):
            await asyncio.wait_for(take_one(), LIMIT_S)
        assert received == messages
        await transport.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [OSError(5, "gone"), LinkError("pipe: gone"), KeyError("gone")])
def test_a_stream_that_ends_is_a_link_error_behind_the_last_message(error: Exception) -> None:
    async def scenario() -> None:
        pipes = [Pipe(), Pipe()]
        transport = StreamTransport(iter(pipes).__next__, "pipe")
        await transport.open()
        last = some_messages(1)[0]
        pipes[0].come(encode_frame(last))
        pipes[0].come(error)
        assert await asyncio.wait_for(transport.receive(), LIMIT_S) == last
        for _ in range(2):
            with pytest.raises(LinkError, match=r"pipe: .*gone"):
                await asyncio.wait_for(transport.receive(), LIMIT_S)
        with pytest.raises(LinkError, match=r"pipe: .*gone"):
            await transport.send(last)
        await transport.close()
        await transport.open()  # the second pipe
        await transport.send(last)
        pipes[1].come(encode_frame(last))
        assert await asyncio.wait_for(transport.receive(), LIMIT_S) == last
        await transport.close()

    asyncio.run(scenario())


def test_a_failing_write_ends_the_link() -> None:
    async def scenario() -> None:
        pipe = Pipe()
        pipe.write_error = OSError(5, "unplugged")
        transport = StreamTransport(lambda: pipe, "pipe")
        await transport.open()
        with pytest.raises(LinkError, match=r"pipe: .*unplugged"):
            await transport.send(HELLO)
        with pytest.raises(LinkError, match=r"pipe: .*unplugged"):
            await transport.receive()
        await transport.close()

    asyncio.run(scenario())


def test_closing_wakes_up_who_waits() -> None:
    async def scenario() -> None:
        pipe = Pipe()
        transport = StreamTransport(lambda: pipe, "pipe")
        await transport.open()
        pipe.write_gate.clear()
        pipe.write_error = LinkError("pipe has been closed")
        sending = asyncio.ensure_future(transport.send(HELLO))
        receiving = asyncio.ensure_future(transport.receive())
        await asyncio.sleep(0.02)
        assert not sending.done()
        await asyncio.wait_for(transport.close(), LIMIT_S)
        await transport.close()
        for task in (sending, receiving):
            with pytest.raises(LinkError, match="closed"):
                await task

    asyncio.run(scenario())


def test_threads_have_ended_when_close_returns() -> None:
    class Deaf(Pipe):
        """Cannot be woken up: reading ends with its time."""

        def read(self, timeout: float) -> bytes:
            time.sleep(timeout)
            return b""

    async def scenario() -> None:
        transport = StreamTransport(Deaf, "pipe")
        await transport.open()
        await transport.send(HELLO)
        names = {thread.name for thread in threading.enumerate()}
        assert {"tinyol-reader", "tinyol-writer_0"} <= names
        await transport.close()
        names = {thread.name for thread in threading.enumerate()}
        assert not {"tinyol-reader", "tinyol-writer_0"} & names

    asyncio.run(scenario())


def test_opening_does_not_block_and_cancelled_closes_what_comes_of_it() -> None:
    async def scenario() -> None:
        pipe, gate = Pipe(), threading.Event()

        def slow() -> Pipe:
            assert gate.wait(LIMIT_S)
            return pipe

        transport = StreamTransport(slow, "pipe")
        opening = asyncio.ensure_future(transport.open())
        await asyncio.sleep(0.02)
        assert not opening.done()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not pipe.closed
        gate.set()
        await until(lambda: pipe.closed)

    asyncio.run(scenario())


def test_opening_that_outlives_the_event_loop_is_closed_too() -> None:
    pipe, gate, threads = Pipe(), threading.Event(), threading.active_count()

    def slow() -> Pipe:
        assert gate.wait(LIMIT_S)
        return pipe

    async def scenario() -> None:
        await asyncio.wait_for(StreamTransport(slow, "pipe").open(), 0.02)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(scenario())
    gate.set()
    deadline = time.monotonic() + LIMIT_S
    while not pipe.closed or threading.active_count() > threads:
        assert time.monotonic() < deadline
        time.sleep(0.002)


# --- serial -------------------------------------------------------------------------------


def test_serial_talks_to_a_device() -> None:
    async def scenario() -> None:
        with PtyBoard(int8_bundle()) as board:
            board.say(b"left over from before")
            transport = serial_transport(board.path)
            assert transport.name == f"serial:{board.path}"
            await transport.open()
            hello = await greet(transport)
            for sequence in range(1, 101):
                await ping(transport, hello, sequence)
            await transport.close()
            assert board.heard.startswith(b"\0")
            await transport.open()
            assert (await greet(transport)).session == hello.session
            await transport.close()

    asyncio.run(scenario())


def test_serial_survives_noise() -> None:
    async def scenario() -> None:
        spoiled = iter(range(10_000))

        def spoil(frame: bytes) -> bytes:
            at = 5 if next(spoiled) % 3 == 1 else len(frame)
            return frame[:at] + frame[at + 1 :]

        with PtyBoard(int8_bundle(), spoil) as board:
            transport = serial_transport(board.path)
            await transport.open()
            hello = await greet(transport)
            came = 0
            for sequence in range(1, 31):
                await transport.send(message(Opcode.PING, hello, sequence))
            for _ in range(20):
                came += (await receive(transport)).opcode == Opcode.PING
            assert (came, transport.bad_frames) == (20, 10)
            await transport.close()

    asyncio.run(scenario())


def test_an_unplugged_cable_is_a_link_error_and_the_board_is_found_again() -> None:
    async def scenario() -> None:
        board = PtyBoard(int8_bundle())
        ports: list[Port] = []

        def plug_in() -> None:
            ports[:] = [
                Port("/dev/absent", "sketch", "SOMEONE", ""),
                Port(board.plug_in(), "sketch", "OURS", "Nano 33 BLE"),
            ]

        plug_in()
        transport = StreamTransport(PortFinder(board.path, lambda: ports), "serial:first")
        await transport.open()
        hello = await greet(transport)
        await ping(transport, hello, 1)
        receiving = asyncio.ensure_future(transport.receive())
        await asyncio.sleep(0.01)
        first = board.path
        board.unplug()
        with pytest.raises(LinkError, match=f"{first}: the cable is unplugged"):
            await asyncio.wait_for(receiving, LIMIT_S)
        with pytest.raises(LinkError, match="unplugged"):
            await transport.send(HELLO)
        await transport.close()

        del ports[1]
        with pytest.raises(LinkError, match=r"board OURS, .*not plugged in.*/dev/absent"):
            await transport.open()

        blocker = os.openpty()  # so that the board comes back under another name
        plug_in()
        assert board.path != first
        await transport.open()
        again = await greet(transport)
        assert (again.boot_id, again.session) == (hello.boot_id, hello.session)
        await ping(transport, again, 2)
        await transport.close()
        board.unplug()
        for fd in blocker:
            os.close(fd)

    asyncio.run(scenario())


def test_writing_to_an_unplugged_board_is_a_link_error() -> None:
    async def scenario() -> None:
        with PtyBoard(int8_bundle()) as board:
            transport = serial_transport(board.path)
            await transport.open()
            await greet(transport)
            board.unplug()
            with pytest.raises(LinkError, match="unplugged"):
                await send_for_ever(transport)
            await transport.close()

    asyncio.run(scenario())


def test_a_board_that_takes_no_data_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyol_host.transports.serial.WRITE_TIMEOUT_S", 0.2)
    master, slave = os.openpty()

    async def scenario() -> None:
        transport = serial_transport(os.ttyname(slave))
        await transport.open()

        with pytest.raises(LinkError, match="takes no data"):
            await send_for_ever(transport)
        await transport.close()

    try:
        asyncio.run(scenario())
    finally:
        os.close(slave)
        os.close(master)


def test_a_port_belongs_to_one_process() -> None:
    script = (
        "import asyncio, sys\nfrom tinyol_host.transports.serial import serial_transport\n"
        "from tinyol_host.errors import LinkError\n"
        "try: asyncio.run(serial_transport(sys.argv[1]).open())\n"
        "except LinkError as error: sys.exit(str(error))\n"
    )

    async def scenario() -> None:
        with PtyBoard(int8_bundle()) as board:
            transport = serial_transport(board.path)
            await transport.open()
            other = subprocess.run(
                [sys.executable, "-c", script, board.path], capture_output=True, text=True
            )
            assert other.returncode == 1
            assert f"{board.path}: in use by another program" in other.stderr
            await greet(transport)
            await transport.close()

    asyncio.run(scenario())


def refusal_of(finder: PortFinder) -> str:
    async def scenario() -> None:
        await StreamTransport(finder, "serial:").open()

    with pytest.raises(LinkError) as caught:
        asyncio.run(scenario())
    return str(caught.value)


def test_a_missing_port_is_answered_with_those_there_are(tmp_path: Path) -> None:
    board = Port("/dev/ttyACM3", "sketch", "A", "Nano 33 BLE")
    other = Port("/dev/ttyUSB0", "other", None, "")
    text = refusal_of(PortFinder("/dev/ttyACM9", lambda: [board, other]))
    assert "/dev/ttyACM9: there is no such port" in text
    assert "/dev/ttyACM3 (a board), /dev/ttyUSB0" in text
    assert "no serial port is plugged in" in refusal_of(PortFinder("/dev/ttyACM9", list))
    (tmp_path / "file").write_text("text")
    assert "this is no serial port" in refusal_of(PortFinder(str(tmp_path / "file"), list))
    assert "this is no serial port" in refusal_of(PortFinder(str(tmp_path), list))


def test_a_board_in_its_bootloader_is_recognised() -> None:
    waiting = Port("/dev/ttyACM3", "bootloader", "A", "")
    assert "press its reset button" in refusal_of(PortFinder("/dev/ttyACM3", lambda: [waiting]))


def test_without_a_port_the_only_board_is_taken() -> None:
    async def scenario() -> None:
        with PtyBoard(int8_bundle()) as board:
            ports = [
                Port("/dev/ttyUSB0", "other", None, ""),
                Port(board.path, "sketch", "A", ""),
            ]
            transport = StreamTransport(PortFinder("", lambda: ports), "serial:")
            await transport.open()
            await greet(transport)
            await transport.close()

    asyncio.run(scenario())
    two = [Port(f"/dev/ttyACM{i}", "sketch", str(i), "") for i in range(2)]
    assert "more than one board is plugged in" in refusal_of(PortFinder("", lambda: two))
    assert "no board is plugged in" in refusal_of(PortFinder("", list))


def test_a_link_to_a_port_is_followed(tmp_path: Path) -> None:
    async def scenario() -> None:
        with PtyBoard(int8_bundle()) as board:
            (tmp_path / "by-id").symlink_to(board.path)
            ports = [Port(board.path, "sketch", "A", "")]
            finder = PortFinder(str(tmp_path / "by-id"), lambda: ports)
            transport = StreamTransport(finder, "serial:by-id")
            await transport.open()
            await greet(transport)
            await transport.close()
            ports.clear()
            with pytest.raises(LinkError, match="board A, "):  # its number was seen
                await transport.open()

    asyncio.run(scenario())


def test_denied_permission_names_the_group() -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.chmod(path, 0)
    user = os.geteuid()
    try:
        if user == 0:  # root may open anything
            os.seteuid(65534)
        text = refusal_of(PortFinder(path, list))
    finally:
        os.seteuid(user)
        os.close(slave)
        os.close(master)
    assert f"{path}: permission denied" in text
    assert "usermod -aG dialout" in text


def test_ports_are_told_apart_by_their_usb_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    def port(device: str, vid: int | None, pid: int | None, number: str | None) -> SimpleNamespace:
        return SimpleNamespace(
            device=device, vid=vid, pid=pid, serial_number=number, description="n/a"
        )

    found = [
        port("/dev/rfcomm0", None, None, None),
        port("/dev/ttyACM1", 0x2341, 0x805A, "B"),
        port("/dev/ttyACM0", 0x2341, 0x005A, "A"),
        port("/dev/ttyACM2", 0x2341, 0x0043, "C"),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    assert [(p.device, p.kind, p.serial_number) for p in list_ports()] == [
        ("/dev/ttyACM0", "bootloader", "A"),
        ("/dev/ttyACM1", "sketch", "B"),
        ("/dev/rfcomm0", "other", None),
        ("/dev/ttyACM2", "other", "C"),
    ]


# --- emu ----------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn, qemu])
def test_emu_is_a_board_that_restarts_with_its_link(machine: str) -> None:
    compiler = "gcc" if HAS_GCC else "zig"

    async def scenario() -> None:
        transport = emu_transport(
            PowerSwitch(emulated_bundle(), {"machine": machine, "compiler": compiler})
        )
        assert transport.name == "emu"
        hellos = []
        for _ in range(2):
            await transport.open()
            hellos.append(await greet(transport))
            for sequence in range(1, 21):
                await ping(transport, hellos[-1], sequence)
            receiving = asyncio.ensure_future(transport.receive())
            await asyncio.sleep(0)
            await transport.close()
            with pytest.raises(LinkError):
                await receiving
        assert hellos[0].boot_id != hellos[1].boot_id

    asyncio.run(scenario())


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_emu_that_stops_is_a_link_error(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machines: list[Machine] = []

    def remembered(image: Path, name: str) -> Machine:
        machines.append(new_machine(image, name))
        return machines[-1]

    monkeypatch.setattr("tinyol_host.transports.emu.new_machine", remembered)

    async def scenario() -> None:
        transport = emu_transport(PowerSwitch(emulated_bundle(), {"machine": machine}))
        await transport.open()
        await greet(transport)
        machines[0].stop()
        with pytest.raises(LinkError, match="not running"):
            await asyncio.wait_for(transport.receive(), LIMIT_S)
        with pytest.raises(LinkError, match="not running"):
            await transport.send(HELLO)
        await transport.close()

    asyncio.run(scenario())


def test_emu_without_a_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    async def scenario() -> None:
        with pytest.raises(LinkError, match=r"emu: .*arm-none-eabi"):
            await emu_transport(PowerSwitch(emulated_bundle(), {"compiler": "gcc"})).open()

    asyncio.run(scenario())


def test_emu_can_be_built_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[object] = []

    def built(*args: object, **options: object) -> Path:
        made.append(options)
        return tmp_path / "no-image"

    monkeypatch.setattr("tinyol_host.transports.emu.build_image", built)
    way = transport_for(parse_uri("emu:?compiler=gcc&optimize=Os&state=none"))
    assert way.prepare is not None
    way.prepare()
    assert made == [{"compiler": "gcc", "optimize": "-Os"}]

    async def scenario() -> None:
        with pytest.raises((LinkError, OSError)):  # there is no such image
            await way.transport.open()

    asyncio.run(scenario())
    assert len(made) == 1
