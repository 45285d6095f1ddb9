"""Inputs of the net target: net blobs and .tflite files of every operator and type."""

from __future__ import annotations

import numpy as np
from image_seeds import net_of_all_operators
from random_nets import autoencoder
from small_models import LENGTHS, float_bundle, float_net

from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.tflite_model import find_taps, read_tflite, with_outputs

BLOB, TFLITE, AS_IT_IS = 0, 1, 2


def models() -> list[bytes]:
    return [
        autoencoder(LENGTHS, sigmoid=True),
        autoencoder(LENGTHS, sigmoid=False, per_channel=True),
        float_bundle(float_net()).tflite,
        float_bundle(float_net(biased=False)).tflite,
        net_of_all_operators(),
    ]


def net_seeds() -> list[bytes]:
    """Each net as its blob and as a .tflite with the taps as outputs; then with bytes changed."""
    seeds = []
    rng = np.random.default_rng(5)
    for number, model in enumerate(models()):
        parsed = read_tflite(model)
        taps = find_taps(parsed)
        tflite = with_outputs(model, [taps.embedding, taps.hidden, taps.reconstruction])
        blob = compile_net(parsed, taps)
        seeds += [bytes([BLOB | number << 2]) + blob, bytes([BLOB | AS_IT_IS]) + blob]
        seeds += [bytes([TFLITE]) + tflite, bytes([TFLITE]) + model]
        for kind, whole in ((BLOB, blob), (TFLITE, tflite)):
            for _ in range(4):
                changed = bytearray(whole)
                changed[int(rng.integers(len(changed)))] ^= int(rng.integers(1, 256))
                seeds.append(bytes([kind]) + changed)
            seeds.append(bytes([kind]) + whole[: len(whole) // 2])
    return seeds
