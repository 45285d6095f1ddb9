// A fully connected int8 layer with AVX2: the bytes of fully_connected_int8 (kernels.h), which
// calls it where simd_path() says so.
#pragma once

#include "frozen/kernels.h"
#include "frozen/simd_x86.h"

namespace tinyol {
namespace frozen {

#if TINYOL_X86_SIMD
// Needs a processor with AVX2. Arguments as fully_connected_int8's; no alignment is asked for.
void fully_connected_int8_avx2(const FullyConnectedInt8& layer, const int8_t* input,
                               int8_t* output);
#endif

}  // namespace frozen
}  // namespace tinyol
