#include "tinyol/fp_contract.h"

#include "tinyol/settings.h"

#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kMaxRate = 100.0f;
constexpr float kMaxSteps = 16777216.0f;  // 2^24: whole numbers are exact in float32 up to here

constexpr SettingInfo kTable[kSettingCount] = {
    {1, "classifier.learning_rate", 0.05f, 0.0f, kMaxRate, false},
    {2, "classifier.schedule", 0.0f, 0.0f, 2.0f, true},
    {3, "classifier.schedule_steps", 1000.0f, 1.0f, kMaxSteps, true},
    {4, "classifier.l2", 0.0f, 0.0f, 1.0f, false},
    {5, "classifier.clip_norm", 0.0f, 0.0f, 1e6f, false},
    {6, "classifier.weight_limit", 1000.0f, 1e-3f, 1e6f, false},
    {7, "classifier.learn", 1.0f, 0.0f, 1.0f, true},
    {8, "classifier.head", 1.0f, 0.0f, 1.0f, true},
    {9, "classifier.bias", 1.0f, 0.0f, 1.0f, true},
    {10, "classifier.balanced", 1.0f, 0.0f, 1.0f, true},
    {11, "classifier.rehearsal", 4.0f, 0.0f, 16.0f, true},
    {12, "gaussian.horizon", 4096.0f, 16.0f, 65536.0f, true},
    {13, "gaussian.prior_count", 2.0f, 1.0f, 1000.0f, false},
    {16, "reconstruction.learning_rate", 0.01f, 0.0f, kMaxRate, false},
    {17, "reconstruction.schedule", 0.0f, 0.0f, 2.0f, true},
    {18, "reconstruction.schedule_steps", 1000.0f, 1.0f, kMaxSteps, true},
    {19, "reconstruction.l2", 0.0f, 0.0f, 1.0f, false},
    {20, "reconstruction.clip_norm", 0.0f, 0.0f, 1e6f, false},
    {21, "reconstruction.weight_limit", 1000.0f, 1e-3f, 1e6f, false},
    {22, "reconstruction.loss", 0.0f, 0.0f, 3.0f, true},
    {23, "reconstruction.rule", 0.0f, 0.0f, 2.0f, true},
    {24, "reconstruction.nlms_rate", 0.1f, 0.0f, 2.0f, false},
    {25, "reconstruction.forgetting", 0.999f, 0.9f, 1.0f, false},
    {26, "reconstruction.rehearsal", 0.0f, 0.0f, 4.0f, true},
    {32, "statistics.horizon", 16384.0f, 16.0f, 65536.0f, true},
    {33, "statistics.learn", 1.0f, 0.0f, 1.0f, true},
    {48, "anomaly.threshold", 1e6f, 0.0f, 1e6f, false},
    {49, "anomaly.detector", 1.0f, 0.0f, 1.0f, true},
    {50, "anomaly.false_rate", 0.005f, 1e-4f, 0.2f, false},
    {51, "anomaly.horizon", 4096.0f, 64.0f, 65536.0f, true},
    {52, "anomaly.learn", 1.0f, 0.0f, 1.0f, true},
    {53, "anomaly.raise_windows", 3.0f, 1.0f, 1000.0f, true},
    {54, "anomaly.clear_windows", 5.0f, 1.0f, 1000.0f, true},
    {64, "unknown.false_rate", 0.05f, 1e-3f, 0.5f, false},
    {65, "unknown.windows", 5.0f, 1.0f, 1000.0f, true},
    {80, "drift.tilt_deg", 5.0f, 0.5f, 60.0f, false},
    {81, "drift.level_g", 0.1f, 0.01f, 10.0f, false},
    {82, "drift.windows", 20.0f, 1.0f, 1000.0f, true},
    {83, "drift.delta", 0.5f, 0.0f, 5.0f, false},
    {84, "drift.lambda", 50.0f, 0.0f, 10000.0f, false},
    {85, "drift.policy", 0.0f, 0.0f, 1.0f, true},
    {86, "drift.fine_tune_steps", 0.0f, 0.0f, 65535.0f, true},
    {87, "drift.calibrate_windows", 200.0f, 30.0f, 65535.0f, true},
};

}  // namespace

const SettingInfo& setting_info(int index) {
  return kTable[index];
}

int find_setting(uint16_t id) {
  for (int i = 0; i < kSettingCount; ++i) {
    if (kTable[i].id == id) return i;
  }
  return -1;
}

uint32_t Settings::whole(Setting s) const {
  return static_cast<uint32_t>((*this)[s]);  // every range ends at 2^24 at most
}

void Settings::reset() {
  for (int i = 0; i < kSettingCount; ++i) value[i] = kTable[i].initial;
}

Status Settings::set(int index, float to, Refusal* refusal) {
  if (index < 0 || index >= kSettingCount) return refuse(refusal, Status::kNotFound, "setting");
  const SettingInfo& info = kTable[index];
  if (!is_finite_f32(to)) return refuse(refusal, Status::kNotFinite, info.name);
  const bool whole = static_cast<float>(static_cast<int32_t>(
                         to >= info.minimum && to <= info.maximum ? to : 0.0f)) == to;
  if (!(to >= info.minimum && to <= info.maximum) || (info.integral && !whole)) {
    return refuse(refusal, Status::kBadValue, info.name);
  }
  value[index] = to;
  return Status::kOk;
}

void Settings::write(ByteWriter* out) const {
  out->u16(kSettingCount);
  out->u16(0);
  for (int i = 0; i < kSettingCount; ++i) {
    out->u16(kTable[i].id);
    out->u16(0);
    out->f32(value[i]);
  }
}

Status Settings::read(ByteReader* in, Which which, Settings* into, Refusal* refusal) {
  const uint16_t n = in->u16();
  if (in->u16() != 0) return refuse(refusal, Status::kMalformed, "SETT");
  if (which == Which::kAll && n != kSettingCount) {
    return refuse(refusal, Status::kMalformed, "SETT count", kSettingCount, n);
  }
  Settings checked;
  if (into != nullptr) checked = *into;
  for (uint16_t i = 0; i < n && in->ok(); ++i) {
    const uint16_t id = in->u16();
    const uint16_t reserved = in->u16();
    const float to = in->f32();
    if (!in->ok()) break;
    const int index = find_setting(id);
    if (index < 0) return refuse(refusal, Status::kUnknownSection, "SETT id", 0, id);
    if (reserved != 0 || (which == Which::kAll && index != i)) {
      return refuse(refusal, Status::kMalformed, "SETT order", i, id);
    }
    const Status status = checked.set(index, to, refusal);
    if (status != Status::kOk) return status;
  }
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "SETT");
  if (into != nullptr) *into = checked;
  return Status::kOk;
}

}  // namespace tinyol
