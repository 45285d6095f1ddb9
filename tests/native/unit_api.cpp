#include "unit_api.h"

#include <string.h>

#include "tinyol/class_table.h"
#include "tinyol/crc32.h"
#include "tinyol/float_math.h"
#include "tinyol/metrics.h"
#include "tinyol/quantize.h"
#include "tinyol/reconstruction_head.h"
#include "tinyol/running_stats.h"
#include "tinyol/sgd.h"
#include "tinyol/softmax_head.h"
#include "tinyol/windower.h"

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

using tinyol::Metrics;
using tinyol::ReconstructionHead;
using tinyol::ReconstructionLoss;
using tinyol::RunningStats;
using tinyol::SgdRule;
using tinyol::SoftmaxHead;
using tinyol::StepCounts;

struct tinyol_unit_head {
  ReconstructionHead head;
};

struct tinyol_unit_metrics {
  Metrics metrics;
};

namespace {

SgdRule rule_of(const tinyol_unit_rule& r) {
  return {r.learning_rate,  static_cast<tinyol::Schedule>(r.schedule),
          r.schedule_steps, r.l2,
          r.clip_norm,      r.weight_limit};
}

StepCounts counts_of(const tinyol_unit_counts& from) {
  StepCounts counts;
  counts.applied = from.applied;
  counts.not_finite = from.not_finite;
  counts.over_limit = from.over_limit;
  return counts;
}

tinyol_unit_counts counts_to(const StepCounts& from) {
  return {from.applied, from.not_finite, from.over_limit};
}

void fill(SoftmaxHead* head, const float* weights, uint32_t k, uint32_t d) {
  head->n_features = static_cast<uint16_t>(d);
  head->n_classes = static_cast<uint16_t>(k);
  memcpy(head->weights, weights, k * d * sizeof(float));
}

}  // namespace

