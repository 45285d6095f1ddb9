// What a twin tells of itself beyond its counters: watching, unknown events, classes.
#include <string.h>

#include "float_mode.h"
#include "twin.h"
#include "twin_api.h"

namespace {

using tinyol::FloatMode;
using tinyol::kUnknownEvents;
using tinyol::kUnknownVectors;

constexpr const char* kNotices[] = {"alarm_began", "alarm_ended", "unknown_began", "unknown_ended",
                                    "moved_began", "moved_ended", "changed",       "calibrated"};
constexpr int kNoticeCount = sizeof(kNotices) / sizeof(kNotices[0]);
static_assert(tinyol::kNoticeAlarmBegan == 1 << 0 && tinyol::kNoticeAlarmEnded == 1 << 1 &&
                  tinyol::kNoticeUnknownBegan == 1 << 2 && tinyol::kNoticeUnknownEnded == 1 << 3 &&
                  tinyol::kNoticeMovedBegan == 1 << 4 && tinyol::kNoticeMovedEnded == 1 << 5 &&
                  tinyol::kNoticeChanged == 1 << 6 && tinyol::kNoticeCalibrated == 1 << 7,
              "kNotices");

}  // namespace

extern "C" {

const char* tinyol_notice_name(int index) {
  return index >= 0 && index < kNoticeCount ? kNotices[index] : nullptr;
}

void tinyol_twin_watch(const tinyol_twin* twin, tinyol_watch* watch) {
  const FloatMode mode;
  const tinyol::LearnedState& state = twin->device.state();
  const tinyol::AnomalyDetector& detector = state.detector;
  watch->normal_windows = detector.normal.count;
  memcpy(watch->mean, detector.normal.mean, sizeof(watch->mean));
  memcpy(watch->covariance, detector.normal.covariance, sizeof(watch->covariance));
  watch->limit = detector.limit(state.settings[tinyol::Setting::kAnomalyFalseRate]);
  watch->score = twin->last.score;
  watch->alarms = detector.alarms;
  watch->alarm = detector.alarm;
  watch->unknown = twin->last.unknown;
  const tinyol::Learner& learner = twin->device.learner();
  watch->calibration_windows_left = learner.calibration().windows_left;
  watch->calibration_steps_left =
      watch->calibration_windows_left > 0 ? learner.fine_tune_left() : 0;
  const tinyol::DriftMonitor& drift = state.drift;
  watch->moved = drift.moved;
  watch->changed = drift.changed;
  memcpy(watch->gravity_reference, drift.reference, sizeof(watch->gravity_reference));
  memcpy(watch->gravity, drift.recent, sizeof(watch->gravity));
  watch->tilt_deg = drift.tilt_deg();
  watch->up = drift.up;
  watch->down = drift.down;
}

uint16_t tinyol_most_unknown(void) {
  return kUnknownEvents;
}

uint16_t tinyol_most_vectors(void) {
  return kUnknownVectors;
}

uint16_t tinyol_twin_unknown(const tinyol_twin* twin, tinyol_unknown_event* events,
                             float* vectors) {
  const tinyol::UnknownEvents& unknown = twin->device.state().unknown;
  const uint32_t width = unknown.n_features;
  uint16_t n = 0;
  for (uint32_t age = 0; age < kUnknownEvents && age < unknown.count; ++age) {
    const tinyol::UnknownEvent* event = unknown.find(unknown.count - age);
    if (event == nullptr) continue;
    tinyol_unknown_event& to = events[n];
    to.first_sample = event->first_sample;
    to.last_sample = event->last_sample;
    to.number = event->number;
    to.windows = event->windows;
    to.peak_novelty = event->peak_novelty;
    to.kept = event->kept;
    to.named = event->named;
    to.open = unknown.open && age == 0;
    memcpy(vectors + n * kUnknownVectors * width, event->vectors,
           sizeof(float) * event->kept * width);
    ++n;
  }
  return n;
}

void tinyol_twin_class_status(const tinyol_twin* twin, tinyol_class_status* status) {
  const FloatMode mode;
  const tinyol::GaussianHead& gaussian = twin->device.state().classifier.gaussian;
  for (uint16_t k = 0; k < gaussian.n_classes; ++k) {
    status[k].lessons = gaussian.lessons[k];
    status[k].weight = gaussian.weight[k];
    status[k].limit = gaussian.limit(k);
  }
}

}  // extern "C"
