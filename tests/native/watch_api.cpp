#include "watch_api.h"

#include <string.h>

#include "tinyol/anomaly_detector.h"
#include "tinyol/drift_monitor.h"
#include "tinyol/recursive_least_squares.h"
#include "tinyol/unknown_events.h"
#include "tinyol/window_rehearsal.h"

using tinyol::AnomalyDetector;
using tinyol::AnomalyResult;
using tinyol::AnomalyRule;
using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::DriftMonitor;
using tinyol::DriftResult;
using tinyol::DriftRule;
using tinyol::LinearLayer;
using tinyol::NormalStats;
using tinyol::RecursiveLeastSquares;
using tinyol::Refusal;
using tinyol::Status;
using tinyol::StepCounts;
using tinyol::UnknownEvent;
using tinyol::UnknownEvents;
using tinyol::UnknownResult;
using tinyol::WindowRehearsal;

struct tinyol_watch {
  AnomalyDetector detector;
  DriftMonitor drift;
  UnknownEvents unknown;
  RecursiveLeastSquares rls;
  WindowRehearsal rehearsal;
  tinyol::FeatureRing ring;
};

namespace {

enum { kStart, kNorm, kDrif, kUnkn, kRlsp, kRehw };

NormalStats normal_of(const tinyol_watch_normal& from) {
  NormalStats to;
  to.count = from.count;
  memcpy(to.mean, from.mean, sizeof(to.mean));
  memcpy(to.covariance, from.covariance, sizeof(to.covariance));
  return to;
}

tinyol_watch_normal normal_to(const NormalStats& from) {
  tinyol_watch_normal to;
  to.count = from.count;
  memcpy(to.mean, from.mean, sizeof(to.mean));
  memcpy(to.covariance, from.covariance, sizeof(to.covariance));
  return to;
}

}  // namespace

