"""The same autoencoder in float32, to see what int8 costs and saves."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyol_sim.bundle import Bundle
from tinyol_sim.recordings import Recording
from tinyol_sim.train import TrainOptions, shape_for
from tinyol_sim.training.autoencoder import load_tensorflow, train_autoencoder
from tinyol_sim.training.training_set import make_training_set
from tinyol_sim.training.windows import net_inputs


def float_twin_of(bundle: Bundle, normal: Recording, options: TrainOptions) -> Bundle:
    """A bundle that differs from `bundle`, trained on `normal` with `options`, in its net alone.

    The net is trained again, from the same windows and seed, and kept in float32.
    """
    hop = max(1, options.window_len // 4)  # as train() cuts them
    found = make_training_set(
        [normal], normal=options.normal, window_len=options.window_len, hop=hop
    )
    inputs = net_inputs(found.recording.samples, found.starts, bundle.pipeline)
    net = train_autoencoder(
        inputs[found.normal & found.training],
        shape_for(options),
        epochs=options.epochs,
        seed=options.seed,
    )
    return Bundle.create(
        convert_float(net, inputs.shape[1]),
        bundle.pipeline,
        settings=bundle.settings,
        normal=bundle.normal,
    )


def convert_float(net: Any, n_inputs: int) -> bytes:
    """A Keras autoencoder as a .tflite of float32, its weights as constants, a batch of one."""
    tf = load_tensorflow()
    weights = [[np.asarray(part) for part in layer.get_weights()] for layer in net.layers]
    activations = [layer.activation for layer in net.layers]

    def forward(x: Any) -> Any:
        for (kernel, bias), activation in zip(weights, activations, strict=True):
            x = activation(tf.matmul(x, kernel) + bias)
        return x

    window = tf.TensorSpec([1, n_inputs], tf.float32, name="window")
    call = tf.function(forward, autograph=False).get_concrete_function(window)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([call], tf.Module()).convert())
