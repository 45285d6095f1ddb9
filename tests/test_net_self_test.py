"""The frozen net's golden vectors: worked out by numpy, run by every board, wrong if it is."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest
from board_in_process import LOG, OK, Board, name, noise
from emulator_cases import float32_bundle, int8_bundle
from image_surgery import patched, sections_of, with_section
from random_nets import autoencoder
from small_models import float_bundle, float_net
from small_replay import small_bundle
from tflite_builder import ModelBuilder
from wire_by_hand import CLASS_ADD, LABEL_BACK, SELF_TEST

from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.errors import BundleError
from tinyol_sim.frozen_net import golden_vectors
from tinyol_sim.frozen_net.golden_vectors import GoldenVectors, draw_inputs
from tinyol_sim.model_image import Pipeline
from tinyol_sim.twin import Twin

INFO, STREAM = 2, 24
ARITHMETIC, NET = 1, 2


def int8_inside_bundle() -> Bundle:
    """float32 in and out, int8 between."""
    rng = np.random.default_rng(5)
    builder = ModelBuilder()
    lengths = (12, 7, 3, 7, 12)
    first = builder.tensor((1, 12), "FLOAT32")
    signal = builder.tensor((1, 12), scale=0.02, zero_point=-7)
    builder.operator("QUANTIZE", [first], signal)
    for n_in, n_out in itertools.pairwise(lengths):
        constants = [
            builder.tensor((n_out, n_in), scale=0.01, data=rng.integers(-127, 128, (n_out, n_in))),
            builder.tensor((n_out,), "INT32", scale=0.0002, data=rng.integers(-900, 900, n_out)),
        ]
        written = builder.tensor((1, n_out), scale=0.02, zero_point=int(rng.integers(-20, 20)))
        builder.operator("FULLY_CONNECTED", [signal, *constants], written)
        signal = written
    last = builder.tensor((1, 12), "FLOAT32")
    builder.operator("DEQUANTIZE", [signal], last)
    return Bundle.create(builder.finish([first], [last]), Pipeline(rate_hz=50.0, window_len=12))


def per_channel_bundle() -> Bundle:
    """Int8 with a scale for each output, a LOGISTIC at its end."""
    model = autoencoder(per_channel=True, sigmoid=True, seed=4)
    return Bundle.create(model, Pipeline(rate_hz=50.0, window_len=12))


BUNDLES = {
    "int8": small_bundle,
    "int8 per channel, LOGISTIC": per_channel_bundle,
    "int8 of 3 axes": int8_bundle,
    "float32": lambda: float_bundle(float_net()),
    "float32, TANH": float32_bundle,
    "int8 inside": int8_inside_bundle,
    "shipped": default_bundle,
}


def self_test(model: bytes) -> tuple[int, int, Board]:
    """CRC-32 expected and found of the net; those of the learning script are equal."""
    board = Board(model=model)
    board.hello()
    crcs = struct.unpack("<IIII", board.ask(SELF_TEST).body)
    assert crcs[0] == crcs[1]
    passed = ARITHMETIC | (NET if crcs[2] == crcs[3] else 0)
    assert struct.unpack_from("<I", board.ask(INFO).body, 84) == (passed,)
    return crcs[2], crcs[3], board


@pytest.mark.parametrize("which", BUNDLES)
def test_the_net_gives_what_numpy_says(which: str) -> None:
    bundle = BUNDLES[which]()
    golden = GoldenVectors.from_bytes(dict(sections_of(bundle.model_image))[b"TEST"])
    assert golden.count == 16
    expected, found, _ = self_test(bundle.model_image)
    assert expected == found == golden.crc


def test_numpy_alone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our kernels may be asked about a float32 LOGISTIC or TANH only."""
    monkeypatch.setattr(golden_vectors, "Net", None)
    for which, make in BUNDLES.items():
        if which == "float32, TANH":
            with pytest.raises(TypeError):
                make()
        else:
            make()


def test_every_shipped_bundle_has_them() -> None:
    for rate_hz in DEFAULT_BUNDLES:
        expected, found, _ = self_test(default_bundle(rate_hz).model_image)
        assert expected == found


