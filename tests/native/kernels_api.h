// The host's int8 layer, on the path that is named, for tests/test_simd_paths.py.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
/* Of the process's kernels; set: 0 where the processor has no such path. */
int tinyol_test_simd_path(void);
int tinyol_test_set_simd_path(int path);

/* factors: n_factors pairs of multiplier and shift; input: n_in values padded to words. */
void tinyol_test_fully_connected(const int8_t* weights, const int32_t* bias, const int32_t* factors,
                                 uint32_t n_factors, uint32_t n_in, uint32_t n_out,
                                 int32_t zero_point, int32_t least, int32_t greatest,
                                 const int8_t* input, int8_t* output);
// cdef end

#ifdef __cplusplus
}
#endif
