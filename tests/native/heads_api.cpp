#include "heads_api.h"

#include <string.h>

#include "tinyol/classifier.h"
#include "tinyol/float_math.h"

using tinyol::BalancedReservoir;
using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::Classifier;
using tinyol::GaussianHead;
using tinyol::RehearsalBuffer;
using tinyol::RunningStats;
using tinyol::Settings;
using tinyol::SoftmaxHead;
using tinyol::Status;

struct tinyol_heads {
  Classifier classifier;
  RunningStats statistics;
  Settings settings;
};

struct tinyol_reservoir {
  BalancedReservoir rows;
  int32_t offers[tinyol::kMaxRehearsal];
  int32_t offered;
};

tinyol_heads* tinyol_heads_new(uint32_t d, int full, const float* prior, uint32_t rows) {
  tinyol_heads* h = new tinyol_heads();
  const uint16_t features = static_cast<uint16_t>(d);
  h->classifier.softmax.reset(features);
  h->classifier.gaussian.reset(features, full != 0, prior);
  h->classifier.rehearsal.reset(features, static_cast<uint16_t>(rows));
  h->statistics.reset(features);
  return h;
}

void tinyol_heads_free(tinyol_heads* h) {
  delete h;
}

void tinyol_heads_add_class(tinyol_heads* h) {
  h->classifier.add_class();
}

void tinyol_heads_remove_class(tinyol_heads* h, uint32_t index) {
  h->classifier.remove_class(static_cast<uint16_t>(index));
}

void tinyol_heads_restart_class(tinyol_heads* h, uint32_t index) {
  h->classifier.restart_class(static_cast<uint16_t>(index));
}

int tinyol_heads_set(tinyol_heads* h, uint32_t id, float value) {
  const int index = tinyol::find_setting(static_cast<uint16_t>(id));
  return static_cast<int>(h->settings.set(index, value));
}

void tinyol_heads_learn(tinyol_heads* h, const float* rows, const uint16_t* truths, uint64_t n,
                        uint8_t* applied) {
  const uint16_t d = h->statistics.n_features;
  for (uint64_t i = 0; i < n; ++i) {
    h->statistics.update(rows + i * d, 16384);
    applied[i] = h->classifier.learn(rows + i * d, h->statistics, truths[i], h->settings);
  }
}

void tinyol_heads_predict(tinyol_heads* h, const float* rows, uint64_t n, float* probabilities,
                          float* novelty, int32_t* best) {
  const uint16_t d = h->statistics.n_features;
  const uint16_t k = h->classifier.gaussian.n_classes;
  for (uint64_t i = 0; i < n; ++i) {
    best[i] = h->classifier.predict(rows + i * d, h->statistics, h->settings, probabilities + i * k,
                                    novelty + i);
  }
}

uint32_t tinyol_heads_lessons(const tinyol_heads* h) {
  return h->classifier.lessons;
}

void tinyol_gauss_learn(tinyol_heads* h, const float* rows, const uint16_t* truths, uint64_t n,
                        uint32_t horizon, float prior_count, float false_rate, float* distances) {
  GaussianHead& head = h->classifier.gaussian;
  for (uint64_t i = 0; i < n; ++i) {
    const float* row = rows + i * head.n_features;
    if (distances != nullptr) distances[i] = head.squared_distance(row, truths[i]);
    head.learn(row, truths[i], {horizon, prior_count, false_rate});
  }
}

void tinyol_gauss_predict(const tinyol_heads* h, const float* rows, uint64_t n,
                          float* probabilities, float* novelty, int32_t* best) {
  const GaussianHead& head = h->classifier.gaussian;
  for (uint64_t i = 0; i < n; ++i) {
    best[i] =
        head.predict(rows + i * head.n_features, probabilities + i * head.n_classes, novelty + i);
  }
}

void tinyol_gauss_distances(const tinyol_heads* h, const float* row, float* distances) {
  const GaussianHead& head = h->classifier.gaussian;
  for (uint16_t k = 0; k < head.n_classes; ++k) distances[k] = head.squared_distance(row, k);
}

void tinyol_gauss_set_weight(tinyol_heads* h, uint32_t index, float weight) {
  h->classifier.gaussian.weight[index] = weight;
}

void tinyol_gauss_restart_limits(tinyol_heads* h) {
  h->classifier.gaussian.restart_limits();
}

uint32_t tinyol_gauss_spread_length(const tinyol_heads* h) {
  return h->classifier.gaussian.spread_length();
}

void tinyol_gauss_read(const tinyol_heads* h, uint32_t* lessons, float* weight, float* mean,
                       float* spread, float* log_det, float* limit, uint32_t* counted) {
  const GaussianHead& head = h->classifier.gaussian;
  const uint32_t k = head.n_classes;
  memcpy(lessons, head.lessons, k * sizeof(uint32_t));
  memcpy(weight, head.weight, k * sizeof(float));
  memcpy(mean, head.mean, k * head.n_features * sizeof(float));
  memcpy(spread, head.spread, k * head.spread_length() * sizeof(float));
  memcpy(log_det, head.log_det, k * sizeof(float));
  for (uint16_t i = 0; i < k; ++i) {
    limit[i] = head.limit(i);
    counted[i] = head.distance[i].count;
  }
}

