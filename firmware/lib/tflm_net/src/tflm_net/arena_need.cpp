#include "tflm_net/arena_need.h"

namespace tinyol {
namespace {

// Bytes on a 32-bit CPU. Each is what TFLM's own types take there (the fork for Arduino of 2023),
// alignment included, and something over: 1.3 to 1.8 times the least with which TFLM allocated the
// models of tests/test_tflm_net.py.
constexpr uint32_t kFixedBytes = 640;     // allocators, interpreter, the four tensors' descriptions
constexpr uint32_t kTensorBytes = 12;     // a TfLiteEvalTensor
constexpr uint32_t kOperatorBytes = 144;  // node and registration, options, a kernel's own data
constexpr uint32_t kPlanTensorBytes = 24;  // while the tensors are given their places: a lifetime,
constexpr uint32_t kPlanBufferBytes = 40;  // and for what is computed a record of the planner

uint32_t larger(uint32_t a, uint32_t b) {
  return a > b ? a : b;
}

}  // namespace

uint32_t tflm_arena_need(const TfliteCounts& counts) {
  const uint32_t plan_bytes =
      kPlanTensorBytes * counts.n_tensors + kPlanBufferBytes * counts.n_computed;
  return kFixedBytes + kTensorBytes * counts.n_tensors + kOperatorBytes * counts.n_operators +
         counts.kernel_bytes + larger(plan_bytes, counts.computed_bytes);
}

}  // namespace tinyol
