"""The emulated board as a thing: its link, its power, its end, and what it says when it fails."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from emulator_cases import int8_bundle, needs_compiler, on_each_machine, qemu
from wire_by_hand import HELLO, Wire, encode_frame, open_wire

from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.errors import EmulatorError


@needs_compiler
@on_each_machine
def test_hello_says_what_the_board_is(machine: str) -> None:
    bundle = int8_bundle()
    board = new_machine(build_image(bundle), machine)
    boot_ids = set()
    for _ in range(2):
        with board:
            wire = Wire(board)
            fields = struct.unpack("<HHIIHH8sf8HI16sB3x8s", wire.hello())
            boot_ids.add(wire.boot_id)
            assert wire.next_sample == 0
            assert board.notices == ["READY emulator"]
    assert fields[0:2] == (0, 512)
    assert fields[3] == 1 | 16  # our kernels and a model, and no sensor
    assert fields[6].hex() == bundle.model_id
    assert fields[8:10] == (10, 3)
    assert fields[-3].rstrip(b"\0") == b"emulator"
    assert fields[-2:] == (4, bytes(8))  # at its own port, not paired
    assert len(boot_ids) == 2
    assert 0 not in boot_ids


@needs_compiler
@on_each_machine
def test_noise_on_the_line_is_survived(machine: str) -> None:
    with new_machine(build_image(int8_bundle()), machine) as board:
        board.write(np.random.default_rng(1).bytes(5000) + b"\0\0")
        wire = open_wire(board)
        # Many requests at once: none is lost, and neither side waits for the other for ever.
        header = struct.pack("<BBBBHHIHH", 2, 1, HELLO, 0, 0, 0, 0, 16, 0)
        frame = encode_frame(header + struct.pack("<QQ", 7, 0))
        board.write(frame * 1000)
        replies = 0
        deadline = time.monotonic() + 20
        while replies < 1000 and time.monotonic() < deadline:
            replies += board.read(1.0).count(b"\0")
        assert replies == 1000
        wire.hello(nonce=9)
        assert wire.request(3) == b""


@needs_compiler
@on_each_machine
def test_a_machine_that_is_off_says_so(machine: str) -> None:
    board = new_machine(build_image(int8_bundle()), machine)
    with pytest.raises(EmulatorError, match="not running"):
        board.write(b"\0")
    with board:
        assert board.read(0.01) == b""
        with pytest.raises(EmulatorError, match="running already"):
            board.start()
    board.stop()
    with pytest.raises(EmulatorError, match="not running"):
        board.write(b"\0")
    with pytest.raises(EmulatorError, match="not running"):
        board.read(5.0)


@needs_compiler
@on_each_machine
def test_an_idle_board_leaves_the_host_alone(machine: str) -> None:
    with new_machine(build_image(int8_bundle()), machine) as board:
        pid = getattr(getattr(board, "_shell", None), "pid", None)
        before_s = cpu_seconds(pid)
        assert board.read(0.6) == b""
        assert cpu_seconds(pid) - before_s < 0.3


def cpu_seconds(session: int | None) -> float:
    """CPU time of this process, or of all processes in a session."""
    if session is None:
        return time.process_time()
    ticks = 0
    for stat in session_processes(session):
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def session_processes(session: int) -> list[list[str]]:
    """Fields of /proc/*/stat behind the name, of the living."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(fields)
    return found


@needs_compiler
@pytest.mark.parametrize("machine", [qemu])
def test_qemu_dies_with_its_parent(machine: str) -> None:
    image = build_image(int8_bundle())
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tinyol_sim.emulator.qemu_machine import QemuMachine\n"
        "board = QemuMachine(Path(sys.argv[1])); board.start()\n"
        "print(board._shell.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(image)], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    deadline = time.monotonic() + 5
    while session_processes(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert session_processes(int(done.stdout)) == []


@needs_compiler
@on_each_machine
def test_a_refused_model_is_explained(machine: str) -> None:
    small = ("-UTINYOL_MAX_HIDDEN", "-DTINYOL_MAX_HIDDEN=2")
    image = build_image(int8_bundle(), extra=small)
    with pytest.raises(EmulatorError, match=r"refuses the model: TINYOL_MAX_HIDDEN.*found 2"):
        new_machine(image, machine).start()


@needs_compiler
@on_each_machine
def test_a_fault_is_reported(machine: str, tmp_path: Path) -> None:
    elf = bytearray(build_image(int8_bundle()).read_bytes())
    entry, table = struct.unpack_from("<II", elf, 24)
    offset = struct.unpack_from("<I", elf, table + 4)[0]
    at = offset + (entry & ~1)
    elf[at : at + 2] = b"\x00\xde"  # UDF: permanently undefined
    broken = tmp_path / "broken.elf"
    broken.write_bytes(elf)
    with pytest.raises(EmulatorError, match=f"0x{entry & ~1:08x}"):
        new_machine(broken, machine).start()