extern "C" {

void tinyol_unit_map(int function, const float* x, uint64_t n, float* y) {
  float (*const functions[])(float) = {tinyol::exp_f32, tinyol::log_f32, tinyol::sqrt_f32,
                                       tinyol::sigmoid_f32};
  for (uint64_t i = 0; i < n; ++i) y[i] = functions[function](x[i]);
}

float tinyol_unit_dot(const float* a, const float* b, uint32_t n) {
  return tinyol::dot_f32(a, b, n);
}

float tinyol_unit_squared_distance(const float* a, const float* b, uint32_t n) {
  return tinyol::squared_distance_f32(a, b, n);
}

float tinyol_unit_sum(const float* a, uint32_t n, uint32_t stride) {
  return tinyol::sum_f32(a, n, stride);
}

void tinyol_unit_statistics(const float* rows, uint64_t n, uint32_t d, uint32_t horizon,
                            uint32_t* count, float* mean, float* variance) {
  RunningStats stats;
  stats.reset(static_cast<uint16_t>(d));
  stats.count = *count;
  memcpy(stats.mean, mean, d * sizeof(float));
  memcpy(stats.variance, variance, d * sizeof(float));
  for (uint64_t i = 0; i < n; ++i) stats.update(rows + i * d, horizon);
  *count = stats.count;
  memcpy(mean, stats.mean, d * sizeof(float));
  memcpy(variance, stats.variance, d * sizeof(float));
}

void tinyol_unit_long_run(uint64_t n, uint32_t horizon, float offset, float spread, float* mean,
                          float* variance, double* exact_mean, double* exact_variance) {
  RunningStats stats;
  stats.reset(1);
  double m = 0.0;
  double v = 0.0;
  uint32_t state = 1;
  for (uint64_t i = 0; i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    const float x = offset + spread * (static_cast<float>(state >> 8) / 16777216.0f);
    stats.update(&x, horizon);
    const double weight = 1.0 / static_cast<double>(i + 1 < horizon ? i + 1 : horizon);
    const double before = x - m;
    m += before * weight;
    v += (before * (x - m) - v) * weight;
  }
  *mean = stats.mean[0];
  *variance = stats.variance[0];
  *exact_mean = m;
  *exact_variance = v;
}

void tinyol_unit_standardise(const float* mean, const float* variance, const float* features,
                             uint32_t d, float* scaled) {
  RunningStats stats;
  stats.reset(static_cast<uint16_t>(d));
  memcpy(stats.mean, mean, d * sizeof(float));
  memcpy(stats.variance, variance, d * sizeof(float));
  standardise(stats, features, scaled);
}

void tinyol_unit_running_mean(const float* x, uint64_t n, uint32_t horizon, uint32_t* count,
                              float* mean) {
  tinyol::RunningMean running;
  running.count = *count;
  running.mean = *mean;
  for (uint64_t i = 0; i < n; ++i) running.update(x[i], horizon);
  *count = running.count;
  *mean = running.mean;
}

float tinyol_unit_rate(const tinyol_unit_rule* rule, uint32_t t) {
  return learning_rate_at(rule_of(*rule), t);
}

int tinyol_unit_sgd_step(float* weights, float* bias, uint32_t n_in, uint32_t n_out,
                         const float* input, const float* delta, const tinyol_unit_rule* rule,
                         tinyol_unit_counts* counts) {
  const tinyol::LinearLayer layer = {weights, bias, static_cast<uint16_t>(n_in),
                                     static_cast<uint16_t>(n_out)};
  StepCounts steps = counts_of(*counts);
  const bool applied = sgd_step(layer, input, delta, rule_of(*rule), &steps);
  *counts = counts_to(steps);
  return applied;
}

int tinyol_unit_softmax_predict(const float* weights, uint32_t k, uint32_t d, const float* scaled,
                                float* probabilities) {
  SoftmaxHead head;
  fill(&head, weights, k, d);
  return head.predict(scaled, probabilities);
}

int tinyol_unit_softmax_learn(float* weights, uint32_t k, uint32_t d, const float* scaled,
                              uint32_t truth, const tinyol_unit_rule* rule,
                              tinyol_unit_counts* counts) {
  SoftmaxHead head;
  fill(&head, weights, k, d);
  head.steps = counts_of(*counts);
  float probabilities[tinyol::kMaxClasses];
  head.predict(scaled, probabilities);
  const bool applied = head.learn(scaled, probabilities, static_cast<uint16_t>(truth),
                                  {rule_of(*rule), false, false});
  memcpy(weights, head.weights, k * d * sizeof(float));
  *counts = counts_to(head.steps);
  return applied;
}

float tinyol_unit_cross_entropy(const float* probabilities, uint32_t truth) {
  return tinyol::cross_entropy(probabilities, static_cast<uint16_t>(truth));
}

tinyol_unit_head* tinyol_unit_head_new(const float* weights, const float* bias, uint32_t n_hidden,
                                       uint32_t n_outputs) {
  tinyol_unit_head* unit = new tinyol_unit_head();
  unit->head.reset(static_cast<uint16_t>(n_hidden), static_cast<uint16_t>(n_outputs),
                   bias != nullptr);
  memcpy(unit->head.weights, weights, n_hidden * n_outputs * sizeof(float));
  if (bias != nullptr) memcpy(unit->head.bias, bias, n_outputs * sizeof(float));
  return unit;
}

void tinyol_unit_head_free(tinyol_unit_head* head) {
  delete head;
}

void tinyol_unit_head_predict(const tinyol_unit_head* head, const float* hidden, int loss,
                              float* output) {
  head->head.predict(hidden, static_cast<ReconstructionLoss>(loss), output);
}

int tinyol_unit_head_learn(tinyol_unit_head* head, const float* hidden, const float* target,
                           int loss, const tinyol_unit_rule* rule) {
  float output[tinyol::kMaxInputs];
  head->head.predict(hidden, static_cast<ReconstructionLoss>(loss), output);
  return head->head.learn(hidden, target, static_cast<ReconstructionLoss>(loss), rule_of(*rule),
                          output);
}

void tinyol_unit_head_read(const tinyol_unit_head* head, float* weights, float* bias,
                           tinyol_unit_counts* counts, uint32_t* clamped) {
  const ReconstructionHead& h = head->head;
  memcpy(weights, h.weights, h.n_hidden * h.n_outputs * sizeof(float));
  memcpy(bias, h.bias, h.n_outputs * sizeof(float));
  *counts = counts_to(h.steps);
  *clamped = h.clamped_targets;
}

tinyol_unit_quantile tinyol_unit_p2(const float* x, uint64_t n, float probability, float* values) {
  tinyol::P2Quantile q;
  bool valid = q.valid();
  for (uint64_t i = 0; i < n; ++i) {
    q.update(x[i], probability);
    valid = valid && q.valid();
    if (values != nullptr) values[i] = q.value(probability);
  }
  tinyol_unit_quantile out;
  out.value = q.value(probability);
  out.count = q.count;
  memcpy(out.position, q.position, sizeof(out.position));
  memcpy(out.height, q.height, sizeof(out.height));
  out.valid = valid;
  return out;
}

tinyol_unit_metrics* tinyol_unit_metrics_new(uint32_t classes) {
  tinyol_unit_metrics* unit = new tinyol_unit_metrics();
  unit->metrics.reset(static_cast<uint16_t>(classes));
  return unit;
}

void tinyol_unit_metrics_free(tinyol_unit_metrics* metrics) {
  delete metrics;
}

void tinyol_unit_metrics_add_class(tinyol_unit_metrics* metrics) {
  metrics->metrics.add_class();
}

void tinyol_unit_metrics_remove_class(tinyol_unit_metrics* metrics, uint32_t index) {
  metrics->metrics.remove_class(static_cast<uint16_t>(index));
}

void tinyol_unit_metrics_predictions(tinyol_unit_metrics* metrics, const uint16_t* truths,
                                     const uint16_t* predicted, const float* losses, uint64_t n,
                                     uint32_t horizon) {
  for (uint64_t i = 0; i < n; ++i) {
    metrics->metrics.add_prediction(truths[i], predicted[i], losses[i], horizon);
  }
}

void tinyol_unit_metrics_read(const tinyol_unit_metrics* metrics, uint32_t* confusion, float* f1,
                              float* scores) {
  const Metrics& m = metrics->metrics;
  for (uint16_t row = 0; row < m.n_classes; ++row) {
    f1[row] = m.f1(row);
    for (uint16_t column = 0; column < m.n_classes; ++column) {
      confusion[row * m.n_classes + column] = m.confusion[row * tinyol::kMaxClasses + column];
    }
  }
  scores[0] = m.accuracy();
  scores[1] = m.macro_f1();
  scores[2] = m.loss.mean;
}

uint64_t tinyol_unit_windows(const tinyol_unit_pipeline* pipeline, const float* samples, uint64_t n,
                             const uint8_t* restarts, float* windows, float* log_variances,
                             float* axis_log_variances, float* means, uint64_t* last_samples,
                             uint64_t capacity) {
  tinyol::Pipeline p;
  p.features = tinyol::kFeatureAxisLogVariance;
  p.window_len = pipeline->window_len;
  p.hop = pipeline->hop;
  p.axes = static_cast<tinyol::Axes>(pipeline->axes);
  p.centring = static_cast<tinyol::Centring>(pipeline->centring);
  memcpy(p.projection, pipeline->projection, sizeof(p.projection));
  memcpy(p.centre, pipeline->centre, sizeof(p.centre));
  memcpy(p.scale, pipeline->scale, sizeof(p.scale));
  p.offset = pipeline->offset;
  tinyol::Windower windower;
  windower.begin(p);
  tinyol::Window window;
  uint64_t written = 0;
  for (uint64_t i = 0; i < n && written < capacity; ++i) {
    if (restarts[i]) windower.restart();
    if (!windower.push(samples + 3 * i)) continue;
    windower.take(&window);
    memcpy(windows + written * p.inputs(), window.input, p.inputs() * sizeof(float));
    log_variances[written] = window.log_variance;
    memcpy(axis_log_variances + 3 * written, window.axis_log_variance, 3 * sizeof(float));
    memcpy(means + 3 * written, window.mean, 3 * sizeof(float));
    last_samples[written] = i;
    ++written;
  }
  return written;
}

uint32_t tinyol_unit_crc32(const uint8_t* data, uint32_t length, uint32_t previous) {
  return tinyol::crc32(data, length, previous);
}

int tinyol_unit_check_class_name(const char* name, uint32_t length) {
  return static_cast<int>(tinyol::check_class_name(name, length));
}

void tinyol_unit_quantize(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q) {
  tinyol::quantize_int8(x, n, scale, zero_point, q);
}

void tinyol_unit_dequantize(const int8_t* q, uint32_t n, float scale, int32_t zero_point,
                            float* x) {
  tinyol::dequantize_int8(q, n, scale, zero_point, x);
}

int tinyol_unit_flush_denormals(int on) {
#if defined(__x86_64__) || defined(__i386__)
  constexpr unsigned int kFlush = 0x8040;  // FTZ and DAZ
  const unsigned int found = _mm_getcsr();
  _mm_setcsr(on ? found | kFlush : found & ~kFlush);
  return (found & kFlush) == kFlush;
#else
  (void)on;
  return -1;
#endif
}

}  // extern "C"
