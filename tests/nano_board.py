"""Nano 33 BLE boards in this process: the firmware on stubs, a USB port and a radio.

tests/stubs/arduino/stub_board.h says what a test sees of the stubs.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nano_build import build_firmware
from session_by_hand import SEALED, TRAILER_BYTES, Seal, session_key
from wire_by_hand import IMAGE_GET, IMAGE_READ, decode_frame, encode_frame

SERVICE = "7b1e000%d-6c0f-4e5a-9a7d-54696e794f4c"
CONTROL, EVENTS, BULK, INFO_VALUE = (SERVICE % number for number in (2, 3, 4, 5))
EVENT, LOG = 3, 4
CLASS_ADD, STREAM, SAVE = 13, 24, 34
HARDWARE, NAME_SET, LOCATE, CONDITION = 48, 49, 50, 51
CHALLENGE, AUTHENTICATE, ACCESS, PAIR, FACTORY_RESET = 60, 61, 62, 64, 65
FIRST, ROTATE = bytes(4), b"\1" + bytes(3)  # PAIR's
FLASH_BYTES = 0x10000
NewBoard = Callable[..., "NanoBoard"]
_HEADER = struct.Struct("<BBBBHHIHH")


def capabilities(hello: bytes) -> int:
    """Of HELLO's reply."""
    return int(struct.unpack_from("<I", hello, 8)[0])


def board_of(hello: bytes) -> str:
    """What HELLO's own fields say it runs on."""
    return hello[-28:-12].rstrip(b"\0").decode()


def boards_in(folder: Path) -> NewBoard:
    """Makes boards, each from a power-up of its own: build_firmware()'s and NanoBoard's options."""

    def new(revision: int = 1, frozen: str = "kernels", **options: object) -> NanoBoard:
        library = build_firmware(revision, frozen)
        return NanoBoard(library, folder, revision, **options)  # type: ignore[arg-type]

    return new


@dataclass
class Flash:
    """The 64 KB behind the program, which outlive a board."""

    bytes: ctypes.Array[ctypes.c_char] = field(
        default_factory=lambda: ctypes.create_string_buffer(b"\xff" * FLASH_BYTES, FLASH_BYTES)
    )


