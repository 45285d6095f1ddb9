// The C face of a frozen net for cffi: a net blob alone, without windows or learner, run over
// many rows in one call. Calls on one net must not overlap; different nets are free.
#pragma once

#include <stdint.h>

#include "twin_api.h"

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct tinyol_net tinyol_net;

typedef struct {
  uint32_t length; /* values in a row */
  int32_t type;    /* tinyol::TensorType: 0 int8, 1 float32 */
  float scale;     /* real = (value - zero_point) * scale */
  int32_t zero_point;
} tinyol_net_tensor;

/* Copies the blob; NULL, with the reason in refusal, when it is not one that runs or needs more
   than arena_bytes for its tensors. */
tinyol_net* tinyol_net_new(const uint8_t* blob, uint32_t length, uint32_t arena_bytes,
                           tinyol_refusal* refusal);
void tinyol_net_free(tinyol_net* net);

/* Bytes that the tensors take. */
uint32_t tinyol_net_arena_bytes(const tinyol_net* net);

/* which: 0 the input, 1 the embedding, 2 the hidden layer, 3 the reconstruction. */
tinyol_net_tensor tinyol_net_describe(tinyol_net* net, int which);

/* n rows in the tensors' own types, one behind the other; NULL skips a tap. 0, or a Status. */
int tinyol_net_run_batch(tinyol_net* net, const void* inputs, uint32_t n, void* embedding,
                         void* hidden, void* reconstruction);

/* Which instructions all nets of this process use: 0 plain C++, 1 AVX2 (frozen/simd_x86.h). */
int tinyol_simd_path(void);
/* Another from now on; 0 where the processor does not offer it. */
int tinyol_set_simd_path(int path);
// cdef end

#ifdef __cplusplus
}
#endif
