"""Reading .tflite files: what runs, what is refused and how it is named."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_nets import autoencoder, random_float32_net, random_int8_net
from tflite_builder import ModelBuilder

from tinyol_sim.errors import ModelError
from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.net_reference import run_reference
from tinyol_sim.frozen_net.tflite_model import (
    Taps,
    check_for_arduino_tflm,
    find_taps,
    last_layer,
    read_tflite,
    with_outputs,
)


def test_reads_the_mlperf_tiny_autoencoder(real_data: Path) -> None:
    model = read_tflite((real_data / "mlperf-tiny-ad" / "ad01_int8.tflite").read_bytes(), "ad01")
    assert [operator.kind for operator in model.operators] == ["FULLY_CONNECTED"] * 10
    assert (model.input.type, model.input.length) == ("INT8", 640)
    taps = find_taps(model)
    lengths = [model.tensors[i].length for i in (taps.embedding, taps.hidden, taps.reconstruction)]
    assert lengths == [8, 128, 640]
    check_for_arduino_tflm(model)
    assert len(compile_net(model, taps)) < 280_000


def test_finds_the_taps_of_an_autoencoder() -> None:
    model = read_tflite(autoencoder())
    taps = find_taps(model)
    names = [model.tensors[i].name for i in (taps.embedding, taps.hidden, taps.reconstruction)]
    assert names == ["dense_1", "dense_2", "dense_3"]
    model = read_tflite(autoencoder(sigmoid=True))
    assert model.tensors[find_taps(model).reconstruction].name == "sigmoid"


def test_embedding_lies_behind_its_separate_activation() -> None:
    builder = ModelBuilder()
    first = builder.tensor((1, 4), "FLOAT32")
    squeezed, bent, back = (builder.tensor((1, n), "FLOAT32") for n in (2, 2, 4))
    down = builder.tensor((2, 4), "FLOAT32", data=np.ones((2, 4)))
    up = builder.tensor((4, 2), "FLOAT32", data=np.ones((4, 2)))
    builder.operator("FULLY_CONNECTED", [first, down], squeezed)
    builder.operator("TANH", [squeezed], bent)
    builder.operator("FULLY_CONNECTED", [bent, up], back)
    assert find_taps(read_tflite(builder.finish([first], [back]))) == Taps(bent, bent, back)


@pytest.mark.parametrize(
    ("lengths", "why"),
    [((12, 7, 3), "reads 12 values and ends in 3"), ((12, 12), "1 FULLY_CONNECTED layers")],
)
def test_no_autoencoder_says_how_to_name_the_taps(lengths: tuple[int, ...], why: str) -> None:
    model = read_tflite(autoencoder(lengths=lengths), "net.tflite")
    with pytest.raises(ModelError, match=rf"net.tflite: no autoencoder: .*{why}") as caught:
        find_taps(model)
    assert "Taps(embedding=..., hidden=..., reconstruction=...)" in str(caught.value)
    assert f"'dense_0' ({lengths[1]} values)" in str(caught.value)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("sigmoid", [False, True])
def test_last_layer_in_real_numbers(per_channel: bool, sigmoid: bool) -> None:
    """The dequantised layer on the dequantised hidden tap gives the reconstruction."""
    model = read_tflite(autoencoder(per_channel=per_channel, sigmoid=sigmoid))
    taps = find_taps(model)
    layer = last_layer(model, taps)
    assert (layer.weights.shape, layer.bias.shape) == ((12, 7), (12,))
    assert layer.weights.dtype == layer.bias.dtype == np.float32
    assert layer.activation == ("sigmoid" if sigmoid else "linear")
    values = run_reference(model, np.random.default_rng(0).integers(-128, 128, (50, 12), np.int8))

    def real(index: int) -> Any:
        tensor = model.tensors[index]
        return (values[index].astype(np.float64) - tensor.zero_point) * tensor.scale

    linear = np.clip(real(taps.hidden) @ layer.weights.T + layer.bias, -12.3, 13.2)
    expected = 1 / (1 + np.exp(-linear)) if sigmoid else linear
    assert np.max(np.abs(real(taps.reconstruction) - expected)) < (0.02 if sigmoid else 0.053)


def test_a_last_layer_that_cannot_be_trained_is_refused() -> None:
    model = read_tflite(autoencoder())
    taps = find_taps(model)
    with pytest.raises(ModelError, match=r"operator 2 \(FULLY_CONNECTED\), ends in RELU"):
        last_layer(model, replace(taps, hidden=taps.embedding, reconstruction=taps.hidden))
    with pytest.raises(ModelError, match="does not lead to the reconstruction"):
        last_layer(model, replace(taps, reconstruction=taps.embedding))
    with pytest.raises(ModelError, match="no FULLY_CONNECTED reads the hidden tap"):
        last_layer(model, replace(taps, hidden=taps.reconstruction))


def test_a_tap_that_is_not_computed_is_refused() -> None:
    model = read_tflite(autoencoder())
    with pytest.raises(ModelError, match="the hidden tap is tensor 999"):
        compile_net(model, replace(find_taps(model), hidden=999))


def test_outputs_are_replaced_and_nothing_else() -> None:
    file = autoencoder()
    model = read_tflite(file)
    taps = find_taps(model)
    tapped = with_outputs(file, [taps.embedding, taps.hidden, taps.reconstruction])
    again = read_tflite(tapped)
    assert again.outputs == (taps.embedding, taps.hidden, taps.reconstruction)
    assert again.operators == model.operators
    assert sum(a != b for a, b in zip(tapped, file, strict=False)) <= 4  # one offset
    assert find_taps(again) == taps
    with pytest.raises(ModelError, match="no tensor 77"):
        with_outputs(file, [77])


def test_per_channel_weights_are_refused_for_arduino() -> None:
    check_for_arduino_tflm(read_tflite(autoencoder()))
    model = read_tflite(autoencoder(per_channel=True), "net.tflite")
    with pytest.raises(ModelError, match=r"operator 0 .*weights, tensor \d+ .* 7 scales") as caught:
        check_for_arduino_tflm(model)
    advice = "converter._experimental_disable_per_channel_quantization_for_dense_layers = True"
    assert str(caught.value).endswith(advice)


def test_keep_num_dims_and_reshapes_are_flattened() -> None:
    builder = ModelBuilder()
    first = builder.tensor((1, 2, 3), scale=0.1)
    flat = builder.tensor((1, 6), scale=0.1)
    weights = builder.tensor((4, 6), scale=0.01, data=np.eye(4, 6) * 100)
    last = builder.tensor((1, 1, 4), scale=0.1)
    builder.operator("RESHAPE", [first], flat)
    builder.operator("FULLY_CONNECTED", [flat, weights], last)
    model = read_tflite(builder.finish([first], [last]))
    row = np.arange(6, dtype=np.int8).reshape(1, 6)
    assert run_reference(model, row)[last].tolist() == [[0, 1, 2, 3]]
    blob = compile_net(model, Taps(flat, flat, last))
    assert struct.unpack_from("<2H", blob, 6) == (2, 1)  # the RESHAPE and its tensor are gone


FILES = (
    autoencoder(sigmoid=True, per_channel=True),
    random_int8_net(8, 2).model,
    random_float32_net(1, 2).model,
)


def read_and_compile(file: bytes) -> None:
    """Whatever the bytes: a ModelError, or a net."""
    with contextlib.suppress(ModelError):
        model = read_tflite(file)
        compile_net(model, find_taps(model))
    with contextlib.suppress(ModelError):
        with_outputs(file, [0])


@settings(max_examples=500)
@given(
    file=st.sampled_from(FILES),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_damaged_files_never_end_in_a_traceback(
    file: bytes, flips: list[tuple[float, int]]
) -> None:
    damaged = bytearray(file)
    for place, mask in flips:
        damaged[int(place * (len(file) - 1))] ^= mask
    read_and_compile(bytes(damaged))


@settings(max_examples=100)
@given(file=st.sampled_from(FILES), part=st.floats(0, 1))
def test_truncated_files_never_end_in_a_traceback(file: bytes, part: float) -> None:
    read_and_compile(file[: int(part * len(file))])