@dataclass
class NanoBoard:
    """One board, from power-up; time goes by in run() alone.

    patch: bytes of the firmware that are others in this board's, such as its model image.
    """

    library: Path
    folder: Path
    revision: int = 1
    retained: Sequence[int] = (0, 0)  # by a reset: RESETREAS, GPREGRET2
    sensor: int = 1
    flash: Flash = field(default_factory=Flash)
    patch: tuple[bytes, bytes] | None = None
    before: Callable[[ctypes.CDLL], object] | None = None  # the first line of setup() is run
    flash_fails: bool = False
    radio_off: bool = False
    noise: int = 0  # stub_board.h says which; another seed for each board of a folder
    session: int = 0
    boot_id: int = 0
    sequence: int = 0
    seal: Seal | None = None  # of the USB port's session, once it is authenticated
    unread: bytes = b""  # of a frame that is under way
    logs: list[str] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = len(list(self.folder.iterdir()))
        # A copy: the loader would hand out the same variables again for the same file.
        copy = self.folder / f"board{number}.so"
        firmware = self.library.read_bytes()
        if self.patch is not None:
            assert firmware.count(self.patch[0]) == 1
            assert len(self.patch[0]) == len(self.patch[1])
            firmware = firmware.replace(*self.patch)
        copy.write_bytes(firmware)
        self.lib = ctypes.CDLL(str(copy))
        self.lib.stub_radio_name.restype = ctypes.c_char_p
        self.lib.stub_retain((ctypes.c_uint32 * 2)(*self.retained))
        self.lib.stub_sensor(self.sensor)
        self.lib.stub_flash(self.flash.bytes)
        self.lib.stub_flash_fails(self.flash_fails)
        self.lib.stub_radio_off(self.radio_off)
        self.lib.stub_noise(self.noise, number)
        self.behind = self.before(self.lib) if self.before is not None else None  # kept alive
        assert self.lib.stub_setup() == 0

    def run(self, ms: int) -> bool:
        """Lets time go by; True if the board reset itself."""
        return bool(self.lib.stub_run(ms))

    def kept(self) -> list[int]:
        """What a reset kept, for the next board."""
        return list((ctypes.c_uint32 * 2).in_dll(self.lib, "stub_retained"))

    def name(self) -> str:
        """As the radio advertises it."""
        return str(self.lib.stub_radio_name().decode())

    def led(self) -> str:
        """The colours that are lit: "rgb", "b", ""."""
        bits = self.lib.stub_led()
        return "".join(c for i, c in enumerate("rgb") if bits >> i & 1)

    # --- USB

    def open_usb(self) -> bytes:
        """Opens the port and says HELLO; the reply's own fields."""
        self.lib.stub_usb_open(1)
        self.run(5)
        self.session = self.boot_id = self.sequence = 0
        self.seal = None
        header, _, fields = self.exchange(1, struct.pack("<QQ", 5, 0))
        self.session, self.boot_id = header[4], header[6]
        self.sequence = int(header[5])
        return fields

    def authenticate(self, key: bytes) -> None:
        """From now on every message by USB has a MAC."""
        host = bytes(range(16))
        device = self.request(CHALLENGE, host)
        key = session_key(key, host, device, self.session, self.boot_id)
        self.seal = Seal(key, self.sequence, 0)
        self.request(AUTHENTICATE)

    def request(self, opcode: int, payload: bytes = b"") -> bytes:
        """A request that is executed; the reply's own fields."""
        self.sequence += 1
        _, status, fields = self.exchange(opcode, payload)
        assert status == 0, (opcode, status, fields[:32])
        return fields

    def refused(self, opcode: int, payload: bytes = b"") -> tuple[int, str]:
        """A request that is not executed: the status, and what was refused."""
        self.sequence += 1
        _, status, fields = self.exchange(opcode, payload)
        return status, fields[:32].rstrip(b"\0").decode()

    def state(self) -> bytes:
        """The state image, as it is now."""
        (left,) = struct.unpack_from("<I", self.request(IMAGE_GET))
        image = b""
        while left > 0:
            n = min(left, 400)
            image += self.request(IMAGE_READ, struct.pack("<II", len(image), n))
            left -= n
        return image

    def conditions(self) -> list[str]:
        """What stands."""
        found: list[str] = []
        while True:
            self.sequence += 1
            _, status, fields = self.exchange(CONDITION, bytes([len(found)]))
            if status != 0:
                return found
            found.append(fields[4:].decode())

    def exchange(self, opcode: int, payload: bytes) -> tuple[tuple[int, ...], int, bytes]:
        """A request and its reply: header, status, own fields."""
        message = self.message(opcode, payload)
        frame = encode_frame(self.seal.request(message) if self.seal else message)
        self.lib.stub_usb_write(frame, len(frame))
        for _ in range(50):
            for message in self.read_usb(20):
                header = _HEADER.unpack_from(message)
                if header[1] == 2 and header[5] == self.sequence:
                    status = struct.unpack_from("<b", message, 16)[0]
                    return header, status, message[28:]
        raise AssertionError(f"no reply to request {opcode}")

    def frame(self, opcode: int, payload: bytes) -> bytes:
        """A request as it goes over the wire."""
        return encode_frame(self.message(opcode, payload))

    def message(self, opcode: int, payload: bytes = b"") -> bytes:
        """A request with the next sequence number."""
        return _HEADER.pack(
            2, 1, opcode, 0, self.session, self.sequence, self.boot_id, len(payload), 0
        ) + payload  # fmt: skip

    def read_usb(self, ms: int) -> list[bytes]:
        """The messages of so many ms; events are kept too."""
        self.run(ms)
        buffer = ctypes.create_string_buffer(1 << 20)
        n = self.lib.stub_usb_read(buffer, len(buffer))
        *frames, self.unread = (self.unread + buffer.raw[:n]).split(b"\0")
        messages = [self._unsealed(decode_frame(frame)) for frame in frames if frame]
        for message in messages:
            if message[1] == EVENT:
                self.events.append(message)
                if message[2] == LOG:
                    self.logs.append(message[28:].decode())
        return messages

    def _unsealed(self, message: bytes) -> bytes:
        if not message[3] & SEALED:
            return message
        assert self.seal is not None
        assert self.seal.is_right(message)
        return message[:-TRAILER_BYTES]

    def listen(self, ms: int) -> None:
        """Lets time go by, with a request now and then: a silent peer is dropped after 10 s."""
        for _ in range(0, ms, 2000):
            self.request(3)
            self.read_usb(2000)

    # --- Bluetooth

    def connect(self, mtu: int = 247) -> None:
        """A central that subscribes to everything."""
        self.lib.stub_radio_connect(1, mtu)
        self.run(5)
        for uuid in (CONTROL, EVENTS, BULK):
            self.lib.stub_radio_subscribe(uuid.encode())

    def read_value(self, uuid: str) -> bytes:
        """Reads a characteristic."""
        buffer = ctypes.create_string_buffer(512)
        n = self.lib.stub_radio_read_value(uuid.encode(), buffer, len(buffer))
        return buffer.raw[:n]

    def write_radio(self, uuid: str, value: bytes) -> None:
        self.lib.stub_radio_write(uuid.encode(), value, len(value))

    def read_radio(self) -> list[tuple[str, bytes]]:
        """Notifications that have come: characteristic and value."""
        found = []
        uuid, value = ctypes.create_string_buffer(64), ctypes.create_string_buffer(512)
        while n := self.lib.stub_radio_read(uuid, value, len(value)):
            found.append((uuid.value.decode(), value.raw[:n]))
        return found
