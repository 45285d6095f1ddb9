"""Building the emulated board, taking its stream apart, and counting its instructions."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from emulator_cases import by_each_compiler, int8_bundle, needs_compiler, unicorn
from hypothesis import given
from hypothesis import strategies as st
from wire_by_hand import decode_frame, encode_frame

from tinyol_host.cli import main as tinyol
from tinyol_host.cli.bench_board import print_board
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.emulator import build
from tinyol_sim.emulator.bench import count_instructions
from tinyol_sim.emulator.block_counter import count_thumb
from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.capacities import capacities_for
from tinyol_sim.emulator.inbox import Inbox
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.emulator.net_bench import count_net
from tinyol_sim.errors import EmulatorError


def test_build_errors_say_what_would_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmulatorError, match="zig, gcc"):
        build_image(int8_bundle(), compiler="msvc")
    with pytest.raises(EmulatorError, match="not a model image"):
        capacities_for(b"no model at all, but long enough for its header")
    with pytest.raises(EmulatorError, match="unicorn, qemu"):
        new_machine(Path("image.elf"), "bochs")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmulatorError, match=r"pip install ziglang==.* or .*gcc-arm-none-eabi"):
        build_image(int8_bundle())
    with pytest.raises(EmulatorError, match="qemu-system-arm"):
        new_machine(Path("image.elf"), "qemu")


@needs_compiler
def test_a_model_that_is_too_large_is_refused() -> None:
    bundle = int8_bundle()
    large = Bundle.create(bundle.tflite, replace(bundle.pipeline, max_classes=2000))
    with pytest.raises(EmulatorError, match="larger than the emulated board"):
        build_image(large)


@by_each_compiler
def test_the_compilers_complaint_is_shown(compiler: str) -> None:
    with pytest.raises(EmulatorError, match=r"failed \(exit 1\): .*error"):
        build_image(int8_bundle(), compiler=compiler, extra=["-DTINYOL_MAX_RING=what"])


@needs_compiler
def test_an_image_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image = build_image(int8_bundle())
    monkeypatch.setattr(build, "_compile", None)
    assert build_image(int8_bundle().model_image) == image


@given(message=st.binary(max_size=512))
def test_the_hand_written_frames_come_back(message: bytes) -> None:
    frame = encode_frame(message)
    assert frame.index(0) == len(frame) - 1
    assert decode_frame(frame[:-1]) == message


@given(cuts=st.lists(st.integers(1, 60), max_size=8))
def test_notices_are_taken_out_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    frame = encode_frame(b"\x01TINYOL READY")
    stream = b"\0TINYOL READY x\0" + frame + b"\0TINYOL STAGE 5 inference\0" + frame
    inbox, at = Inbox(), 0
    for cut in [*cuts, len(stream)]:
        inbox.put(stream[at : at + cut])
        at += cut
    inbox.wait_ready(0)
    assert inbox.notices == ["READY x", "STAGE 5 inference"]
    assert inbox.get(0) == frame * 2
    inbox.put(frame + b"\0TINYOL FAULT pc 0x00000040\0")
    assert inbox.get(0) == frame
    with pytest.raises(EmulatorError, match="pc 0x00000040"):
        inbox.get(0)


def test_thumb_instructions_are_two_or_four_bytes() -> None:
    nop, wide_nop, ite, vmov = "00bf", "aff30080", "0cbf", "b0ee400a"
    assert count_thumb(bytes.fromhex(nop + wide_nop + ite + nop + vmov + nop)) == 6


@by_each_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_instructions_are_counted_exactly(compiler: str, machine: str) -> None:
    bundle = int8_bundle()
    counts = count_instructions(bundle, compiler=compiler, machine=machine)
    step, predict = counts["fine-tuning step"], counts["fine-tuning predict"]
    n_weights = 30 * 7  # of the last layer
    assert predict.least > 2 * n_weights  # a load and a multiplication each, at least
    assert step.least > 2 * n_weights  # a multiplication and a subtraction each
    assert counts["inference + fine-tuning"].least > counts["inference"].most + step.least
    learning = counts["window, lesson + fine-tuning, SGD"]
    assert learning.least > counts["inference + fine-tuning"].least
    assert counts["window, predicting"].most < counts["window, lesson"].least
    assert counts["window, lesson"].most < learning.least
    if shutil.which("qemu-system-arm"):
        # Two emulators that count in their own ways, the one by blocks, the other by its timer.
        alone = {name: replace(count, cycles=None) for name, count in counts.items()}
        assert count_instructions(bundle, compiler=compiler, machine="qemu") == alone


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_the_bench_prints_a_table(
    machine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "fan.tinyol"
    default_bundle().save(model)
    board = ["bench", str(model), "--only", "board", "-d", f"emu:?machine={machine}"]
    assert tinyol([*board, "--json"]) == 0
    halves = json.loads(capsys.readouterr().out)
    assert set(halves) == {"board"}
    found = halves["board"]
    assert set(found) == {"window", "paper", "net", "parts", "ram", "access"}
    inference = found["window"]["inference"]
    assert 0 < inference["least"] <= inference["median"] <= inference["most"]
    cycles = inference["cycles"]
    assert inference["median"] < cycles["least"] < cycles["estimate"] < cycles["most"]
    assert found["parts"][0]["instructions"]["median"] > 0
    assert found["net"]["dsp"]["output_crc"] == found["net"]["plain"]["output_crc"]
    print_board(found, "fan.tinyol")
    printed = capsys.readouterr().out
    assert "inference + fine-tuning" in printed
    assert re.search(r"^Gaussian, full: learn( +[\d,]+){4}$", printed, re.MULTILINE)
    assert re.search(r"^window rehearsal +\d+$", printed, re.MULTILINE)
    assert re.search(r"^int8 40 -> 32( +[\d,.]+){6}$", printed, re.MULTILINE)
    assert "1,921" in printed
    assert "estimate" in printed
    print_board(without_cycles(found), "fan.tinyol")
    printed = capsys.readouterr().out
    assert re.search(r"^inference +[\d,]+$", printed, re.MULTILINE)
    assert "not estimated" in printed
    assert tinyol(["bench", str(tmp_path / "none.tinyol"), "--only", "board"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def without_cycles(found: Any) -> Any:
    """As QEMU has them."""
    if isinstance(found, list):
        return [without_cycles(each) for each in found]
    if not isinstance(found, dict):
        return found
    return {
        key: None if key in ("cycles", "cycles_per_mac") else without_cycles(value)
        for key, value in found.items()
    }


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_of_a_tflite_file_the_net_is_counted(
    machine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(int8_bundle().tflite)
    board = ["bench", str(model), "--only", "board", "-d", f"emu:?machine={machine}"]
    assert tinyol([*board, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["board"]
    assert set(found) == {"net"}
    dense = [layer for layer in found["net"]["dsp"]["layers"] if layer["kind"].startswith("fully")]
    assert [(layer["n_in"], layer["n_out"]) for layer in dense] == [
        (30, 7), (7, 3), (3, 7), (7, 30),
    ]  # fmt: skip
    print_board(found, "net.tflite")
    assert re.search(r"^int8 30 -> 7( +[\d,.]+){6}$", capsys.readouterr().out, re.MULTILINE)
    model.write_bytes(b"no model")
    assert tinyol(board) == 1
    assert capsys.readouterr().err.startswith("error: ")
    with pytest.raises(EmulatorError, match="no net blob"):
        count_net(b"TOLN")
