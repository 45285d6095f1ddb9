// What a person may turn while the device runs: one table of ids, names, ranges and start
// values, which the state image, the wire protocol and the host all read.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/status.h"

namespace tinyol {

// Order of the table below; the ids that go over the wire stand in the table and never change.
enum class Setting : uint8_t {
  kClassifierRate,
  kClassifierSchedule,
  kClassifierScheduleSteps,
  kClassifierL2,
  kClassifierClipNorm,
  kClassifierWeightLimit,
  kClassifierLearn,
  kClassifierHead,
  kClassifierBias,
  kClassifierBalanced,
  kClassifierRehearsal,
  kGaussianHorizon,
  kGaussianPriorCount,
  kReconstructionRate,
  kReconstructionSchedule,
  kReconstructionScheduleSteps,
  kReconstructionL2,
  kReconstructionClipNorm,
  kReconstructionWeightLimit,
  kReconstructionLoss,
  kReconstructionRule,
  kReconstructionNlmsRate,
  kReconstructionForgetting,
  kReconstructionRehearsal,
  kStatisticsHorizon,
  kStatisticsLearn,
  kAnomalyThreshold,
  kAnomalyDetector,
  kAnomalyFalseRate,
  kAnomalyHorizon,
  kAnomalyLearn,
  kAnomalyRaiseWindows,
  kAnomalyClearWindows,
  kUnknownFalseRate,
  kUnknownWindows,
  kDriftTiltDeg,
  kDriftLevelG,
  kDriftWindows,
  kDriftDelta,
  kDriftLambda,
  kDriftPolicy,
  kDriftFineTuneSteps,
  kDriftCalibrateWindows,
};
constexpr int kSettingCount = 43;

struct SettingInfo {
  uint16_t id;       // on the wire and in images
  const char* name;  // for people: "group.name"
  float initial;     // where neither bundle nor person says otherwise
  float minimum;
  float maximum;
  bool integral;  // whole numbers only
};

const SettingInfo& setting_info(int index);
int find_setting(uint16_t id);  // index, or -1

struct Settings {
  float value[kSettingCount];

  Settings() { reset(); }
  void reset();
  float operator[](Setting s) const { return value[static_cast<int>(s)]; }
  uint32_t whole(Setting s) const;  // of one that takes whole numbers only

  // kBadValue when not finite, out of range, or fractional where whole numbers are wanted.
  Status set(int index, float to, Refusal* refusal = nullptr);

  // Section payload: u16 count, u16 0, then (u16 id, u16 0, f32 value) each, in table order.
  void write(ByteWriter* out) const;
  // Validates; changes `into` only if it is not null. kSome: settings not named keep their value.
  // kAll: every one exactly once, in table order, as write() leaves them.
  enum class Which : uint8_t { kSome, kAll };
  static Status read(ByteReader* in, Which which, Settings* into, Refusal* refusal);
};

}  // namespace tinyol
