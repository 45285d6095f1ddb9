#include "cost_watch.h"

#include "cost_inputs.h"
#include "cost_part.h"
#include "tinyol/anomaly_detector.h"
#include "tinyol/drift_monitor.h"
#include "tinyol/feature_ring.h"
#include "tinyol/unknown_events.h"

namespace tinyol {
namespace emulator {

void count_detector(const char* name, bool two_sided, uint32_t windows_before) {
  AnomalyDetector detector;
  detector.reset(NormalStats());
  const AnomalyRule how = {two_sided, 1.0f, 0.005f, kHorizon, true, 3, 5};
  CostPart update(name, windows_before, 0, 0);
  for (uint32_t i = 0; i < windows_before + CostPart::kCounted; ++i) {
    const float log_error = -3.0f + 0.2f * (noise() + noise());
    const float log_variance = -5.0f + 0.3f * (noise() + noise());
    update.run([&] { detector.update(0.05f, log_error, log_variance, how); });
  }
}

void count_drift() {
  constexpr uint32_t kBefore = 40;  // the reference is complete
  DriftMonitor drift;
  drift.reset();
  const DriftRule how = {5.0f, 0.1f, 20, 0.5f, 50.0f};
  CostPart update("drift monitor: update", kBefore, 0, 0);
  for (uint32_t i = 0; i < kBefore + CostPart::kCounted; ++i) {
    const float gravity[3] = {0.01f * noise(), 0.01f * noise(), 1.0f + 0.01f * noise()};
    const float z = noise();
    update.run([&] { drift.update(gravity, z, true, how); });
  }
}

void count_unknown(bool unknown, uint16_t features) {
  static FeatureRing ring;
  static UnknownEvents events;
  ring.reset(features, kMaxRing);
  events.reset(features);
  Lessons lessons(1, features);
  CostPart update(unknown ? "unknown events, during one: update" : "unknown events: update",
                  lessons.before(), 0, features);
  for (uint64_t at = 0; lessons.given() < lessons.before() + CostPart::kCounted; ++at) {
    float x[kMaxFeatures];
    lessons.next(x);
    ring.push(x, false);
    update.run([&] { events.update(unknown, unknown ? 2.0f : 0.5f, at, 5, ring); });
  }
}

}  // namespace emulator
}  // namespace tinyol
