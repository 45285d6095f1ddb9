"""`tinyol flash` from its first question to its last, with a fake PlatformIO and a board on a pty.

The board is the device's own code; what PlatformIO prints is played by fake_pio.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_runner import Tinyol
from small_models import int8_bundle
from usb_bench import SERIAL, NanoAtPty, OtherSketch, UsbBench

from tinyol_host.access.key_store import KeyStore
from tinyol_host.board import connect
from tinyol_host.flashing import board_after, board_before, build, firmware_folder, usb_port
from tinyol_host.ports import Port
from tinyol_host.timing import Timing
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.errors import DeviceError

QUICK = Timing(reply_s=0.2, give_up_s=1.0)
Start = Callable[..., UsbBench]


@pytest.fixture
def tinyol(tmp_path, monkeypatch, capsys) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TINYOL_DEVICE", raising=False)
    monkeypatch.delenv("PLATFORMIO_BUILD_FLAGS", raising=False)
    monkeypatch.setattr(board_before, "ASKING", QUICK)
    monkeypatch.setattr(
        "tinyol_host.flashing.flash.ASKING", dataclasses.replace(QUICK, give_up_s=4)
    )
    monkeypatch.setattr(usb_port, "BACK_S", 1.0)
    monkeypatch.setattr(usb_port, "LOOK_S", 0.02)
    monkeypatch.setattr(board_after, "_SAMPLES_S", 0.1)
    return Tinyol(capsys)


@pytest.fixture
def start(tmp_path, monkeypatch) -> Iterator[Start]:
    """Plugs in a board, revision 1 with the model that ships, and has it come back as that."""
    benches = []

    def plug_in(before=None, after=None) -> UsbBench:
        bench = UsbBench(tmp_path, before or NanoAtPty(default_bundle()))
        bench.after = after or NanoAtPty(default_bundle())
        benches.append(bench)
        monkeypatch.setenv("FAKE_PIO", str(tmp_path))
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(usb_port, "list_ports", bench.ports)
        return bench

    yield plug_in
    for bench in benches:
        bench.close()


def of_rate(rate_hz: float) -> Bundle:
    return int8_bundle(rate_hz=rate_hz)


def teach(board: NanoAtPty) -> None:
    async def work() -> None:
        async with await connect(f"serial:{board.path}", keep_state=False) as there:
            await there.add_class("tilted")
            await there.set("anomaly.threshold", 0.125)

    asyncio.run(work())


def knows(bench: UsbBench) -> tuple[list[str], float]:
    async def work() -> tuple[list[str], float]:
        assert bench.now is not None
        async with await connect(f"serial:{bench.now.path}", keep_state=False) as there:
            return await there.classes(), (await there.settings())["anomaly.threshold"]

    return asyncio.run(work())


def copies(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "home").rglob("before-flash-*"))


# --- what goes well ------------------------------------------------------------------------


def test_a_board_is_flashed_and_has_what_it_had_learned(tinyol, start, tmp_path) -> None:
    bench = start()
    before = bench.now
    assert isinstance(before, NanoAtPty)
    old_port = before.path
    teach(before)
    out = tinyol.done("flash", "-d", f"serial:{old_port}")
    assert bench.now is bench.after is not before
    assert f"serial:{bench.now.path}, nano33ble-rev1, firmware 0.1.0" in out
    assert "282,280 bytes of flash, 69,228 of RAM" in out
    assert f"{default_bundle().model_id}, 119 Hz" in out
    assert "running" in out
    assert "passed" in out
    assert "given back" in out
    assert knows(bench) == (["tilted"], 0.125)
    assert copies(tmp_path) == []
    built, uploaded = bench.calls()
    assert built["words"] == ["run", "-e", "nano33ble_sense"]
    assert uploaded["words"] == [*built["words"], "-t", "upload", "--upload-port", old_port]
    assert Path(built["cwd"]) == firmware_folder.find_firmware().path
    assert built["TINYOL_BUNDLE"] is built["PLATFORMIO_BUILD_FLAGS"] is None


def test_the_one_board_is_found_and_its_facts_are_json(tinyol, start, tmp_path) -> None:
    bundle = of_rate(120.0)
    bundle.save(tmp_path / "my fan.tinyol")
    bench = start(after=NanoAtPty(bundle))
    words = ("flash", "-m", "my fan.tinyol", "--frozen", "kernels", "--json")
    facts = json.loads(tinyol.done(*words))
    assert facts["device"] == f"serial:{bench.now.path}"
    assert facts["revision"] == 1
    assert (facts["model_id"], facts["rate_hz"]) == (bundle.model_id, 120.0)
    assert (facts["flash_used"], facts["ram_used"]) == (282280, 69228)
    assert (facts["sensor"], facts["warnings"]) == ("running", [])
    # The model before was another: what it had learned does not fit this one, and is not lost.
    assert facts["state_given_back"] is False
    assert [Path(facts["state_file"])] == copies(tmp_path)
    assert "Uploading" in Path(facts["log"]).read_text()
    for call in bench.calls():
        assert call["TINYOL_BUNDLE"] == str(tmp_path / "my fan.tinyol")
        flag = call["PLATFORMIO_BUILD_FLAGS"] == "-D TINYOL_FROZEN=kernels"
        assert flag or facts["environment"] == "nano33ble_sense_kernels"


ONE_ENVIRONMENT = """
[rev1]
custom_sensor_hz = 119  ; of the LSM9DS1
[env:nano33ble_sense]
extends = board, rev1
build_flags = ${board.build_flags} 100%
[env:nano33ble_sense_rev2]
custom_sensor_hz = 100
"""


def test_the_frozen_net_by_a_flag_or_by_an_environment(tinyol, start, monkeypatch) -> None:
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-D MINE")
    bench = start(after=NanoAtPty(default_bundle(), tflm=True))
    ini = bench.folder / "bin" / "platformio.ini"
    ini.write_text(ONE_ENVIRONMENT)
    tinyol.done("flash", "--firmware", "bin", "--frozen", "tflm")
    assert bench.calls()[0]["PLATFORMIO_BUILD_FLAGS"] == "-D MINE -D TINYOL_FROZEN=tflm"
    assert bench.calls()[0]["words"][-1] == "nano33ble_sense"
    ini.write_text(f"{ONE_ENVIRONMENT}\n[env:nano33ble_sense_kernels]\nextends = board, rev1\n")
    bench.comes_back_as(NanoAtPty(default_bundle(), tflm=True))
    status, _, err = tinyol("flash", "--firmware", "bin", "--frozen", "kernels")
    assert status == 0  # that firmware does as it likes
    assert "the board says that its frozen net runs on TFLM" in err
    assert bench.calls()[2]["PLATFORMIO_BUILD_FLAGS"] == "-D MINE"
    assert bench.calls()[2]["words"][-1] == "nano33ble_sense_kernels"
    bench.comes_back_as(NanoAtPty(default_bundle(), tflm=True))
    assert tinyol("flash", "--firmware", "bin", "--frozen", "tflm")[0] == 0
    assert bench.calls()[4]["words"][-1] == "nano33ble_sense"


def test_nothing_is_kept_if_nothing_is_to_be(tinyol, start, tmp_path) -> None:
    bench = start()
    teach(bench.now)
    assert "not kept, as was asked for" in tinyol.done("flash", "--no-keep-state")
    assert knows(bench)[0] == []
    assert copies(tmp_path) == []


def test_it_begins_anew_also_where_the_upload_left_its_flash_alone(tinyol, start) -> None:
    after = NanoAtPty(default_bundle())
    after.plug_in()
    teach(after)
    after.unplug()
    bench = start(after=after)
    tinyol.done("flash", "--no-keep-state")
    assert knows(bench)[0] == []


def test_a_board_keeps_its_name(tinyol, start) -> None:
    pytest.importorskip("tinyol_host.hardware", reason="this host knows no names of boards")
    bench = start()
    tinyol.done("name", "pump 3", "-d", bench.now.path)
    tinyol.done("flash", "--no-keep-state")
    assert "pump 3" in tinyol.done("name", "-d", bench.now.path)


def test_a_board_without_a_key_is_paired(tinyol, start) -> None:
    bench = start()
    facts = json.loads(tinyol.done("flash", "--json"))
    assert facts["paired_now"]
    (entry,) = [e for e in KeyStore().entries() if e.id == facts["key_id"]]
    assert entry.secret is not None
    there = json.loads(tinyol.done("access", "--json", "-d", bench.now.path))
    assert (there["key_id"], there["authenticated"]) == (entry.id, True)
    # The next upload leaves its flash alone, with its key.
    bench.comes_back_as(bench.now.with_the_same_flash())
    again = json.loads(tinyol.done("flash", "--json"))
    assert (again["paired_now"], again["key_id"]) == (False, entry.id)
    # ... and this one erases it.
    bench.comes_back_as(NanoAtPty(default_bundle()))
    status, out, err = tinyol("flash", "--json")
    assert status == 0
    assert "the upload erased the board's key" in err
    assert json.loads(out)["paired_now"]
    assert entry.id not in {e.id for e in KeyStore().entries()}


def test_a_board_whose_key_is_elsewhere_is_left_alone(tinyol, start) -> None:
    bench = start()
    tinyol.done("pair", "-d", bench.now.path)
    (entry, *_) = KeyStore().entries()
    KeyStore().remove(entry.id)
    err = failed(tinyol)
    assert f"does not have this board's key ({entry.id})" in err
    assert "tinyol keys rotate" in err
    assert bench.calls() == []


@pytest.mark.parametrize("in_bootloader", [False, True])
def test_a_board_from_the_factory(tinyol, start, in_bootloader) -> None:
    after = NanoAtPty(default_bundle(100.0), "nano33ble-rev2")
    bench = start(OtherSketch(default_bundle()), after)
    bench.in_bootloader = in_bootloader
    refused = tinyol.refused("flash")
    assert "which revision of the board is it?" in refused
    assert '"Rev2" printed' in refused
    assert bench.calls() == []
    if in_bootloader:
        bench.folder.joinpath("touched").touch()
        bench.in_bootloader = False
    out = tinyol.done("flash", "--revision", "2")
    assert "nano33ble-rev2" in out
    assert "not asked: TinyOL did not run there\n" in out
    assert bench.calls()[0]["words"] == ["run", "-e", "nano33ble_sense_rev2"]


def test_a_second_attempt_finds_the_copy_of_the_first(tinyol, start, tmp_path) -> None:
    bench = start()
    teach(bench.now)
    bench.plan(fail="erase")
    failed(tinyol)
    (copy,) = copies(tmp_path)
    bench.plan()
    (bench.folder / "touched").touch()  # it waits in its bootloader
    out = tinyol.done("flash", "--revision", "1")
    folded = "".join(out.split())  # at the terminal's width
    assert f"anearliercopyofthismodel's:`tinyolstatepush{copy}`" in folded


def test_output_that_comes_in_crumbs(tinyol, start) -> None:
    bench = start()
    bench.plan(chunks=7)
    assert "282,280 bytes of flash" in tinyol.done("flash")


# --- what is refused before anything happens -----------------------------------------------


def test_without_platformio(tinyol, start, tmp_path, monkeypatch) -> None:
    start()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = tinyol.refused("flash")
    assert refused.endswith("is not installed: `pip install platformio`\n")
    program = tmp_path / ".platformio/penv/bin/platformio"  # as VS Code installs it
    program.parent.mkdir(parents=True)
    (tmp_path / "bin" / "pio").rename(program)
    tinyol.done("flash")


def test_a_bundle_for_another_rate(tinyol, start, tmp_path) -> None:
    bench = start()
    of_rate(200.0).save(tmp_path / "fast.tinyol")
    refused = tinyol.refused("flash", "-m", "fast.tinyol")
    assert (
        "fast.tinyol: made for 200 Hz; the sensors run at 119 Hz on revision 1, 100 Hz" in refused
    )
    default_bundle(100.0).save(tmp_path / "rev2.tinyol")
    refused = tinyol.refused("flash", "-m", "rev2.tinyol")
    assert "made for 100 Hz, and the sensor of revision 1 runs at 119 Hz" in refused
    assert "there.tinyol" in tinyol.refused("flash", "-m", "there.tinyol")
    (tmp_path / "text.tinyol").write_text("no bundle")
    assert "text.tinyol" in tinyol.refused("flash", "-m", "text.tinyol")
    assert bench.calls() == []


def test_a_bundle_whose_state_does_not_fit_the_flash(tinyol, start, monkeypatch) -> None:
    bench = start()
    monkeypatch.setattr("tinyol_host.flashing.fitting.MOST_IMAGE_BYTES", 4000)
    refused = tinyol.refused("flash")
    assert "and its flash can keep 4,000" in refused
    assert bench.calls() == []


def test_the_wrong_revision_is_refused_where_the_sensor_answers(tinyol, start) -> None:
    bench = start()
    assert "this board is of revision 1" in tinyol.refused("flash", "--revision", "2")
    assert bench.calls() == []


def test_the_wrong_revision_can_be_put_right(tinyol, start) -> None:
    after = NanoAtPty(default_bundle(100.0), "nano33ble-rev2")
    start(NanoAtPty(default_bundle(), sensor=False), after)
    assert "nano33ble-rev2" in tinyol.done("flash", "--revision", "2")


def test_ports_that_are_no_board(tinyol, start, tmp_path) -> None:
    bench = start()
    assert "there is no such port" in tinyol.refused("flash", "-d", "/dev/ttyNONE")
    bench.others = [Port("/dev/ttyUSB7", "other", None, "a printer")]
    assert "no Nano 33 BLE by its USB id" in tinyol.refused("flash", "-d", "/dev/ttyUSB7")
    bench.others = [Port("/dev/ttyACM9", "sketch", "12345", "")]
    refused = tinyol.refused("flash")
    assert "more than one board is plugged in" in refused
    assert f"{bench.now.path} ({SERIAL}), /dev/ttyACM9 (12345)" in refused
    bench.close()
    bench.others = []
    assert "some cables only charge" in tinyol.refused("flash")
    status, out, err = tinyol("flash", "-d", "sim:")
    assert (status, out) == (2, "")
    assert "a board is flashed at a USB port" in err
    assert bench.calls() == []


def test_a_link_to_the_port_is_followed(tinyol, start, tmp_path) -> None:
    bench = start()
    port = bench.now.path
    (tmp_path / "by-id").symlink_to(port)
    tinyol.done("flash", "-d", f"serial:{tmp_path}/by-id")
    assert bench.calls()[1]["words"][-1] == port


def test_a_firmware_folder_that_is_none(tinyol, start, tmp_path) -> None:
    start()
    assert "there is no platformio.ini in it" in tinyol.refused("flash", "--firmware", "bin")
    (tmp_path / "bin" / "platformio.ini").write_text("[env:uno]\nplatform = avr\n")
    assert "env:nano33ble_sense" in tinyol.refused("flash", "--firmware", "bin")
    (tmp_path / "bin" / "platformio.ini").write_bytes(b"\xff[")
    assert "cannot be read" in tinyol.refused("flash", "--firmware", "bin")


# --- what fails on the way -----------------------------------------------------------------


def failed(tinyol: Tinyol, *words: str) -> str:
    status, out, err = tinyol("flash", *words)
    assert (status, out) == (1, "")
    return err


def test_a_program_that_does_not_compile(tinyol, start, tmp_path) -> None:
    bench = start()
    bench.plan(fail="compile")
    err = failed(tinyol)
    assert "board.cpp:30:3: error: 'nonsense' was not declared" in err
    assert "the whole log: " in err
    assert "the board was not touched" in err
    assert err.splitlines()[-1] == "error: building the firmware failed"
    assert "Compiling" not in err
    assert copies(tmp_path) == []
    assert len(bench.calls()) == 1


def test_a_program_too_large(tinyol, start) -> None:
    start().plan(fail="size")
    assert "too large for the board's flash: --frozen kernels" in failed(tinyol)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("touch", "did not go into its bootloader by itself: press its reset button twice"),
        ("erase", "try another cable"),
        ("busy", "another program has the port open"),
    ],
)
def test_an_upload_that_fails(tinyol, start, tmp_path, where, words) -> None:
    bench = start()
    teach(bench.now)
    bench.plan(fail=where)
    err = failed(tinyol)
    assert f"error: the upload failed: {words}" in err or words in err.splitlines()[-1]
    (copy,) = copies(tmp_path)
    assert f"`tinyol state push {copy}` gives it back" in err
    assert "tilted" in tinyol.done("state", "show", str(copy))


def test_an_upload_that_was_none(tinyol, start, tmp_path) -> None:
    bench = start()
    teach(bench.now)
    bench.plan(lies=True)
    err = failed(tinyol)
    assert "the board did not restart: it runs what it ran before" in err
    assert "the new program is on the board" not in err
    assert len(copies(tmp_path)) == 1


def test_a_full_disk_ends_no_upload(tinyol, start, tmp_path) -> None:
    bench = start()
    teach(bench.now)
    log = tmp_path / "home" / "tinyol" / f"flash-{bench.now.path.strip('/').replace('/', '-')}.log"
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    assert "given back" in tinyol.done("flash")
    assert (bench.folder / "uploaded").exists()


def test_a_name_that_may_be_lost_is_told(tinyol, start) -> None:
    bench = start()
    tinyol.done("name", "pump 3", "-d", bench.now.path)
    bench.plan(fail="erase")
    assert "`tinyol name 'pump 3'` names it again" in failed(tinyol)


def test_an_uploader_that_says_nothing(tinyol, start, monkeypatch) -> None:
    bench = start()
    monkeypatch.setattr(build, "UPLOAD_SILENT_S", 0.5)
    bench.plan(hang=60)
    began = time.monotonic()
    assert "the uploader said nothing for 0.5 s" in failed(tinyol)
    assert time.monotonic() - began < 10
    assert not runs(bench.calls()[-1]["pid"])


def test_what_cannot_be_kept_is_not_put_at_risk(tinyol, start, monkeypatch) -> None:
    async def fail(*_: object) -> bytes:
        raise DeviceError("the cable is out")

    bench = start()
    monkeypatch.setattr("tinyol_host.board.Board.pull_state", fail)
    err = failed(tinyol)
    assert "cannot be kept: the cable is out; nothing was changed; --no-keep-state" in err
    assert "the board was not touched" in err
    assert not (bench.folder / "touched").exists()
    tinyol.done("flash", "--no-keep-state")


def test_a_board_that_does_not_come_back(tinyol, start, tmp_path) -> None:
    bench = start()
    bench.after = None
    err = failed(tinyol)
    assert "did not come back within 1 s (no serial port is plugged in)" in err
    assert "the new program is on the board" in err
    assert str(copies(tmp_path)[0]) in err


def test_a_board_that_stays_in_its_bootloader(tinyol, start) -> None:
    start().stays = True
    assert "still waits in its bootloader" in failed(tinyol)


def test_a_board_that_fails_its_self_test(tinyol, start, tmp_path) -> None:
    start(after=NanoAtPty(default_bundle(), broken=True))
    err = failed(tinyol)
    assert "fails its self-test: do not trust what it computes" in err
    assert str(copies(tmp_path)[0]) in err


def test_a_board_that_runs_something_else_afterwards(tinyol, start) -> None:
    start(after=NanoAtPty(of_rate(119.0)))
    assert f"not {default_bundle().model_id}: flash again" in failed(tinyol)


def test_a_sensor_that_is_missing_is_told(tinyol, start) -> None:
    start(after=NanoAtPty(default_bundle(), sensor=False))
    status, out, err = tinyol("flash")
    assert status == 0
    assert "missing" in out
    assert err.startswith("warning: the sensor of revision 1 does not answer")
    assert "--revision 2" in err


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle(tinyol, start, tmp_path, number) -> None:
    bench = start()
    teach(bench.now)
    bench.plan(hang=60)

    def interrupt() -> None:
        deadline = time.monotonic() + 20
        while not (tmp_path / "half").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    status, out, err = tinyol("flash")
    thread.join()
    assert (status, out) == (128 + number, "")
    assert "the board may hold half a program: press its reset button twice" in err
    (copy,) = copies(tmp_path)
    assert str(copy) in err
    assert not runs(bench.calls()[-1]["pid"])
    assert not (tmp_path / "uploaded").exists()
