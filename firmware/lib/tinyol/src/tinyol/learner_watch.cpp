// What a window says of the machine and of the sensor: unknown, anomalous, moved, changed.
#include "tinyol/fp_contract.h"

#include "tinyol/learner.h"

namespace tinyol {
namespace {

uint16_t few(const Settings& s, Setting which) {
  return static_cast<uint16_t>(s[which]);  // its range ends below 2^16
}

AnomalyRule anomaly_rule(const Settings& s) {
  return {s[Setting::kAnomalyDetector] != 0.0f, s[Setting::kAnomalyThreshold],
          s[Setting::kAnomalyFalseRate],        s.whole(Setting::kAnomalyHorizon),
          s[Setting::kAnomalyLearn] != 0.0f,    few(s, Setting::kAnomalyRaiseWindows),
          few(s, Setting::kAnomalyClearWindows)};
}

constexpr float kSilent = -25.0f;  // ln g^2, of a few ug: below the noise of any such sensor

DriftRule drift_rule(const Settings& s) {
  return {s[Setting::kDriftTiltDeg], s[Setting::kDriftLevelG], few(s, Setting::kDriftWindows),
          s[Setting::kDriftDelta], s[Setting::kDriftLambda]};
}

}  // namespace

void Learner::watch(const Window& window, WindowResult* result) {
  const uint64_t now = state.counters.samples - 1;  // the window's last sample
  const UnknownResult unknown = state.unknown.update(
      result->unknown, result->novelty, now, few(state.settings, Setting::kUnknownWindows), ring_);
  if (unknown.began) result->notices |= kNoticeUnknownBegan;
  if (unknown.ended) result->notices |= kNoticeUnknownEnded;

  const float log_error = log_of_error(result->tuned_error);
  // A sensor that fell silent is no new normal.
  if (window.log_variance < kSilent) calibrate(0, 0);
  if (calibration_.windows_left > 0) {
    calibrate_on(log_error, window.log_variance, result);
    return;
  }
  AnomalyDetector& detector = state.detector;
  const NormalStats normal = detector.normal;  // as it was before this window
  AnomalyRule rule = anomaly_rule(state.settings);
  rule.learn &= !state.drift.changed;  // a fault that comes slowly must not become normal either
  const AnomalyResult anomaly =
      detector.update(result->tuned_error, log_error, window.log_variance, rule);
  result->score = anomaly.score;
  result->anomaly = anomaly.anomaly;
  result->alarm = anomaly.alarm;
  if (anomaly.began) result->notices |= kNoticeAlarmBegan;
  if (anomaly.ended) result->notices |= kNoticeAlarmEnded;

  // What came at once is the alarm's to tell; no policy takes it for the new normal.
  const bool judged = normal.count >= AnomalyDetector::kSettling && !anomaly.alarm;
  const DriftResult drift = state.drift.update(window.mean, normal.standard_log_error(log_error),
                                               judged, drift_rule(state.settings));
  if (drift.moved_began) result->notices |= kNoticeMovedBegan;
  if (drift.moved_ended) result->notices |= kNoticeMovedEnded;
  if (drift.changed_began) result->notices |= kNoticeChanged;
  // A change under a standing alarm is a fault, which must not become normal.
  if (drift.moved_began || (drift.changed_began && !result->alarm)) act_on_drift();
}

void Learner::act_on_drift() {
  const Settings& settings = state.settings;
  if (settings[Setting::kDriftPolicy] == 0.0f || fine_tune_left_ == kUntilStopped) return;
  const uint32_t steps = settings.whole(Setting::kDriftFineTuneSteps);
  // Fine-tuning that a person began goes on.
  calibrate(steps > fine_tune_left_ ? steps : fine_tune_left_,
            settings.whole(Setting::kDriftCalibrateWindows));
}

void Learner::calibrate(uint32_t fine_tune_steps, uint32_t windows) {
  const bool ends = windows == 0 && calibration_.windows_left > 0;
  calibration_ = Calibration();
  calibration_.windows_left = windows;
  if (windows > 0 || ends) fine_tune_left_ = windows > 0 ? fine_tune_steps : 0;
}

void Learner::calibrate_on(float log_error, float log_variance, WindowResult* result) {
  if (state.detector.end_alarm()) result->notices |= kNoticeAlarmEnded;
  if (result->fine_tuned || fine_tune_left_ > 0) return;
  calibration_.fresh.update(log_error, log_variance,
                            state.settings.whole(Setting::kAnomalyHorizon));
  if (--calibration_.windows_left > 0) return;
  state.detector.take_over(calibration_.fresh);
  state.drift.restart_reference();
  state.drift.acknowledge();
  result->notices |= kNoticeCalibrated;
}

}  // namespace tinyol
