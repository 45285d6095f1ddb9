"""Inputs of the image target: state images at several times, and model images of many kinds."""

from __future__ import annotations

import struct

import numpy as np
from native_build import REPO
from random_nets import autoencoder
from small_models import DEFAULTS, LENGTHS, float_bundle, float_net, int8_bundle, vibration
from tflite_builder import ModelBuilder

from tinyol_sim.bundle import Bundle
from tinyol_sim.model_image import Pipeline
from tinyol_sim.twin import Twin

KEPT_MODELS = ("life-int8", "life-float32")  # in this order: kept_models.h


def image_seeds() -> list[bytes]:
    """State images of the kept models at several times, and model images of many kinds."""
    seeds = []
    for index, name in enumerate(KEPT_MODELS):
        model = (REPO / "tests" / "vectors" / f"{name}.model").read_bytes()
        seeds.append(bytes([2]) + model)
        states = states_of(Twin(model))
        seeds += [bytes([index]) + state for state in [*states, at_the_end(states[-1])]]
    options = (
        {"hop": 1, "axes": "all", "window_len": 2},
        {"centring": "training", "centre": (0.1, 0.2, 0.3), "error_source": "tuned"},
        {"features": ("embedding", "error"), "max_classes": 1, "ring_len": 0},
    )
    for pipeline in options:
        settings = {"classifier.schedule": 2.0, "reconstruction.loss": 3.0}
        seeds.append(b"\x02" + int8_bundle(settings, **pipeline).model_image)
    for bundle in (
        float_bundle(float_net(biased=False)),
        Bundle.create(autoencoder(LENGTHS, sigmoid=True, per_channel=True), Pipeline(**DEFAULTS)),
        Bundle.create(net_of_all_operators(), Pipeline(**DEFAULTS)),
    ):
        seeds.append(b"\x02" + bundle.model_image)
    return seeds


def at_the_end(state: bytes) -> bytes:
    """The state with as many samples and windows as are ever counted; the target reseals it."""
    image, counters_at = bytearray(state), 28
    struct.pack_into("<QQ", image, counters_at, 1 << 60, 1 << 60)
    return bytes(image)


def net_of_all_operators() -> bytes:
    """An autoencoder with float32 ends and an int8 middle; a function behind each layer."""
    rng = np.random.default_rng(4)
    builder = ModelBuilder()
    first = builder.tensor((1, 8), "FLOAT32")

    def dense(tensor: int, n_in: int, n_out: int) -> int:
        weights = builder.tensor((n_out, n_in), "FLOAT32", data=rng.normal(0, 0.5, (n_out, n_in)))
        bias = builder.tensor((n_out,), "FLOAT32", data=rng.normal(0, 0.5, n_out))
        written = builder.tensor((1, n_out), "FLOAT32")
        builder.operator("FULLY_CONNECTED", [tensor, weights, bias], written)
        return written

    def float_function(name: str, tensor: int, length: int) -> int:
        written = builder.tensor((1, length), "FLOAT32")
        builder.operator(name, [tensor], written)
        return written

    def dense_int8(tensor: int, n_in: int, n_out: int) -> int:
        scale = np.float32(0.01)
        weights = rng.integers(-127, 128, (n_out, n_in))
        constants = [
            builder.tensor(weights.shape, scale=scale, data=weights),
            builder.tensor((n_out,), "INT32", scale=scale * np.float32(0.05), data=[0] * n_out),
        ]
        written = builder.tensor((1, n_out), scale=0.05, zero_point=1)
        builder.operator("FULLY_CONNECTED", [tensor, *constants], written)
        return written

    tensor = float_function("TANH", dense(first, 8, 5), 5)
    quantised = builder.tensor((1, 5), scale=0.05, zero_point=1)
    builder.operator("QUANTIZE", [tensor], quantised)
    embedding = dense_int8(quantised, 5, 2)
    inner = dense_int8(embedding, 2, 5)
    squashed = builder.tensor((1, 5), scale=1 / 128, zero_point=0)
    builder.operator("TANH", [inner], squashed)
    tensor = builder.tensor((1, 5), "FLOAT32")
    builder.operator("DEQUANTIZE", [squashed], tensor)
    last = float_function("LOGISTIC", dense(tensor, 5, 8), 8)
    return builder.finish([first], [last])


def states_of(twin: Twin) -> list[bytes]:
    states = [twin.state]
    samples = vibration(1200)
    samples[77] = np.nan
    twin.fine_tune(50)
    twin.feed(samples[:100])
    states.append(twin.state)
    for name in ("a", "Lüfter", "fifteen bytes !"):
        twin.add_class(name)
        twin.label(name, 20)
        twin.feed(samples[200:500], gaps=[7])
        states.append(twin.state)
    # An alarm and an unknown state that stand, least squares, windows that are rehearsed.
    twin.set("reconstruction.rule", 2)
    twin.set("reconstruction.rehearsal", 1)
    twin.fine_tune(30)
    twin.feed(np.float32(30) * samples[500:560])
    states.append(twin.state)
    return states
