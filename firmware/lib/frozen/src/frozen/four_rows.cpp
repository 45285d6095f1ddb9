#include "frozen/four_rows.h"

namespace tinyol {
namespace frozen {

void dot_four_rows_int8(const int8_t* weights, const int8_t* input, uint32_t n_words,
                        int32_t sums[4]) {
  // Even rows are stored + 128: that part is taken off at the end. |255 * 128 * 65536| < 2^31.
  int32_t s0 = 0;
  int32_t s1 = 0;
  int32_t s2 = 0;
  int32_t s3 = 0;
  int32_t sum_of_input = 0;
  const uint8_t* even = reinterpret_cast<const uint8_t*>(weights);
  const int8_t* odd = weights + 1;
  for (; n_words > 0; --n_words, even += 16, odd += 16, input += 4) {
    const int32_t x0 = input[0];
    const int32_t x1 = input[1];
    const int32_t x2 = input[2];
    const int32_t x3 = input[3];
    sum_of_input += x0 + x1 + x2 + x3;
    s0 += even[0] * x0 + even[2] * x2 + even[4] * x1 + even[6] * x3;
    s1 += odd[0] * x0 + odd[2] * x2 + odd[4] * x1 + odd[6] * x3;
    s2 += even[8] * x0 + even[10] * x2 + even[12] * x1 + even[14] * x3;
    s3 += odd[8] * x0 + odd[10] * x2 + odd[12] * x1 + odd[14] * x3;
  }
  sums[0] = s0 - 128 * sum_of_input;
  sums[1] = s1;
  sums[2] = s2 - 128 * sum_of_input;
  sums[3] = s3;
}

}  // namespace frozen
}  // namespace tinyol
