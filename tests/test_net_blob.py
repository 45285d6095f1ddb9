"""The net blob: taps that stay, and whatever is damaged is refused before it runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_nets import autoencoder

from tinyol_sim.errors import ModelError
from tinyol_sim.frozen_net.net import TAPS, Net
from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.net_reference import run_reference
from tinyol_sim.frozen_net.tflite_model import find_taps, read_tflite


def autoencoder_blob() -> tuple[bytes, NDArray[np.int8], NDArray[np.int8]]:
    """A blob, rows for it and what its reconstruction must be."""
    model = read_tflite(autoencoder(per_channel=True, sigmoid=True))
    taps = find_taps(model)
    inputs = np.random.default_rng(1).integers(-128, 128, (5, 12), dtype=np.int8)
    return compile_net(model, taps), inputs, run_reference(model, inputs)[taps.reconstruction]


BLOB, BLOB_INPUTS, BLOB_OUTPUTS = autoencoder_blob()


def test_taps_survive_the_whole_run_and_a_second_one() -> None:
    model = read_tflite(autoencoder(lengths=(12, 9, 3, 9, 12)))
    taps = find_taps(model)
    twin, net = run_reference(model, BLOB_INPUTS), Net(compile_net(model, taps))
    for _ in range(2):
        outputs = net.run(BLOB_INPUTS)
        for name in TAPS:
            np.testing.assert_array_equal(outputs[name], twin[getattr(taps, name)])


def test_real_numbers_of_a_tap() -> None:
    tensor = Net(BLOB).taps["reconstruction"]
    assert (tensor.length, tensor.scale, tensor.zero_point) == (12, 1 / 256, -128)
    assert tensor.to_real(np.array([-128, 127], np.int8)).tolist() == [0.0, 255 / 256]


def test_rows_of_another_type_or_length_are_refused() -> None:
    net = Net(BLOB)
    with pytest.raises(ValueError, match=r"float64 of shape \(2, 12\).*int8 of shape \(n, 12\)"):
        net.run(np.zeros((2, 12)))
    with pytest.raises(ValueError, match=r"shape \(2, 11\)"):
        net.run(np.zeros((2, 11), np.int8))


def test_an_arena_too_small_says_what_it_takes() -> None:
    need = Net(BLOB).arena_bytes
    assert Net(BLOB, max_arena_bytes=need).arena_bytes == need
    with pytest.raises(ModelError, match=rf"arena.*needed {need}, found {need - 4}"):
        Net(BLOB, max_arena_bytes=need - 1)


TENSORS = 32
N_TENSORS = int.from_bytes(BLOB[6:8], "little")
OPERATORS = TENSORS + 12 * N_TENSORS
WEIGHTS = int.from_bytes(BLOB[OPERATORS + 8 : OPERATORS + 12], "little")
FACTORS = int.from_bytes(BLOB[OPERATORS + 16 : OPERATORS + 20], "little")


@pytest.mark.parametrize(
    ("place", "new", "message"),
    [
        (0, b"TOLX", "net magic: not of this format"),
        (4, b"\x01\x00", "net version: of another version .needed 2, found 1"),
        (6, b"\x00\x00", "number of tensors"),
        (8, b"\xff\xff", "number of operators"),
        (8, b"\x04\x00", "tensor never written"),  # the last operator is missing
        (10, b"\xff\x00", "input tensor"),
        (12, b"\xff\x00", "tap"),
        (18, b"\x01", "net header's zeros"),
        (20, b"\x00\x00\x00\x00", "tensor in arena"),
        (20, b"\x00\x00\x00\xff", "arena bytes"),
        (24, b"\xff\xff\xff\x00", "net blob: truncated"),
        (TENSORS, b"\x01", "tensor alignment"),
        (TENSORS, b"\x00\x00\x00\xf0", "tensor in arena"),
        (TENSORS + 2 * 12, BLOB[TENSORS : TENSORS + 4], "input overwritten"),
        (TENSORS + 5 * 12, BLOB[TENSORS + 3 * 12 :][:4], "tensor overwritten"),
        (TENSORS + 4, b"\x00\x00", "arena bytes"),
        (TENSORS + 4, b"\xff\xff", "tensor in arena"),
        (TENSORS + 6, b"\x02", "tensor type: not supported"),
        (TENSORS + 6, b"\x01", "tensor in arena|float32 quantisation"),
        (TENSORS + 8, b"\x00\x00\x00\x00", "tensor scale"),
        (TENSORS + 8, b"\x00\x00\x80\xbf", "tensor scale"),
        (TENSORS + 8, b"\x00\x00\xc0\x7f", "tensor scale"),
        (TENSORS + 8, b"\x00\x00\x80\x7f", "tensor scale"),
        (OPERATORS, b"\x63", "operator kind: not supported"),
        (OPERATORS, b"\x05", "operator's zeros"),
        (OPERATORS + 1, b"\x01", "operator's zeros"),
        (OPERATORS + 2, b"\xff\x00", "operator's input"),
        (OPERATORS + 4, b"\xff\x00", "operator's output"),
        (OPERATORS + 4, b"\x00\x00", "operator in place"),
        (OPERATORS + 6, b"\x7f\x80", "output range"),
        (OPERATORS + 8, b"\x02", "weights"),
        (OPERATORS + 8, b"\x00\x00\x00\x00", "weights"),
        (OPERATORS + 8, b"\x00\xff\xff\xff", "weights"),
        (OPERATORS + 12, b"\xfc\xff\xff\xff", "bias"),
        (OPERATORS + 16, b"\x00\xff\xff\x00", "multipliers"),
        (OPERATORS + 20, b"\x02\x00", "number of multipliers"),
        (OPERATORS + 22, b"\x01", "operator's zeros"),
        (FACTORS, b"\xff\xff\xff\xff", "multiplier"),
        (FACTORS + 4, b"\x1f\x00\x00\x00", "shift"),
        (FACTORS + 4, b"\xe0\xff\xff\xff", "shift"),
    ],
)
def test_a_damaged_blob_is_refused(place: int, new: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Net(BLOB[:place] + new + BLOB[place + len(new) :])


# Of 3 rows of 5 columns: column 5 of row 0, column 7 of row 2, column 0 of row 3.
@pytest.mark.parametrize("place", [16 + 4, 16 + 12 + 2, 8 + 1])
def test_padding_must_be_zero(place: int) -> None:
    model = read_tflite(autoencoder(lengths=(5, 3, 5)))
    blob = bytearray(compile_net(model, find_taps(model)))
    operators = TENSORS + 12 * int.from_bytes(blob[6:8], "little")
    weights = int.from_bytes(blob[operators + 8 : operators + 12], "little")
    blob[weights + place] ^= 1
    with pytest.raises(ModelError, match="weights padding"):
        Net(bytes(blob))


@pytest.mark.parametrize("length", [0, 3, 31, 32, 100, len(BLOB) - 4, len(BLOB) - 1])
def test_a_truncated_blob_is_refused(length: int) -> None:
    with pytest.raises(ModelError, match="truncated"):
        Net(BLOB[:length])


def test_bytes_behind_a_blob_are_refused() -> None:
    with pytest.raises(ModelError, match="net blob bytes"):
        Net(BLOB + bytes(4))


@settings(max_examples=400)
@given(
    flips=st.lists(
        st.tuples(st.integers(0, len(BLOB) - 1), st.integers(1, 255)), min_size=1, max_size=4
    )
)
def test_flipped_bytes_are_refused_or_run(flips: list[tuple[int, int]]) -> None:
    """Whatever the bytes: a refusal, or a net that gives the same result twice."""
    blob = bytearray(BLOB)
    for place, mask in flips:
        blob[place] ^= mask
    try:
        net = Net(bytes(blob))
    except ModelError:
        return
    shape = (len(BLOB_INPUTS), net.input.length)
    inputs = np.resize(BLOB_INPUTS, shape).astype(net.input.dtype)
    first, second = net.run(inputs), net.run(inputs)
    for name in TAPS:
        np.testing.assert_array_equal(first[name], second[name])
