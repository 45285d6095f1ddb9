"""`serial:` - a board at a USB port; also anything else that is a terminal, as a pty."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable

import serial

from tinyol_host.errors import LinkError, PortGoneError
from tinyol_host.ports import Port, describe_ports, list_ports
from tinyol_host.transports.stream import READ_S, StreamTransport

WRITE_TIMEOUT_S = 2.0  # the kernel buffers some kilobytes, then a board that hangs is noticed
# USB has none; any but 1200, which sends the board into its bootloader.
_BAUDRATE = 115200
# What reading, writing and asking a port that is gone can raise; pyserial adds a TypeError or
# ValueError for one that another thread has just closed.
_GONE = (serial.SerialException, OSError, TypeError, ValueError)


class SerialStream:
    """An open port, as a ByteStream."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._closing = False
        self._stuck = False

    def read(self, timeout: float) -> bytes:
        """See ByteStream; the timeout is READ_S, since setting another reconfigures the port."""
        with self._reading:
            if self._closing:
                return b""
            try:
                data = self._port.read(1)
                return data + self._port.read(self._port.in_waiting) if data else b""
            except _GONE as error:
                raise self._cut(error) from None

    def write(self, data: bytes) -> None:
        """See ByteStream."""
        with self._writing:
            if self._closing:
                raise LinkError(f"{self._port.name} has been closed")
            try:
                self._port.write(data)
            except serial.SerialTimeoutException:
                self._stuck = True
                raise LinkError(
                    f"{self._port.name}: what is there takes no data: is it a TinyOL board?"
                    " A board that hangs is restarted by its reset button"
                ) from None
            except _GONE as error:
                raise self._cut(error) from None

    def close(self) -> None:
        """See ByteStream."""
        self._closing = True
        with contextlib.suppress(*_GONE):
            self._port.cancel_read()
            self._port.cancel_write()
        with self._reading, self._writing, contextlib.suppress(*_GONE):
            try:
                if self._stuck:  # the kernel would wait for half a minute that it is taken
                    self._port.reset_output_buffer()
            finally:
                self._port.close()

    def _cut(self, error: Exception) -> LinkError:
        number = getattr(error, "errno", None)
        why = os.strerror(number) if number else "it is gone"
        return LinkError(f"{self._port.name}: the cable is unplugged, or the board restarts: {why}")


class PortFinder:
    """Opens a port; again, the port where the same board is then, by its USB serial number."""

    def __init__(self, device: str, ports: Callable[[], list[Port]] = list_ports) -> None:
        """device: a path or COM port; "" = the one board that is plugged in."""
        self._device = device
        self._ports = ports
        self._serial_number: str | None = None

    def __call__(self) -> SerialStream:
        """Raises LinkError: says what is there, or what to do."""
        port = self._find()
        if port.kind == "bootloader":
            raise LinkError(
                f"{port.device}: the board waits for an upload; press its reset button once to"
                " leave the bootloader"
            )
        stream = SerialStream(_open(port.device, self._ports))
        self._device = port.device
        self._serial_number = port.serial_number or self._serial_number
        return stream

    def _find(self) -> Port:
        ports = self._ports()
        if self._serial_number is not None:
            for port in ports:
                if port.serial_number == self._serial_number:
                    return port
            raise LinkError(
                f"the board {self._serial_number}, last at {self._device}, is not plugged in;"
                f" {describe_ports(ports)}"
            )
        if self._device:
            real = os.path.realpath(self._device)  # as of /dev/serial/by-id/...
            for port in ports:
                if self._device == port.device or real == os.path.realpath(port.device):
                    return port
            return Port(self._device, "other", None, "")
        boards = [port for port in ports if port.kind != "other"]
        if len(boards) == 1:
            return boards[0]
        found = "more than one board is plugged in" if boards else "no board is plugged in"
        raise LinkError(f"{found}: name a port, as serial:/dev/ttyACM0; {describe_ports(ports)}")


def serial_transport(device: str) -> StreamTransport:
    """A transport to the board at a port; "" = the one board that is plugged in."""
    return StreamTransport(PortFinder(device), f"serial:{device}" if device else "serial")


def _open(device: str, ports: Callable[[], list[Port]]) -> serial.Serial:
    port = serial.Serial(baudrate=_BAUDRATE, timeout=READ_S, write_timeout=WRITE_TIMEOUT_S)
    port.port = device
    port.exclusive = True
    # Before it is opened: a pty has no such lines, and the board sends only to who raises DTR.
    port.dtr = port.rts = True
    try:
        port.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise _why_not(device, error, ports) from None
    return port


def _why_not(device: str, error: Exception, ports: Callable[[], list[Port]]) -> LinkError:
    number = getattr(error, "errno", None)
    if number is None:  # pyserial has made a text of termios.error
        number = next(iter(getattr(error.__context__, "args", ())), None)
    if number in (errno.EACCES, errno.EPERM):
        return LinkError(f"{device}: permission denied; {_group_hint(device)}")
    if number in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY):
        return LinkError(f"{device}: in use by another program; close that one first")
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return PortGoneError(f"{device}: there is no such port; {describe_ports(ports())}")
    if number == errno.EIO:
        return PortGoneError(
            f"{device}: nothing is behind this port (any more); {describe_ports(ports())}"
        )
    if number is None or number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
        return LinkError(f"{device}: this is no serial port; {describe_ports(ports())}")
    return LinkError(f"{device}: cannot be opened: {os.strerror(number)}")


def _group_hint(device: str) -> str:
    """Serial ports belong to a group: dialout on Debian and its like, uucp on others."""
    group = "dialout"
    with contextlib.suppress(ImportError, OSError, KeyError):
        import grp  # not on every system

        owner = grp.getgrgid(os.stat(device).st_gid).gr_name
        group = owner if owner == "uucp" else group
    return (
        f"serial ports belong to the group {group}: `sudo usermod -aG {group} $USER`, then log in"
        " anew"
    )
