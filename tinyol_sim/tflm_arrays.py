"""A bundle's .tflite model as C++ for TFLM's interpreter: the file, its operators, its arena.

Both files are empty to a compiler unless the build has chosen TFLM (TINYOL_FROZEN_TFLM, from the
board's frozen_choice.h): TFLM's headers need not be there otherwise.
"""

from __future__ import annotations

from .bundle import Bundle
from .errors import ModelError
from .frozen_net.tflite_model import TfliteModel, check_for_arduino_tflm, read_tflite
from .tflm_arena import tflm_arena_bytes

HEADER_FILE, SOURCE_FILE = "model_tflite.h", "model_tflite.cpp"

# How TFLM's MicroMutableOpResolver adds an operator.
_ADDING = {
    "FULLY_CONNECTED": "AddFullyConnected",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "LOGISTIC": "AddLogistic",
    "TANH": "AddTanh",
    "QUANTIZE": "AddQuantize",
    "DEQUANTIZE": "AddDequantize",
    "RESHAPE": "AddReshape",
}
# Whose float32 results are TFLM's own: another order of summation, another exp.
_OWN_BITS_IN_FLOAT32 = ("FULLY_CONNECTED", "LOGISTIC", "TANH")


def tflm_files(bundle: Bundle, initialiser: str) -> dict[str, str]:
    """Both files' texts. `initialiser`: the .tflite file's bytes as lines of a C++ array."""
    model = read_tflite(bundle.tflite)
    refusal = _refusal(model)
    if refusal is not None:
        kernels = "build with -D TINYOL_FROZEN=kernels"
        stop = f'\n#error "TFLM is not for this model: {_as_c_text(refusal)}; {kernels}"\n'
        return {
            HEADER_FILE: _framed(bundle, "#pragma once\n\n", stop),
            SOURCE_FILE: _framed(bundle, "", f'\n#include "{HEADER_FILE}"\n'),
        }
    return {
        HEADER_FILE: _framed(bundle, "#pragma once\n\n", _header(bundle, model)),
        SOURCE_FILE: _framed(bundle, "", _source(model, initialiser)),
    }


def _refusal(model: TfliteModel) -> str | None:
    """Why TFLM would not give the results that the bundle's golden vectors expect."""
    try:
        check_for_arduino_tflm(model)
    except ModelError as error:
        return str(error)
    for operator in model.operators:
        kind = model.tensors[operator.outputs[0]].type
        if kind == "FLOAT32" and operator.kind in _OWN_BITS_IN_FLOAT32:
            return (
                f"{operator.label} computes in float32, whose bits are the same everywhere only"
                " with TinyOL's own kernels"
            )
    return None


def _framed(bundle: Bundle, first: str, content: str) -> str:
    return (
        f"// Written by `tinyol model export`: model {bundle.model_id}, for TFLM.\n{first}"
        f'#include "frozen_choice.h"\n\n#if TINYOL_FROZEN_TFLM\n{content}\n'
        "#endif  // TINYOL_FROZEN_TFLM\n"
    )


def _header(bundle: Bundle, model: TfliteModel) -> str:
    return f"""
#include <stdint.h>

#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace tinyol {{

constexpr uint32_t kModelTfliteBytes = {len(bundle.tflite)};
constexpr uint32_t kTflmArenaBytes = {tflm_arena_bytes(model)};

extern const uint8_t kModelTflite[kModelTfliteBytes];  // its outputs are the taps, in Tap's order
extern uint8_t tflm_arena[kTflmArenaBytes];            // the interpreter's working memory

// The operators of this model, and no others.
tflite::MicroOpResolver* model_operators();

}}  // namespace tinyol
"""


def _source(model: TfliteModel, initialiser: str) -> str:
    kinds = sorted({operator.kind for operator in model.operators})
    adding = "".join(f"    resolver->{_ADDING[kind]}();\n" for kind in kinds)
    return f"""
#include "{HEADER_FILE}"

#include <new>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace tinyol {{

tflite::MicroOpResolver* model_operators() {{
  using Resolver = tflite::MicroMutableOpResolver<{len(kinds)}>;
  // Made in place and never destroyed: no destructor to run at an exit that does not come.
  alignas(Resolver) static uint8_t storage[sizeof(Resolver)];
  static Resolver* resolver = nullptr;
  if (resolver == nullptr) {{
    resolver = new (storage) Resolver;
{adding}  }}
  return resolver;
}}

alignas(16) const uint8_t kModelTflite[kModelTfliteBytes] = {{
{initialiser}}};

alignas(16) uint8_t tflm_arena[kTflmArenaBytes];

}}  // namespace tinyol
"""


def _as_c_text(text: str) -> str:
    """For between two quotation marks in a line of C."""
    plain = text.encode("ascii", "replace").decode()
    return plain.replace("\\", "/").replace('"', "'").replace("\n", " ")
