"""The autoencoder: its shape, its training with Keras, and its conversion to int8.

TensorFlow is imported when it is needed, and only here.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import ModelError, TinyOLError

Singles = NDArray[np.float32]
OUTPUTS = ("linear", "sigmoid")
BATCH = 64  # windows a step
FIRST_RATE, LAST_RATE = 3e-3, 1e-5  # Adam's rate falls from one to the other along a cosine


@dataclass(frozen=True)
class Shape:
    """Layer widths, input first; the narrowest layer is the linear embedding.

    All other hidden layers are ReLU; the last one is `output`. Raises ModelError for a shape
    that is no autoencoder.
    """

    layers: tuple[int, ...]
    output: str = "linear"

    def __post_init__(self) -> None:
        if len(self.layers) < 3 or min(self.layers) < 1:
            raise ModelError(f"layers {self}: at least three widths of 1 or more, as 40-32-4-32-40")
        if self.layers[0] != self.layers[-1]:
            raise ModelError(f"layers {self}: an autoencoder ends as wide as it begins")
        if self.output not in OUTPUTS:
            raise ModelError(f"output is {self.output!r}; it must be {' or '.join(OUTPUTS)}")

    @classmethod
    def parse(cls, text: str, output: str = "linear") -> Shape:
        """From "40-32-4-32-40"."""
        try:
            layers = tuple(int(width) for width in text.split("-"))
        except ValueError:
            raise ModelError(
                f"layers {text!r}: whole numbers and dashes, as 40-32-4-32-40"
            ) from None
        return cls(layers, output)

    @property
    def embedding(self) -> int:
        """Index in `layers` of the embedding: the first of the narrowest hidden layers."""
        hidden = self.layers[1:-1]
        return 1 + hidden.index(min(hidden))

    def activations(self) -> list[str]:
        """One a layer behind the input, by Keras's names."""
        names = ["relu"] * (len(self.layers) - 2) + [self.output]
        names[self.embedding - 1] = "linear"
        return names

    def __str__(self) -> str:
        return "-".join(map(str, self.layers))


def load_tensorflow() -> Any:
    """The tensorflow module, its log silenced; TinyOLError says how to install it."""
    # Read once, while TensorFlow is loaded. oneDNN's kernels round differently from CPU to CPU.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise TinyOLError(
            f'training needs TensorFlow ({error}): pip install "tinyol[train]"'
        ) from None


def train_autoencoder(
    windows: NDArray[np.floating[Any]],
    shape: Shape,
    *,
    epochs: int,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> Any:
    """Trains by Adam on the mean squared error of the windows' reconstruction.

    Args:
        windows: (w, n_inputs), normalised.
        shape: the net.
        epochs: passes over the windows, each in a new order.
        seed: of the first weights and of the orders; equal seeds on one machine give equal nets.
        progress: called after each epoch with the epochs done and the mean loss.

    Returns: a Keras model, (w, n_inputs) to (w, n_inputs).
    Raises: TinyOLError without TensorFlow.
    """
    tf = load_tensorflow()
    model = _build(tf, shape, seed)
    optimizer = tf.keras.optimizers.Adam(FIRST_RATE)
    optimizer.build(model.trainable_variables)

    def step(total: Any, batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(batch, training=True) - batch))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return total + loss

    def steps(batches: Any) -> Any:
        # Not a Python loop: AutoGraph, which would translate it, fails on some Python versions.
        return tf.foldl(step, batches, tf.constant(0.0), parallel_iterations=1)

    # One graph call an epoch: ten times as fast as Model.fit for a net of this size.
    run_epoch = tf.function(steps, autograph=False)
    data = windows.astype(np.float32)
    size = min(BATCH, len(data))
    n_batches = len(data) // size
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        done = epoch / max(epochs - 1, 1)
        fall = 0.5 * (1 + np.cos(np.pi * done))
        optimizer.learning_rate.assign(LAST_RATE + (FIRST_RATE - LAST_RATE) * fall)
        order = rng.permutation(len(data))[: n_batches * size]
        total = run_epoch(tf.constant(data[order].reshape(n_batches, size, -1)))
        if progress is not None:
            progress(epoch + 1, float(total) / n_batches)
    return model


def _build(tf: Any, shape: Shape, seed: int) -> Any:
    model = tf.keras.Sequential([tf.keras.Input((shape.layers[0],))])
    for i, (width, activation) in enumerate(
        zip(shape.layers[1:], shape.activations(), strict=True)
    ):
        first = tf.keras.initializers.GlorotUniform(seed=1000 * seed + i)
        model.add(tf.keras.layers.Dense(width, activation=activation, kernel_initializer=first))
    return model


def reconstruct(model: Any, windows: NDArray[np.floating[Any]]) -> Singles:
    """The float net's output for normalised windows, (w, n_inputs)."""
    return np.asarray(model(windows.astype(np.float32)), np.float32)


def hidden_activations(model: Any, windows: NDArray[np.floating[Any]]) -> Singles:
    """What the float net's last layer reads, (w, width)."""
    x = windows.astype(np.float32)
    for layer in model.layers[:-1]:
        x = layer(x)
    return np.asarray(x, np.float32)


def convert_int8(model: Any, representative: NDArray[np.floating[Any]]) -> bytes:
    """Quantises a Keras model to int8, in and out, with one scale a tensor.

    TFLM for Arduino (2023) runs Dense weights with a scale a channel wrongly and does not say
    so; TensorFlow's converter must be told not to make them.

    Args:
        representative: (r, n_inputs) windows that set the range of every tensor; loud states
            must be among them, or their values are cut off.

    Raises: TinyOLError if the converter fails; its log is in the message.
    """
    tf = load_tensorflow()
    rows = representative.astype(np.float32)
    weights = [[np.asarray(part) for part in layer.get_weights()] for layer in model.layers]
    activations = [layer.activation for layer in model.layers]

    def forward(x: Any) -> Any:
        for (kernel, bias), activation in zip(weights, activations, strict=True):
            x = activation(tf.matmul(x, kernel) + bias)
        return x

    # The weights as constants, a batch of one, and no name that counts how many models there were.
    window = tf.TensorSpec([1, rows.shape[1]], tf.float32, name="window")
    call = tf.function(forward, autograph=False).get_concrete_function(window)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in rows)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with _stderr_kept() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses statistics that the windows are there to give
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter's errors share no class
            raise TinyOLError(f"TensorFlow's converter failed: {error}\n{log()}") from error


@contextmanager
def _stderr_kept() -> Iterator[Callable[[], str]]:
    """Keeps what C++ writes to standard error meanwhile; the converter has no switch for it."""
    with tempfile.TemporaryFile() as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:

            def written() -> str:
                file.seek(0)
                return file.read().decode("utf-8", "replace")

            yield written
        finally:
            os.dup2(saved, 2)
            os.close(saved)