int tinyol_softmax_learn(tinyol_heads* h, const float* scaled, uint32_t truth, float rate, int bias,
                         int balanced, int new_lesson) {
  SoftmaxHead& head = h->classifier.softmax;
  float probabilities[tinyol::kMaxClasses];
  head.predict(scaled, probabilities);
  return head.learn(
      scaled, probabilities, static_cast<uint16_t>(truth),
      {{rate, tinyol::Schedule::kConstant, 1000.0f, 0.0f, 0.0f, 1e6f}, bias != 0, balanced != 0},
      new_lesson != 0);
}

int tinyol_softmax_predict(const tinyol_heads* h, const float* scaled, float* probabilities) {
  return h->classifier.softmax.predict(scaled, probabilities);
}

void tinyol_softmax_read(const tinyol_heads* h, uint32_t* lessons, float* weights, float* bias,
                         uint32_t* applied) {
  const SoftmaxHead& head = h->classifier.softmax;
  memcpy(lessons, head.lessons, head.n_classes * sizeof(uint32_t));
  memcpy(weights, head.weights, head.n_classes * head.n_features * sizeof(float));
  memcpy(bias, head.bias, head.n_classes * sizeof(float));
  *applied = head.steps.applied;
}

void tinyol_rehearsal_add(tinyol_heads* h, const float* rows, const uint16_t* classes, uint64_t n) {
  RehearsalBuffer& buffer = h->classifier.rehearsal;
  for (uint64_t i = 0; i < n; ++i) buffer.add(rows + i * buffer.n_features, classes[i]);
}

int tinyol_rehearsal_draw(tinyol_heads* h, float* features) {
  return h->classifier.rehearsal.draw(features);
}

uint32_t tinyol_rehearsal_read(const tinyol_heads* h, float* offset, int8_t* exponent,
                               uint8_t* groups, int8_t* values, uint32_t* seen) {
  const RehearsalBuffer& buffer = h->classifier.rehearsal;
  memcpy(offset, buffer.offset, buffer.n_features * sizeof(float));
  memcpy(exponent, buffer.exponent, buffer.n_features);
  memcpy(groups, buffer.rows.group, buffer.rows.size);
  memcpy(values, buffer.values, static_cast<size_t>(buffer.rows.size) * buffer.n_features);
  memcpy(seen, buffer.rows.seen, h->classifier.gaussian.n_classes * sizeof(uint32_t));
  return buffer.rows.size;
}

uint32_t tinyol_heads_write(const tinyol_heads* h, int section, uint8_t* out, uint32_t capacity) {
  ByteWriter writer(out, capacity);
  if (section == 0) h->classifier.softmax.write(&writer);
  if (section == 1) h->classifier.gaussian.write(&writer);
  if (section == 2) h->classifier.rehearsal.write(&writer, h->classifier.gaussian.n_classes);
  return writer.ok() ? writer.length() : 0;
}

int tinyol_heads_read(tinyol_heads* h, int section, const uint8_t* bytes, uint32_t length,
                      int store) {
  ByteReader reader(bytes, length);
  tinyol::Refusal refusal;
  Classifier& c = h->classifier;
  const uint16_t d = h->statistics.n_features;
  const uint16_t k = c.gaussian.n_classes;
  Status status = Status::kOk;
  if (section == 0) {
    status = SoftmaxHead::read(&reader, d, k, store ? &c.softmax : nullptr, &refusal);
  } else if (section == 1) {
    status = GaussianHead::read(&reader, c.gaussian, k, store ? &c.gaussian : nullptr, &refusal);
  } else {
    status = RehearsalBuffer::read(&reader, d, k, c.rehearsal.rows.limit,
                                   store ? &c.rehearsal : nullptr, &refusal);
  }
  if (status != Status::kOk) return static_cast<int>(status);
  return reader.remaining() != 0 ? 1 : 0;
}

tinyol_reservoir* tinyol_reservoir_new(uint32_t rows, uint32_t random) {
  tinyol_reservoir* r = new tinyol_reservoir();
  r->rows.reset(static_cast<uint16_t>(rows));
  if (random != 0) r->rows.random = random;
  r->offered = 0;
  return r;
}

void tinyol_reservoir_free(tinyol_reservoir* r) {
  delete r;
}

void tinyol_reservoir_offer(tinyol_reservoir* r, const uint16_t* groups, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i, ++r->offered) {
    const int row = r->rows.place(groups[i]);
    if (row != BalancedReservoir::kNotKept) r->offers[row] = r->offered;
  }
}

void tinyol_reservoir_drop(tinyol_reservoir* r, uint32_t group, int renumber) {
  r->rows.drop_group(static_cast<uint16_t>(group), reinterpret_cast<int8_t*>(r->offers),
                     sizeof(int32_t));
  if (renumber != 0) r->rows.renumber_behind(static_cast<uint16_t>(group));
}

uint32_t tinyol_reservoir_read(const tinyol_reservoir* r, uint8_t* groups, int32_t* offers) {
  memcpy(groups, r->rows.group, r->rows.size);
  memcpy(offers, r->offers, r->rows.size * sizeof(int32_t));
  return r->rows.size;
}

void tinyol_reservoir_draw(tinyol_reservoir* r, uint64_t n, int32_t* drawn) {
  for (uint64_t i = 0; i < n; ++i) drawn[i] = r->rows.draw();
}

int tinyol_heads_softmax(float* z, uint32_t n) {
  return tinyol::softmax_f32(z, n);
}

void tinyol_heads_exp(const float* x, uint64_t n, float* y) {
  for (uint64_t i = 0; i < n; ++i) y[i] = tinyol::exp_f32(x[i]);
}