def test_the_inputs_are_those_of_the_specification() -> None:
    state, numbers = 7, []
    for _ in range(6):
        state = (state ^ (state << 13)) % 2**32
        state ^= state >> 17
        state = (state ^ (state << 5)) % 2**32
        numbers.append(state)
    int8 = [(number >> 24) - 256 * (number >> 31) for number in numbers]
    real = [((number >> 8) - (number >> 31 << 24)) / 2**23 for number in numbers]
    assert draw_inputs(7, 2, 3, is_int8=True).ravel().tolist() == int8
    assert draw_inputs(7, 2, 3, is_int8=False).ravel().tolist() == real
    assert min(int8) < 0 < max(int8)


def weights_in_blob(blob: bytes) -> list[int]:
    """Where each layer's weights begin: firmware/lib/frozen/src/frozen/net_blob.h."""
    n_tensors, n_operators = struct.unpack_from("<HH", blob, 6)
    records = [32 + 12 * n_tensors + 24 * i for i in range(n_operators)]
    return [struct.unpack_from("<I", blob, at + 8)[0] for at in records if blob[at] in (1, 3)]


@pytest.mark.parametrize("which", ["int8", "int8 per channel, LOGISTIC", "float32", "shipped"])
def test_one_wrong_byte_in_the_flash_is_found(which: str) -> None:
    image = BUNDLES[which]().model_image
    blob = dict(sections_of(image))[b"NETB"]
    places = weights_in_blob(blob)
    assert len(places) == 4
    for place in places:
        at = place + (3 if which == "float32" else 0)  # the exponent of a float32 weight
        damaged = patched(image, b"NETB", at, bytes([blob[at] ^ 0x40]))
        expected, found, board = self_test(damaged)
        assert expected != found
        board.ask(STREAM, b"\x08")
        (line,) = board.told(LOG)
        assert (line[0], line[12:26]) == (3, b"self-test fail")
        board.ask(STREAM, b"\x08")
        assert board.told(LOG) == []


def test_a_sound_board_logs_nothing() -> None:
    board = Board()
    board.hello()
    board.ask(STREAM, b"\x0f")
    board.ask(SELF_TEST)
    assert board.told(LOG) == []


def test_a_self_test_disturbs_nothing() -> None:
    """In the middle of a window, between two, and before late labels that need old vectors."""
    board, twin = Board(), Twin(small_bundle())
    board.hello()
    board.ask(CLASS_ADD, name("a"))
    board.ask(CLASS_ADD, name("b"))
    twin.add_class("a")
    twin.add_class("b")
    for step in range(25):
        board.sense(noise(step, seed=step))
        twin.feed(noise(step, seed=step))
        assert board.ask(SELF_TEST).status == OK
        if step % 5 == 4:
            board.ask(LABEL_BACK, struct.pack("<hH", step % 2, 3))
            twin.label_back("ab"[step % 2], 3)
    assert board.state() == twin.state
    assert twin.metrics().labelled > 10


def test_without_vectors_there_is_nothing_to_fail() -> None:
    image = with_section(small_bundle().model_image, b"TEST", GoldenVectors(1, 0, 0).to_bytes())
    expected, found, _ = self_test(image)
    assert expected == found == 0


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (struct.pack("<IHHI", 0, 16, 0, 0), "TEST: malformed"),
        (struct.pack("<IHHI", 1, 16, 1, 0), "TEST: malformed"),
        (struct.pack("<IHH", 1, 16, 0), "TEST: malformed"),
        (struct.pack("<IHHII", 1, 16, 0, 0, 0), "TEST: malformed"),
        (struct.pack("<IHHI", 1, 257, 0, 0), r"TEST vectors: .*\(needed 256, found 257\)"),
    ],
)
def test_a_malformed_section_is_refused(payload: bytes, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        Twin(with_section(small_bundle().model_image, b"TEST", payload))
    with pytest.raises(BundleError, match="TEST section"):
        GoldenVectors.from_bytes(payload)
