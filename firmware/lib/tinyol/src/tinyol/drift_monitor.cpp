#include "tinyol/fp_contract.h"

#include "tinyol/drift_monitor.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kLeastGravity = 0.25f;  // g; below it gravity was taken out: no direction is known
constexpr float kMostGravity = 2e4f;    // g; the mean of samples of at most 1e4
constexpr float kMostSum = 1e9f;        // more than steps of 5 can reach in float32
constexpr float kRelease = 0.7f;
constexpr float kMostZ = 5.0f;
constexpr float kDegrees = 57.2957795f;  // in a radian
constexpr float kRightAngle = 90.0f;

float length(const float v[3]) {
  return sqrt_f32(dot_f32(v, v, 3));
}

// Of the two directions, 0 .. 2; 0 where one is unknown.
float chord(const float a[3], const float b[3]) {
  const float length_a = length(a);
  const float length_b = length(b);
  if (!(length_a >= kLeastGravity && length_b >= kLeastGravity)) return 0.0f;
  float unit_a[3];
  float unit_b[3];
  for (int i = 0; i < 3; ++i) {
    unit_a[i] = a[i] / length_a;
    unit_b[i] = b[i] / length_b;
  }
  return sqrt_f32(squared_distance_f32(unit_a, unit_b, 3));
}

// 2 sin(degrees / 2), to x^7; the next term is below 1e-8 at 60 degrees.
float chord_of(float degrees) {
  const float x = degrees / (2.0f * kDegrees);
  const float z = x * x;
  float p = -1.0f / 5040.0f;
  p = p * z + 1.0f / 120.0f;
  p = p * z - 1.0f / 6.0f;
  return 2.0f * (x + x * (z * p));
}

// asin in degrees for y in 0 .. 0.5, by its series to y^13.
float small_asin(float y) {
  const float z = y * y;
  float p = 231.0f / 13312.0f;
  p = p * z + 63.0f / 2816.0f;
  p = p * z + 35.0f / 1152.0f;
  p = p * z + 5.0f / 112.0f;
  p = p * z + 3.0f / 40.0f;
  p = p * z + 1.0f / 6.0f;
  return (y + y * (z * p)) * kDegrees;
}

void average(float mean[3], const float x[3], float weight) {
  for (int i = 0; i < 3; ++i) mean[i] += (x[i] - mean[i]) * weight;
}

float not_negative(float x) {
  return x > 0.0f ? x : 0.0f;
}

void read_gravity(ByteReader* in, bool known, float into[3]) {
  for (int i = 0; i < 3; ++i) into[i] = in->bounded_f32(known ? kMostGravity : 0.0f);
}

bool same(const float a[3], const float b[3]) {
  return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

}  // namespace

void DriftMonitor::reset() {
  *this = DriftMonitor();
}

void DriftMonitor::restart_reference() {
  reference_count = 0;
  recent_count = 0;
  for (int i = 0; i < 3; ++i) {
    reference[i] = 0.0f;
    recent[i] = 0.0f;
  }
  moved = false;
}

void DriftMonitor::acknowledge() {
  up = 0.0f;
  down = 0.0f;
  changed = false;
}

DriftResult DriftMonitor::update(const float gravity[3], float z, bool judged,
                                 const DriftRule& rule) {
  DriftResult result;
  // While the reference is not complete, both averages are of the same windows.
  const bool building = recent_count == reference_count && reference_count < rule.windows;
  count_up(&recent_count);
  const uint32_t n = recent_count < rule.windows ? recent_count : rule.windows;
  average(recent, gravity, 1.0f / static_cast<float>(n));
  if (building) {
    reference_count = recent_count;
    for (int i = 0; i < 3; ++i) reference[i] = recent[i];
  } else {
    const float part = moved ? kRelease : 1.0f;
    const float turned = chord(reference, recent);
    const float differs = __builtin_fabsf(length(recent) - length(reference));
    const bool away = turned > chord_of(part * rule.tilt_deg) || differs > part * rule.level_g;
    result.moved_began = away && !moved;
    result.moved_ended = moved && !away;
    moved = away;
  }

  if (judged && rule.lambda > 0.0f) {
    const float cut = z > kMostZ ? kMostZ : z >= -kMostZ ? z : -kMostZ;
    up = not_negative(up + (cut - rule.delta));
    down = not_negative(down - (cut + rule.delta));
    if (!changed && (up > rule.lambda || down > rule.lambda)) {
      changed = true;
      result.changed_began = true;
    }
  }
  return result;
}

float DriftMonitor::tilt_deg() const {
  if (recent_count == reference_count) return 0.0f;
  float y = 0.5f * chord(reference, recent);
  if (y <= 0.5f) return 2.0f * small_asin(y);
  if (y > 1.0f) y = 1.0f;
  // asin y = 90 - 2 asin(sqrt((1 - y) / 2)) degrees.
  return 2.0f * (kRightAngle - 2.0f * small_asin(sqrt_f32(0.5f * (1.0f - y))));
}

void DriftMonitor::write(ByteWriter* out) const {
  out->u32(reference_count);
  out->f32s(reference, 3);
  out->f32s(recent, 3);
  out->u32(recent_count);
  out->f32(up);
  out->f32(down);
  out->u8(moved ? 1 : 0);
  out->u8(changed ? 1 : 0);
  out->u16(0);
}

Status DriftMonitor::read(ByteReader* in, DriftMonitor* into, Refusal* refusal) {
  constexpr uint32_t kBytes = 44;
  if (in->remaining() < kBytes) {
    return refuse(refusal, Status::kTruncated, "DRIF", kBytes, in->remaining());
  }
  DriftMonitor found;
  found.reference_count = in->u32();
  read_gravity(in, found.reference_count > 0, found.reference);
  read_gravity(in, found.reference_count > 0, found.recent);
  found.recent_count = in->u32();
  found.up = in->bounded_f32(kMostSum);
  found.down = in->bounded_f32(kMostSum);
  const uint8_t moved_found = in->u8();
  const uint8_t changed_found = in->u8();
  const uint16_t reserved = in->u16();
  if (!in->ok()) return refuse(refusal, Status::kNotFinite, "DRIF");
  if (moved_found > 1 || changed_found > 1 || reserved != 0) {
    return refuse(refusal, Status::kMalformed, "DRIF");
  }
  found.moved = moved_found == 1;
  found.changed = changed_found == 1;
  // A reference is of at most as many windows as DriftRule can ask for, and `recent` goes on.
  const bool building = found.recent_count == found.reference_count;
  if (found.reference_count > UINT16_MAX || found.recent_count < found.reference_count ||
      (found.reference_count == 0 && found.recent_count > 0) ||
      (building && (found.moved || !same(found.reference, found.recent)))) {
    return refuse(refusal, Status::kMalformed, "DRIF reference", found.reference_count,
                  found.recent_count);
  }
  if (!(found.up >= 0.0f && found.down >= 0.0f)) {
    return refuse(refusal, Status::kMalformed, "DRIF sums");
  }
  if (into != nullptr) *into = found;
  return Status::kOk;
}

}  // namespace tinyol