extern "C" {

void tinyol_watch_normal_update(tinyol_watch_normal* normal, const float* rows, uint64_t n,
                                uint32_t horizon) {
  NormalStats stats = normal_of(*normal);
  for (uint64_t i = 0; i < n; ++i) stats.update(rows[2 * i], rows[2 * i + 1], horizon);
  *normal = normal_to(stats);
}

void tinyol_watch_squared_distances(const tinyol_watch_normal* normal, const float* rows,
                                    uint64_t n, float* distances) {
  const NormalStats stats = normal_of(*normal);
  for (uint64_t i = 0; i < n; ++i) {
    distances[i] = stats.squared_distance(rows[2 * i], rows[2 * i + 1]);
  }
}

float tinyol_watch_standard_log_error(const tinyol_watch_normal* normal, float log_error) {
  return normal_of(*normal).standard_log_error(log_error);
}

float tinyol_watch_hotelling_limit(uint32_t n, float false_rate) {
  return tinyol::hotelling_limit(n, false_rate);
}

tinyol_watch* tinyol_watch_new(uint32_t n_features, uint32_t ring) {
  tinyol_watch* watch = new tinyol_watch();
  watch->unknown.reset(static_cast<uint16_t>(n_features));
  watch->ring.reset(static_cast<uint16_t>(n_features), static_cast<uint16_t>(ring));
  return watch;
}

void tinyol_watch_free(tinyol_watch* watch) {
  delete watch;
}

uint32_t tinyol_watch_write(const tinyol_watch* watch, int section, uint8_t* out,
                            uint32_t capacity) {
  ByteWriter to(out, capacity);
  switch (section) {
    case kStart:
      watch->detector.normal.write(&to);
      break;
    case kNorm:
      watch->detector.write(&to);
      break;
    case kDrif:
      watch->drift.write(&to);
      break;
    case kUnkn:
      watch->unknown.write(&to);
      break;
    case kRlsp:
      watch->rls.write(&to);
      break;
    case kRehw:
      watch->rehearsal.write(&to);
      break;
  }
  return to.ok() ? to.length() : UINT32_MAX;
}

int tinyol_watch_read(tinyol_watch* watch, int section, const uint8_t* data, uint32_t length,
                      uint32_t size, uint32_t limit, uint32_t* used, char* where) {
  ByteReader in(data, length);
  Refusal refusal;
  NormalStats start;
  Status status = Status::kNotFound;
  const uint16_t n = static_cast<uint16_t>(size);
  switch (section) {
    case kStart:
      status = NormalStats::read(&in, watch ? &start : nullptr, &refusal);
      if (watch && status == Status::kOk) watch->detector.reset(start);
      break;
    case kNorm:
      status = AnomalyDetector::read(&in, watch ? &watch->detector : nullptr, &refusal);
      break;
    case kDrif:
      status = DriftMonitor::read(&in, watch ? &watch->drift : nullptr, &refusal);
      break;
    case kUnkn:
      status = UnknownEvents::read(&in, n, UINT64_MAX, watch ? &watch->unknown : nullptr, &refusal);
      break;
    case kRlsp:
      status = RecursiveLeastSquares::read(&in, n, watch ? &watch->rls : nullptr, &refusal);
      break;
    case kRehw:
      status = WindowRehearsal::read(&in, n, static_cast<uint16_t>(limit),
                                     watch ? &watch->rehearsal : nullptr, &refusal);
      break;
  }
  *used = in.position();
  memcpy(where, refusal.where, sizeof(refusal.where));
  return static_cast<int>(status);
}

void tinyol_watch_detector_reset(tinyol_watch* watch, const tinyol_watch_normal* start) {
  watch->detector.reset(normal_of(*start));
}

void tinyol_watch_detector_take_over(tinyol_watch* watch, const tinyol_watch_normal* fresh) {
  watch->detector.take_over(normal_of(*fresh));
}

void tinyol_watch_detector_restart_quantile(tinyol_watch* watch) {
  watch->detector.restart_quantile();
}

float tinyol_watch_detector_limit(const tinyol_watch* watch, float false_rate) {
  return watch->detector.limit(false_rate);
}

tinyol_watch_detector tinyol_watch_detector_state(const tinyol_watch* watch) {
  const AnomalyDetector& d = watch->detector;
  tinyol_watch_detector state = {};
  state.normal = normal_to(d.normal);
  state.distances = d.distances.count;
  state.over = d.over;
  state.under = d.under;
  state.alarm = d.alarm;
  state.alarms = d.alarms;
  return state;
}

void tinyol_watch_detector_run(tinyol_watch* watch, const float* rows, uint64_t n,
                               const tinyol_watch_rule* rule, tinyol_watch_verdict* verdicts) {
  const AnomalyRule r = {rule->two_sided != 0, rule->threshold, rule->false_rate, rule->horizon,
                         rule->learn != 0,     rule->raise,     rule->clear};
  for (uint64_t i = 0; i < n; ++i, rows += 3) {
    const AnomalyResult result = watch->detector.update(rows[0], rows[1], rows[2], r);
    verdicts[i] = {result.score, result.anomaly, result.alarm, result.began, result.ended};
  }
}

tinyol_watch_drift tinyol_watch_drift_state(const tinyol_watch* watch) {
  const DriftMonitor& d = watch->drift;
  tinyol_watch_drift state = {};
  state.reference_count = d.reference_count;
  memcpy(state.reference, d.reference, sizeof(d.reference));
  memcpy(state.recent, d.recent, sizeof(d.recent));
  state.recent_count = d.recent_count;
  state.moved = d.moved;
  state.up = d.up;
  state.down = d.down;
  state.changed = d.changed;
  return state;
}

float tinyol_watch_drift_tilt(const tinyol_watch* watch) {
  return watch->drift.tilt_deg();
}

void tinyol_watch_drift_restart(tinyol_watch* watch) {
  watch->drift.restart_reference();
}

void tinyol_watch_drift_acknowledge(tinyol_watch* watch) {
  watch->drift.acknowledge();
}

void tinyol_watch_drift_run(tinyol_watch* watch, const float* rows, uint64_t n, int judged,
                            const tinyol_watch_drift_rule* rule, uint8_t* notices, float* tilts,
                            float* sums) {
  const DriftRule r = {rule->tilt_deg, rule->level_g, rule->windows, rule->delta, rule->lambda_};
  for (uint64_t i = 0; i < n; ++i, rows += 4) {
    const DriftResult result = watch->drift.update(rows, rows[3], judged != 0, r);
    notices[i] = static_cast<uint8_t>((result.moved_began ? 1 : 0) | (result.moved_ended ? 2 : 0) |
                                      (result.changed_began ? 4 : 0));
    tilts[i] = watch->drift.tilt_deg();
    sums[2 * i] = watch->drift.up;
    sums[2 * i + 1] = watch->drift.down;
  }
}

void tinyol_watch_unknown_run(tinyol_watch* watch, const uint8_t* unknown, const float* novelty,
                              const uint64_t* samples, const float* vectors, uint64_t n,
                              uint16_t least, uint8_t* notices) {
  for (uint64_t i = 0; i < n; ++i) {
    watch->ring.push(vectors + i * watch->ring.n_features, false);
    const UnknownResult result =
        watch->unknown.update(unknown[i] != 0, novelty[i], samples[i], least, watch->ring);
    notices[i] = static_cast<uint8_t>((result.began ? 1 : 0) | (result.ended ? 2 : 0));
  }
}

int tinyol_watch_unknown_find(const tinyol_watch* watch, uint32_t number, tinyol_watch_event* event,
                              float* vectors) {
  const UnknownEvent* found = watch->unknown.find(number);
  if (found == nullptr) return 0;
  *event = {found->number,       found->first_sample, found->last_sample, found->windows,
            found->peak_novelty, found->named,        found->kept,        found->stride};
  memcpy(vectors, found->vectors, found->kept * watch->unknown.n_features * sizeof(float));
  return 1;
}

void tinyol_watch_unknown_named(tinyol_watch* watch, uint32_t number) {
  watch->unknown.mark_named(number);
}

void tinyol_watch_unknown_close(tinyol_watch* watch) {
  watch->unknown.close();
}

int tinyol_watch_rls_step(tinyol_watch* watch, float* weights, float* bias, uint32_t n_in,
                          uint32_t n_out, const float* input, const float* residual,
                          float forgetting, float weight_limit, uint32_t* counts) {
  StepCounts steps;
  steps.applied = counts[0];
  steps.not_finite = counts[1];
  steps.over_limit = counts[2];
  const LinearLayer layer = {weights, bias, static_cast<uint16_t>(n_in),
                             static_cast<uint16_t>(n_out)};
  const bool applied = watch->rls.step(layer, input, residual, forgetting, weight_limit, &steps);
  counts[0] = steps.applied;
  counts[1] = steps.not_finite;
  counts[2] = steps.over_limit;
  return applied;
}

uint32_t tinyol_watch_rls_state(const tinyol_watch* watch, uint32_t* restarts, float* p) {
  const uint32_t n = watch->rls.n;
  *restarts = watch->rls.restarts;
  memcpy(p, watch->rls.p, n * (n + 1) / 2 * sizeof(float));
  return n;
}

float tinyol_watch_nlms_rate(float rate, const float* input, uint32_t n_in, int bias) {
  float zero = 0.0f;
  const LinearLayer layer = {nullptr, bias != 0 ? &zero : nullptr, static_cast<uint16_t>(n_in), 1};
  return tinyol::nlms_rate(rate, layer, input);
}

void tinyol_watch_rehearsal_reset(tinyol_watch* watch, uint32_t inputs, uint32_t limit) {
  watch->rehearsal.reset(static_cast<uint16_t>(inputs), static_cast<uint16_t>(limit));
}

void tinyol_watch_rehearsal_add(tinyol_watch* watch, const int8_t* rows, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) watch->rehearsal.add(rows + i * watch->rehearsal.n_inputs);
}

uint32_t tinyol_watch_rehearsal_kept(const tinyol_watch* watch, int8_t* kept) {
  const WindowRehearsal& r = watch->rehearsal;
  memcpy(kept, r.values, static_cast<uint32_t>(r.size) * r.n_inputs);
  return r.size;
}

int tinyol_watch_rehearsal_draw(tinyol_watch* watch) {
  const WindowRehearsal& r = watch->rehearsal;
  const int8_t* row = watch->rehearsal.draw();
  return row == nullptr ? -1 : static_cast<int>((row - r.values) / r.n_inputs);
}

}  // extern "C"
