"""Which tensors of an autoencoder TinyOL reads, and the layer that it goes on training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import ModelError

if TYPE_CHECKING:
    from tinyol_sim.frozen_net.tflite_model import Operator, TfliteModel

# A layer's own activation where the converter left it a separate operator.
_SEPARATE_ACTIVATIONS = ("RELU", "RELU6", "LOGISTIC", "TANH")


@dataclass(frozen=True)
class Taps:
    """Tensor indices: the bottleneck, the input of the last layer, the net's own output."""

    embedding: int
    hidden: int
    reconstruction: int


@dataclass(frozen=True, eq=False)
class LastLayer:
    """The layer behind the hidden tap, in real numbers.

    weights: (n_out, n_in) float32; bias: (n_out,) float32, zeros where the model has none;
    activation: "linear" or "sigmoid".
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str


def find_taps(model: TfliteModel) -> Taps:
    """Find the taps of a foreign autoencoder of FULLY_CONNECTED layers.

    embedding: output of the narrowest layer but the last (the first of several), behind its own
    activation; hidden: input of the last layer; reconstruction: the end of the graph. Raises
    ModelError where the model is no such autoencoder, with the tensors to choose from.
    """
    layers = [operator for operator in model.operators if operator.kind == "FULLY_CONNECTED"]
    if len(layers) < 2:
        raise _no_autoencoder(model, f"it has {len(layers)} FULLY_CONNECTED layers, not two")
    last = layers[-1]
    reconstruction = _chain(model, last.outputs[0])[-1]
    n_in, n_out = model.input.length, model.tensors[reconstruction].length
    if n_in != n_out:
        raise _no_autoencoder(model, f"it reads {n_in} values and ends in {n_out}")
    narrowest = min(layers[:-1], key=lambda layer: model.tensors[layer.outputs[0]].length)
    return Taps(
        embedding=_behind_activation(model, narrowest.outputs[0]),
        hidden=last.inputs[0],
        reconstruction=reconstruction,
    )


def last_layer(model: TfliteModel, taps: Taps) -> LastLayer:
    """Return the layer that leads from the hidden tap to the reconstruction, dequantised.

    Raises ModelError where that is not one FULLY_CONNECTED layer that ends linearly or in a
    LOGISTIC: nothing else can be fine-tuned.
    """
    layer = _layer_behind(model, taps)
    path = _chain(model, layer.outputs[0])
    if taps.reconstruction not in path:
        raise ModelError(
            f"{model.source}: {layer.label} behind the hidden tap does not lead to the "
            f"reconstruction, {model.tensors[taps.reconstruction].label}"
        )
    path = path[: path.index(taps.reconstruction) + 1]
    kinds = [op.kind for op in model.operators if op.outputs[0] in path[1:]]
    kinds = [kind for kind in kinds if kind not in ("RESHAPE", "QUANTIZE", "DEQUANTIZE")]
    if layer.activation != "NONE" or kinds not in ([], ["LOGISTIC"]):
        ending = " and ".join(name for name in (layer.activation, *kinds) if name != "NONE")
        raise ModelError(
            f"{model.source}: the last layer, {layer.label}, ends in {ending}; "
            "only a linear layer or one that ends in LOGISTIC can be fine-tuned"
        )
    weights, bias = _real_weights(model, layer)
    return LastLayer(weights, bias, "sigmoid" if kinds else "linear")


def _layer_behind(model: TfliteModel, taps: Taps) -> Operator:
    hidden = model.storage_of(taps.hidden)
    for operator in model.operators:
        reads = model.storage_of(operator.inputs[0])
        if operator.kind == "FULLY_CONNECTED" and reads == hidden:
            return operator
    raise ModelError(
        f"{model.source}: no FULLY_CONNECTED reads the hidden tap, "
        f"{model.tensors[taps.hidden].label}"
    )


def _real_weights(
    model: TfliteModel, layer: Operator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = model.tensors[layer.inputs[1]]
    stored = np.asarray(weights.data, dtype=np.float64)
    bias = np.zeros(len(stored))
    if len(layer.inputs) == 3 and layer.inputs[2] != -1:
        bias = np.asarray(model.tensors[layer.inputs[2]].data, dtype=np.float64).reshape(-1)
    if weights.type == "INT8":
        scales = weights.scales.astype(np.float64)
        stored = stored * scales[:, None]
        bias = bias * scales * model.tensors[layer.inputs[0]].scale
    with np.errstate(over="ignore"):
        real = stored.astype(np.float32), bias.astype(np.float32)
    if not (np.isfinite(real[0]).all() and np.isfinite(real[1]).all()):
        raise ModelError(f"{model.source}: the weights of {layer.label} overflow float32")
    return real


def _readers(model: TfliteModel, tensor: int) -> list[Operator]:
    return [operator for operator in model.operators if operator.inputs[0] == tensor]


def _chain(model: TfliteModel, tensor: int) -> list[int]:
    """Return `tensor` and what follows from it, while one operator reads each."""
    chain = [tensor]
    while len(readers := _readers(model, chain[-1])) == 1:
        chain.append(readers[0].outputs[0])
    if len(readers) > 1:
        raise _no_autoencoder(model, f"{model.tensors[chain[-1]].label} is read by several")
    return chain


def _behind_activation(model: TfliteModel, tensor: int) -> int:
    readers = _readers(model, tensor)
    if len(readers) == 1 and readers[0].kind in _SEPARATE_ACTIVATIONS:
        return readers[0].outputs[0]
    return tensor


def _no_autoencoder(model: TfliteModel, why: str) -> ModelError:
    written = [model.tensors[operator.outputs[0]] for operator in model.operators]
    choice = ", ".join(f"{tensor.label} ({tensor.length} values)" for tensor in written)
    return ModelError(
        f"{model.source}: no autoencoder: {why}. Name its tensors by hand, "
        "Taps(embedding=..., hidden=..., reconstruction=...); the model writes "
        + (choice or "none")
    )
