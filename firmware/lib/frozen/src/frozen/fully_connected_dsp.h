// An int8 layer on an Arm core with the DSP instructions (Cortex-M4, M7, M33): the bits of the
// plain kernel at about 1.05 instructions a multiply-accumulate.
#pragma once

#include <stdint.h>

// TINYOL_PLAIN_KERNELS: the portable kernels there too, to compare.
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && !defined(TINYOL_PLAIN_KERNELS)
#define TINYOL_DSP_KERNELS 1
#else
#define TINYOL_DSP_KERNELS 0
#endif

namespace tinyol {
namespace frozen {

struct FullyConnectedInt8;

#if TINYOL_DSP_KERNELS
// As fully_connected_int8() of kernels.h.
void fully_connected_int8_dsp(const FullyConnectedInt8& layer, const int8_t* input, int8_t* output);
#endif

}  // namespace frozen
}  // namespace tinyol
