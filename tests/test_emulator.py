"""The emulated board has the twin's bits, whoever compiles it and whoever runs it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from emulator_cases import by_each_compiler, float32_bundle, int8_bundle, qemu, unicorn
from wire_by_hand import (
    CLASS_REMOVE,
    FEED_BEGIN,
    FEED_END,
    FINE_TUNE,
    INFO,
    LABEL,
    LABEL_BACK,
    RESET,
    SELF_TEST,
    SETTING_SET,
    UNTIL_STOPPED,
    Wire,
    open_wire,
)

from tinyol_sim.emulator.build import build_image
from tinyol_sim.emulator.machine import new_machine
from tinyol_sim.settings import SETTINGS
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin


def run_script(wire: Wire, twin: Twin) -> None:
    """Both get 3,000 samples and every command that changes what is learned."""
    rng = np.random.default_rng(5)

    def feed(n: int, spread: float, nan_at: int | None = None) -> None:
        samples = rng.normal(0, spread, (n, 3)).astype(np.float32)
        if nan_at is not None:
            samples[nan_at, 1] = np.nan
        wire.feed(samples)
        twin.feed(samples)

    def label(name: str, windows: int | None) -> None:
        count = UNTIL_STOPPED if windows is None else windows
        wire.request(LABEL, struct.pack("<hHI", twin.class_index(name), 0, count))
        twin.label(name, windows)

    def add_class(name: str) -> None:
        wire.add_class(name)
        twin.add_class(name)

    def fine_tune(steps: int | None) -> None:
        wire.request(FINE_TUNE, struct.pack("<I", UNTIL_STOPPED if steps is None else steps))
        twin.fine_tune(steps)

    wire.request(FEED_BEGIN)
    twin.gap()
    feed(250, 0.3)
    add_class("quiet")
    add_class("loud")
    label("quiet", None)
    fine_tune(40)
    feed(400, 0.3, nan_at=77)
    label("loud", 50)
    feed(400, 1.2)
    same_state(wire, twin)

    wire.request(RESET)
    twin.reset()
    for name in ("a", "b", "c"):
        add_class(name)
    fine_tune(None)
    for _ in range(2):
        for name, spread in (("a", 0.2), ("b", 0.6), ("c", 1.8)):
            label(name, None)
            feed(250, spread)
    wire.request(CLASS_REMOVE, struct.pack("<H", 1))
    twin.remove_class("b")
    wire.request(LABEL, struct.pack("<hHI", -1, 0, UNTIL_STOPPED))
    twin.label(None)
    rate = SETTINGS["classifier.learning_rate"].id
    wire.request(SETTING_SET, struct.pack("<HHf", rate, 0, 0.03))
    twin.set("classifier.learning_rate", 0.03)
    feed(250, 1.8)
    wire.request(LABEL_BACK, struct.pack("<hH", twin.class_index("c"), 15))
    twin.label_back("c", 15)
    feed(200, 0.5)
    wire.request(FEED_END)
    twin.gap()


def same_state(wire: Wire, twin: Twin) -> None:
    image = wire.state()
    if image != twin.state:
        difference = StateImage.from_bytes(twin.state).first_difference(
            StateImage.from_bytes(image)
        )
        pytest.fail(f"twin and emulated board differ in {difference}")


@by_each_compiler
@pytest.mark.parametrize(
    ("machine", "optimize"),
    [
        pytest.param(*machine.values, optimize, marks=machine.marks)
        for machine, optimize in [
            (unicorn, "-Os"),
            (unicorn, "-O2"),
            (unicorn, "-O3"),
            (qemu, "-O2"),
        ]
    ],
)
def test_state_is_the_twins_byte_by_byte(compiler: str, optimize: str, machine: str) -> None:
    bundle = int8_bundle()
    image = build_image(bundle, compiler=compiler, optimize=optimize)
    twin = Twin(bundle)
    with new_machine(image, machine) as board:
        wire = open_wire(board)
        run_script(wire, twin)
        same_state(wire, twin)
        expected, found, *net = struct.unpack("<IIII", wire.request(SELF_TEST))
    assert found == expected
    assert net[0] == net[1]
    fields = StateImage.from_bytes(twin.state).fields
    assert fields["classes.names"] == ["a", "c"]
    assert fields["softmax.steps"] > 100
    assert fields["reconstruction.steps"] > 100


@by_each_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_a_float32_net_gives_the_same_bits_too(compiler: str, machine: str) -> None:
    bundle = float32_bundle()
    twin = Twin(bundle)
    with new_machine(build_image(bundle, compiler=compiler, optimize="-O3"), machine) as board:
        wire = open_wire(board)
        run_script(wire, twin)
        same_state(wire, twin)


def fused_flags(compiler: str) -> list[str]:
    flags = ["-DTINYOL_TEST_FUSED", "-ffp-contract=fast"]
    if compiler == "zig":  # clang thinks VFMA slow on a Cortex-M4, and has to be talked into it
        flags.append("-mcpu=cortex_m4+vfp4d16sp-slowfpvfmx")
    return flags


@by_each_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_a_fused_build_fails_the_self_test_and_differs(compiler: str, machine: str) -> None:
    bundle = int8_bundle()
    twin = Twin(bundle)
    image = build_image(bundle, compiler=compiler, extra=fused_flags(compiler))
    with new_machine(image, machine) as board:
        wire = open_wire(board)
        expected, found = struct.unpack_from("<II", wire.request(SELF_TEST))
        assert found != expected
        with pytest.raises(pytest.fail.Exception, match="differ in"):
            run_script(wire, twin)


@by_each_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_a_fused_build_fails_the_golden_vectors_of_a_float32_net(
    compiler: str, machine: str
) -> None:
    image = build_image(float32_bundle(), compiler=compiler, extra=fused_flags(compiler))
    with new_machine(image, machine) as board:
        wire = open_wire(board)
        _, _, expected, found = struct.unpack("<IIII", wire.request(SELF_TEST))
        assert found != expected
        assert wire.request(INFO)[84:88] == bytes(4)  # both failed at boot
