#include "tinyol/fp_contract.h"

#include "tinyol/rehearsal_buffer.h"

#include <string.h>

#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr int8_t kMostSteps = 127;
constexpr float kLargestOffset = 1e12f;  // of a feature

// 2^exponent, exact.
float power_of_two(int exponent) {
  return float_from_bits(static_cast<uint32_t>(exponent + 127) << 23);
}

// Half of it, to the nearest even: what is kept neither drifts to the offset nor away from it.
int8_t halved(int8_t q) {
  return static_cast<int8_t>(q / 2 + (q % 4) / 3);
}

uint32_t padding(uint32_t length) {
  return (4u - length % 4u) % 4u;
}

}  // namespace

void RehearsalBuffer::reset(uint16_t features, uint16_t limit) {
  n_features = features;
  rows.reset(limit);
  memset(values, 0, sizeof(values));
  forget_scale();
}

void RehearsalBuffer::forget_scale() {
  for (uint16_t j = 0; j < kMaxFeatures; ++j) {
    offset[j] = 0.0f;
    exponent[j] = j < n_features ? kFinestStep : 0;
  }
}

void RehearsalBuffer::coarsen(uint16_t feature) {
  ++exponent[feature];
  for (uint16_t row = 0; row < rows.size; ++row) {
    int8_t* q = &values[row * n_features + feature];
    *q = halved(*q);
  }
}

void RehearsalBuffer::add(const float* features, uint16_t of_class) {
  const bool first = rows.size == 0;
  const int row = rows.place(of_class);
  if (row == BalancedReservoir::kNotKept) return;
  if (first) memcpy(offset, features, n_features * sizeof(float));
  for (uint16_t j = 0; j < n_features; ++j) {
    float steps = (features[j] - offset[j]) * power_of_two(-exponent[j]);
    while (!(steps < kMostSteps + 0.5f && steps > -kMostSteps - 0.5f) &&
           exponent[j] < kCoarsestStep) {
      coarsen(j);
      steps *= 0.5f;
    }
    steps += steps >= 0.0f ? 0.5f : -0.5f;
    if (!(steps <= kMostSteps)) steps = kMostSteps;
    if (steps < -kMostSteps) steps = -kMostSteps;
    values[row * n_features + j] = static_cast<int8_t>(static_cast<int>(steps));
  }
}

void RehearsalBuffer::restart_class(uint16_t index) {
  rows.drop_group(index, values, n_features);
  if (rows.size == 0) forget_scale();
}

void RehearsalBuffer::remove_class(uint16_t index) {
  restart_class(index);
  rows.renumber_behind(index);
}

int RehearsalBuffer::draw(float* features) {
  const int row = rows.draw();
  if (row == BalancedReservoir::kNotKept) return -1;
  for (uint16_t j = 0; j < n_features; ++j) {
    const float steps = static_cast<float>(values[row * n_features + j]);
    features[j] = offset[j] + steps * power_of_two(exponent[j]);
  }
  return rows.group[row];
}

void RehearsalBuffer::write(ByteWriter* out, uint16_t n_classes) const {
  const uint32_t before = out->length();
  out->u16(n_features);
  out->u16(rows.size);
  out->u32(rows.random);
  out->u16(n_classes);
  out->u16(0);
  for (uint16_t k = 0; k < n_classes; ++k) out->u32(rows.seen[k]);
  out->f32s(offset, n_features);
  out->bytes(exponent, n_features);
  out->bytes(rows.group, rows.size);
  out->bytes(values, static_cast<uint32_t>(rows.size) * n_features);
  for (uint32_t n = padding(out->length() - before); n > 0; --n) out->u8(0);
}

Status RehearsalBuffer::read(ByteReader* in, uint16_t n_features, uint16_t n_classes,
                             uint16_t limit, RehearsalBuffer* into, Refusal* refusal) {
  const uint32_t before = in->position();
  const uint16_t features = in->u16();
  const uint16_t size = in->u16();
  const uint32_t random = in->u32();
  const uint16_t classes = in->u16();
  const uint16_t reserved = in->u16();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "REHE");
  if (features != n_features) {
    return refuse(refusal, Status::kMalformed, "REHE", n_features, features);
  }
  if (classes != n_classes) return refuse(refusal, Status::kMalformed, "REHE", n_classes, classes);
  if (size > limit) return refuse(refusal, Status::kMalformed, "REHE rows", limit, size);
  if (random == 0 || reserved != 0) return refuse(refusal, Status::kMalformed, "REHE");

  uint32_t seen[kMaxClasses];
  for (uint16_t k = 0; k < n_classes; ++k) seen[k] = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "REHE");
  const ByteReader offsets = *in;
  for (uint16_t j = 0; j < n_features; ++j) {
    const float value = in->bounded_f32(size > 0 ? kLargestOffset : 0.0f);
    if (!in->ok()) return refuse(refusal, Status::kNotFinite, "REHE offset");
    static_cast<void>(value);
  }
  const uint8_t* exponents = in->bytes(n_features);
  const uint8_t* groups = in->bytes(size);
  const uint32_t n_values = static_cast<uint32_t>(size) * n_features;
  const uint8_t* steps = in->bytes(n_values);
  const uint32_t n_padding = padding(in->position() - before);
  const uint8_t* zeros = in->bytes(n_padding);
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "REHE");
  for (uint32_t i = 0; i < n_padding; ++i) {
    if (zeros[i] != 0) return refuse(refusal, Status::kMalformed, "REHE");
  }
  for (uint16_t j = 0; j < n_features; ++j) {
    const int8_t exponent = static_cast<int8_t>(exponents[j]);
    if (exponent < kFinestStep || exponent > kCoarsestStep ||
        (size == 0 && exponent != kFinestStep)) {
      return refuse(refusal, Status::kMalformed, "REHE exponent");
    }
  }
  for (uint32_t i = 0; i < n_values; ++i) {
    if (static_cast<int8_t>(steps[i]) < -kMostSteps) {
      return refuse(refusal, Status::kMalformed, "REHE value");
    }
  }
  uint16_t kept[kMaxClasses] = {};
  for (uint16_t row = 0; row < size; ++row) {
    if (groups[row] >= n_classes || ++kept[groups[row]] > seen[groups[row]]) {
      return refuse(refusal, Status::kMalformed, "REHE class", n_classes, groups[row]);
    }
  }
  if (into == nullptr) return Status::kOk;

  into->reset(n_features, limit);
  into->rows.size = size;
  into->rows.random = random;
  memcpy(into->rows.seen, seen, n_classes * sizeof(uint32_t));
  ByteReader again = offsets;
  for (uint16_t j = 0; j < n_features; ++j) into->offset[j] = again.f32();
  memcpy(into->exponent, exponents, n_features);
  memcpy(into->rows.group, groups, size);
  into->rows.count_rows();
  memcpy(into->values, steps, n_values);
  return Status::kOk;
}

}  // namespace tinyol
