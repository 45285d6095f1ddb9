#include "tinyol/layer_section.h"

namespace tinyol {
namespace {

bool read_floats(ByteReader* in, uint32_t n, float* into) {
  for (uint32_t i = 0; i < n; ++i) {
    const float value = in->bounded_f32(kMaxWeight);
    if (!in->ok()) return false;
    if (into != nullptr) into[i] = value;
  }
  return true;
}

}  // namespace

void write_layer(ByteWriter* out, uint16_t n_in, uint16_t n_out, const StepCounts& steps,
                 uint32_t clamped, const float* weights, const float* bias) {
  out->u16(n_in);
  out->u16(n_out);
  out->u8(bias != nullptr ? 1 : 0);
  for (int i = 0; i < 3; ++i) out->u8(0);
  out->u32(steps.applied);
  out->u32(steps.not_finite);
  out->u32(steps.over_limit);
  out->u32(clamped);
  out->f32s(weights, static_cast<uint32_t>(n_in) * n_out);
  if (bias != nullptr) out->f32s(bias, n_out);
}

Status read_layer(ByteReader* in, const char* tag, uint16_t n_in, uint16_t n_out, bool has_bias,
                  const LayerTarget& target, Refusal* refusal) {
  const uint16_t in_found = in->u16();
  const uint16_t out_found = in->u16();
  const uint8_t bias_found = in->u8();
  const uint32_t reserved = in->u8() | (in->u8() << 8) | (in->u8() << 16);
  StepCounts steps;
  steps.applied = in->u32();
  steps.not_finite = in->u32();
  steps.over_limit = in->u32();
  const uint32_t clamped = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, tag);
  if (in_found != n_in) return refuse(refusal, Status::kMalformed, tag, n_in, in_found);
  if (out_found != n_out) return refuse(refusal, Status::kMalformed, tag, n_out, out_found);
  if (bias_found != (has_bias ? 1 : 0) || reserved != 0) {
    return refuse(refusal, Status::kMalformed, tag);
  }
  const uint32_t n_weights = static_cast<uint32_t>(n_in) * n_out;
  const uint32_t n_bias = has_bias ? n_out : 0;
  if (in->remaining() / sizeof(float) < n_weights + n_bias) {
    return refuse(refusal, Status::kTruncated, tag, n_weights + n_bias,
                  in->remaining() / sizeof(float));
  }
  if (!read_floats(in, n_weights, target.weights) || !read_floats(in, n_bias, target.bias)) {
    return refuse(refusal, Status::kNotFinite, tag);
  }
  if (target.steps != nullptr) *target.steps = steps;
  if (target.clamped != nullptr) *target.clamped = clamped;
  return Status::kOk;
}

}  // namespace tinyol
