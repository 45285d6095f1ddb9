"""What every operator of a .tflite model must fulfil, and how a refusal names what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinyol_sim.errors import ModelError
from tinyol_sim.frozen_net.fixed_point import Multiplier

if TYPE_CHECKING:
    from tinyol_sim.frozen_net.tflite_model import Operator, Tensor, TfliteModel

MAX_LENGTH = 65535  # values in a tensor: the net blob keeps 16 bits
MAX_SCALE = float(np.float32(1e30))  # so that every real value is finite in float32
MAX_SHIFT = 30  # of a multiplier: a left shift of 31 is undefined in TFLM


class OperatorCheck:
    """An operator under check: its tensors by role, and refusals that name them."""

    def __init__(self, model: TfliteModel, operator: Operator) -> None:
        self.model = model
        self.operator = operator
        n_inputs = {"FULLY_CONNECTED": (2, 3), "RESHAPE": (1, 2)}.get(operator.kind, (1,))
        if len(operator.inputs) not in n_inputs or len(operator.outputs) != 1:
            raise self.refusal(
                f"has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
            )
        self.input = self.activation("input", operator.inputs[0])
        self.output = self.activation("output", operator.outputs[0])
        self.types = (self.input.type, self.output.type)

    def refusal(self, text: str) -> ModelError:
        """Return the error to raise: the operator and `text`."""
        return ModelError(f"{self.model.source}: {self.operator.label}: {text}")

    def tensor(self, role: str, index: int) -> Tensor:
        """Return a tensor that is there, stored densely."""
        if index == -1:
            raise self.refusal(f"the {role} is left out")
        tensor = self.model.tensors[index]
        if tensor.is_sparse:
            raise self.refusal(f"the {role}, {tensor.label}, is sparse; store it densely")
        return tensor

    def activation(self, role: str, index: int) -> Tensor:
        """Return a tensor that is computed at run time: of a fixed shape and one scale."""
        tensor = self.tensor(role, index)
        if tensor.data is not None:
            raise self.refusal(f"the {role}, {tensor.label}, is a constant")
        if tensor.is_variable:
            raise self.refusal(f"the {role}, {tensor.label}, keeps a state between runs")
        if min(tensor.shape, default=1) < 1:
            raise self.refusal(
                f"the {role}, {tensor.label}, has the shape {tensor.shape}; "
                "export the model with a fixed shape and a batch of 1"
            )
        if tensor.length > MAX_LENGTH:
            raise self.refusal(
                f"the {role}, {tensor.label}, has {tensor.length} values; at most {MAX_LENGTH} fit"
            )
        if tensor.type == "INT8":
            self.check_scales(role, tensor)
            if len(tensor.scales) != 1:
                raise self.refusal(f"the {role}, {tensor.label}, has {len(tensor.scales)} scales")
            if not -128 <= tensor.zero_point <= 127:
                raise self.refusal(
                    f"the {role}, {tensor.label}, has the zero point {tensor.zero_point}; "
                    "an int8 tensor's lies in -128 to 127"
                )
        return tensor

    def check_scales(self, role: str, tensor: Tensor) -> None:
        """Refuse scales that are missing, not positive or not finite."""
        if len(tensor.scales) == 0:
            raise self.refusal(f"the {role}, {tensor.label}, is INT8 without a scale")
        if len(tensor.zero_points) != len(tensor.scales):
            raise self.refusal(
                f"the {role}, {tensor.label}, has {len(tensor.scales)} scales and "
                f"{len(tensor.zero_points)} zero points"
            )
        for scale in tensor.scales.tolist():
            if not 0.0 < scale <= MAX_SCALE:
                raise self.refusal(
                    f"the {role}, {tensor.label}, has the scale {scale}; "
                    f"it must be positive and at most {MAX_SCALE:g}"
                )

    def check_shift(self, multiplier: Multiplier) -> None:
        """Refuse a factor that shifts further left than an int32 has bits."""
        if multiplier.shift > MAX_SHIFT:
            raise self.refusal(
                f"the scales of {self.input.label} and {self.output.label} are more than "
                f"2^{MAX_SHIFT} apart"
            )

    def check_six(self) -> None:
        """Refuse an output scale whose RELU6 overflows, as TFLM does."""
        if 6.0 / self.output.scale >= 2.0**31:
            raise self.refusal(
                f"{self.output.label} has the scale {self.output.scale:g}: RELU6's 6 is no int32"
            )

    def same_shape(self) -> None:
        """Refuse an operator on single values whose shapes differ."""
        if self.input.shape != self.output.shape:
            raise self.refusal(
                f"reads the shape {self.input.shape}, {self.input.label}, and writes "
                f"{self.output.shape}, {self.output.label}"
            )

    def same_length(self) -> None:
        """Refuse an operator whose numbers of values differ."""
        if self.input.length != self.output.length:
            raise self.refusal(
                f"reads {self.input.length} values, {self.input.label}, and writes "
                f"{self.output.length}, {self.output.label}"
            )

    def one_of_types(self, *allowed: tuple[str, str]) -> None:
        """Refuse types of input and output that are none of these pairs."""
        if self.types not in allowed:
            runs = " or ".join(f"{reads} to {writes}" for reads, writes in allowed)
            raise self.refusal(
                f"{self.input.label} is {self.input.type} and {self.output.label} is "
                f"{self.output.type}; this target runs {runs}"
            )

    def written_as(self, scale: float, zero_point: int) -> None:
        """Refuse an output that means other numbers than those which TFLM writes."""
        output = self.output
        if output.scale != scale or output.zero_point != zero_point:
            raise self.refusal(
                f"{output.label} has the scale {output.scale:g} and the zero point "
                f"{output.zero_point}; TFLM writes {scale:g} and {zero_point}"
            )

    def same_quantization(self, why: str) -> None:
        """Refuse an input and an output that mean different numbers."""
        one, other = self.input, self.output
        if (one.scale, one.zero_point) != (other.scale, other.zero_point):
            raise self.refusal(
                f"{one.label} and {other.label} differ in scale or zero point; {why}"
            )
