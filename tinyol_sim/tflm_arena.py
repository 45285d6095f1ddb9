"""How large an arena TFLM needs for a model, as the device itself works it out.

The numbers are those of firmware/lib/tflm_net/src/tflm_net/arena_need.cpp, which says what they
stand for; tests/test_tflm_net.py holds both against each other.
"""

from __future__ import annotations

from .frozen_net.tflite_model import Operator, Tensor, TfliteModel

FIXED_BYTES = 640
TENSOR_BYTES = 12
OPERATOR_BYTES = 144
PLAN_TENSOR_BYTES = 24
PLAN_BUFFER_BYTES = 40
ALIGNMENT = 16  # of every tensor that is computed


def tflm_arena_bytes(model: TfliteModel) -> int:
    """An upper bound for the arena of a model of operators that read_tflite() takes."""
    computed = [_aligned_bytes(tensor) for tensor in model.tensors if tensor.data is None]
    plan = PLAN_TENSOR_BYTES * len(model.tensors) + PLAN_BUFFER_BYTES * len(computed)
    kernels = sum(_kernel_bytes(model, operator) for operator in model.operators)
    fixed = FIXED_BYTES + TENSOR_BYTES * len(model.tensors) + OPERATOR_BYTES * len(model.operators)
    return fixed + kernels + max(plan, sum(computed))


def _aligned_bytes(tensor: Tensor) -> int:
    return _aligned(tensor.length * (1 if tensor.type == "INT8" else 4))


def _kernel_bytes(model: TfliteModel, operator: Operator) -> int:
    """What CMSIS-NN keeps of a layer with more than two dimensions: two int32 an output."""
    output = model.tensors[operator.outputs[0]]
    is_convolution = operator.kind == "FULLY_CONNECTED" and len(output.shape) > 2
    return 2 * _aligned(4 * output.length) if is_convolution else 0


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
