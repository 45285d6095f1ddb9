"""What the tests of the emulated board share: which tools are here, and two small models."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
from random_nets import autoencoder
from tflite_builder import ModelBuilder

from tinyol_sim.bundle import Bundle
from tinyol_sim.model_image import Pipeline

HAS_GCC = shutil.which("arm-none-eabi-g++") is not None
HAS_ZIG = importlib.util.find_spec("ziglang") is not None or shutil.which("zig") is not None

gcc = pytest.param("gcc", marks=pytest.mark.skipif(not HAS_GCC, reason="no arm-none-eabi-g++"))
zig = pytest.param("zig", marks=pytest.mark.skipif(not HAS_ZIG, reason="no zig (ziglang)"))
unicorn = pytest.param(
    "unicorn",
    marks=pytest.mark.skipif(not importlib.util.find_spec("unicorn"), reason="no unicorn"),
)
qemu = pytest.param(
    "qemu",
    marks=pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="no qemu-system-arm"),
)
needs_compiler = pytest.mark.skipif(
    not (HAS_GCC or HAS_ZIG), reason="no compiler for the Cortex-M4F: neither zig nor gcc"
)
on_each_machine = pytest.mark.parametrize("machine", [unicorn, qemu])
by_each_compiler = pytest.mark.parametrize("compiler", [zig, gcc])

# More of the arithmetic than the defaults use: schedules, decay, clipping.
SETTINGS_IN_USE = {
    "classifier.learning_rate": 0.1,
    "classifier.schedule": 2.0,
    "classifier.l2": 1e-3,
    "classifier.clip_norm": 1.5,
    "reconstruction.learning_rate": 0.02,
    "reconstruction.schedule": 1.0,
    "statistics.horizon": 300.0,
}
PIPELINE = Pipeline(
    rate_hz=100.0, window_len=10, hop=3, axes="all", scale=(0.7, 1.1, 1.3), offset=0.4,
    error_source="tuned", max_classes=5, ring_len=20,
)  # fmt: skip


def int8_bundle() -> Bundle:
    model = autoencoder((30, 7, 3, 7, 30), sigmoid=True)
    return Bundle.create(model, PIPELINE, settings=SETTINGS_IN_USE)


def float32_bundle() -> Bundle:
    rng = np.random.default_rng(8)
    builder = ModelBuilder()
    first = tensor = builder.tensor((1, 30), "FLOAT32")
    lengths = (30, 7, 3, 7, 30)
    for n_in, n_out in itertools.pairwise(lengths):
        weights = rng.normal(0, 1 / np.sqrt(n_in), (n_out, n_in))
        constants = [
            builder.tensor((n_out, n_in), "FLOAT32", data=weights),
            builder.tensor((n_out,), "FLOAT32", data=rng.normal(0, 0.2, n_out)),
        ]
        dense = builder.tensor((1, n_out), "FLOAT32")
        builder.operator("FULLY_CONNECTED", [tensor, *constants], dense)
        tensor = dense
        if n_out == 7:
            tensor = builder.tensor((1, n_out), "FLOAT32")
            builder.operator("TANH", [dense], tensor)
    model = builder.finish([first], [tensor])
    return Bundle.create(model, replace(PIPELINE, hop=7), settings=SETTINGS_IN_USE)
