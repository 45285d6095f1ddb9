#include "tinyol/fp_contract.h"

#include "tinyol/gaussian_head.h"

#include <string.h>

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"
#include "tinyol/lower_triangle.h"

namespace tinyol {
namespace {

constexpr float kMostDistance = 1e30f;  // d2 is held below it
constexpr float kImpossible = -1e38f;   // a log probability below all others
constexpr float kLeastLimit = 1e-3f;    // of d2
constexpr float kMostMean = 1e15f;
constexpr float kMostVariance = 1e31f;
constexpr float kMostDeviation = 3.2e15f;
constexpr float kLn2 = 0.69314718f;

// A NaN and an infinity, from numbers far out, end there too.
float held(float distance) {
  return distance < kMostDistance ? distance : kMostDistance;
}

// Sum of (x_j - m_j)^2 / variance_j, in the order of dot_f32. A call a class would cost a tenth of
// predict().
__attribute__((always_inline)) inline float diagonal_distance(const float* x, const float* m,
                                                              const float* variance, uint32_t d) {
  float s0 = 0.0f;
  float s1 = 0.0f;
  float s2 = 0.0f;
  float s3 = 0.0f;
  uint32_t j = 0;
  for (; j + 4 <= d; j += 4) {
    const float b0 = x[j] - m[j];
    const float b1 = x[j + 1] - m[j + 1];
    const float b2 = x[j + 2] - m[j + 2];
    const float b3 = x[j + 3] - m[j + 3];
    s0 += (b0 * b0) / variance[j];
    s1 += (b1 * b1) / variance[j + 1];
    s2 += (b2 * b2) / variance[j + 2];
    s3 += (b3 * b3) / variance[j + 3];
  }
  for (uint32_t rest = 0; j < d; ++j, ++rest) {
    const float b = x[j] - m[j];
    const float t = (b * b) / variance[j];
    if (rest == 0) s0 += t;
    if (rest == 1) s1 += t;
    if (rest == 2) s2 += t;
  }
  return (s0 + s1) + (s2 + s3);
}

// Log of the product of positive normal numbers, one in row i at `at`, then i + 2 further on
// (L's diagonal), or next to one another: the mantissas' product and the exponents' sum, so that
// one logarithm does.
float log_product(const float* at, uint32_t n, bool triangle) {
  static_assert(kMaxFeatures <= 120, "a product of mantissas below 2 each must stay finite");
  float product = 1.0f;
  int32_t exponents = -127 * static_cast<int32_t>(n);
  for (uint32_t i = 0; i < n; ++i) {
    uint32_t bits;
    memcpy(&bits, at, sizeof(bits));
    exponents += static_cast<int32_t>(bits >> 23);
    bits = (bits & 0x007FFFFFu) | 0x3F800000u;
    float mantissa;
    memcpy(&mantissa, &bits, sizeof(mantissa));
    product *= mantissa;
    at += triangle ? i + 2 : 1;
  }
  return log_f32(product) + static_cast<float>(exponents) * kLn2;
}

// Of d2, for a class that is no longer young.
inline __attribute__((always_inline)) float trusted_limit(const P2Quantile& of_lessons,
                                                          uint32_t n_features) {
  if (of_lessons.count < kTrustedDistances) return kUntriedLimit * static_cast<float>(n_features);
  const float middle = of_lessons.height[2];  // of so many the estimate, whatever the probability
  return middle > kLeastLimit ? middle : kLeastLimit;
}

// GaussianHead::score(). A copy for each covariance: its choice would cost a class more than some
// of the steps.
template <bool kFull>
float score_all(const GaussianHead& head, const float* features, float* scores, bool* taught) {
  const uint32_t d = head.n_features;
  const uint32_t length = kFull ? d * (d + 1) / 2 : d;
  const float* centre = head.mean;
  const float* shape = head.spread;
  bool any = false;
  bool young = false;
  float least = kMostDistance;
  for (uint32_t k = 0; k < head.n_classes; ++k, centre += d, shape += length) {
    scores[k] = kImpossible;
    if (head.lessons[k] == 0) continue;
    any = true;
    const float d2 = held(kFull ? triangle_distance(shape, features, centre, d)
                                : diagonal_distance(features, centre, shape, d));
    float log_probability = -0.5f * (head.log_det[k] + d2);
    if (head.weight[k] != 1.0f) log_probability += log_f32(head.weight[k]);
    scores[k] = log_probability;
    young |= head.lessons[k] < kYoungLessons;
    if (young) continue;
    const float allowed = trusted_limit(head.distance[k], d);
    if (d2 < least * allowed) least = d2 / allowed;
  }
  *taught = any;
  return any && !young ? least : 0.0f;
}

// Reads a class's mean and spread, and stores nothing. An untaught class has the mean 0 and the
// prior's spread.
Status check_numbers(ByteReader* in, const GaussianHead& model, bool taught, Refusal* refusal) {
  for (uint16_t j = 0; j < model.n_features; ++j) in->bounded_f32(taught ? kMostMean : 0.0f);
  const bool triangle = model.full;
  const float most = triangle ? kMostDeviation : kMostVariance;
  const float least = triangle ? sqrt_f32(kLeastSpread * kLeastPrior) : kLeastSpread * kLeastPrior;
  for (uint16_t i = 0; i < model.n_features; ++i) {
    const float start = triangle ? sqrt_f32(model.prior[i]) : model.prior[i];
    float squares = 0.0f;  // of L's row: the variance of feature i
    for (uint16_t j = triangle ? 0 : i; j <= i; ++j) {
      const float value = in->bounded_f32(most);
      squares += value * value;
      if (j == i && !(value >= least)) in->fail();
      if (!taught && value != (j == i ? start : 0.0f)) in->fail();
    }
    if (triangle && !(squares <= kMostVariance)) in->fail();
  }
  return in->ok() ? Status::kOk : refuse(refusal, Status::kNotFinite, "GAUS");
}

}  // namespace

void GaussianHead::reset(uint16_t features, bool full_covariance, const float* variances) {
  n_features = features;
  n_classes = 0;
  full = kFullCovariance && full_covariance;
  for (uint16_t j = 0; j < kMaxFeatures; ++j) prior[j] = j < features ? variances[j] : 0.0f;
  memset(lessons, 0, sizeof(lessons));
  memset(weight, 0, sizeof(weight));
  memset(mean, 0, sizeof(mean));
  memset(spread, 0, sizeof(spread));
  memset(log_det, 0, sizeof(log_det));
  for (P2Quantile& quantile : distance) quantile = P2Quantile();
}

uint16_t GaussianHead::spread_length() const {
  return full ? static_cast<uint16_t>(n_features * (n_features + 1) / 2) : n_features;
}

void GaussianHead::add_class() {
  weight[n_classes] = 1.0f;
  restart_class(n_classes++);
}

void GaussianHead::restart_class(uint16_t index) {
  lessons[index] = 0;
  memset(mean + index * n_features, 0, n_features * sizeof(float));
  float* at = spread + index * spread_length();
  memset(at, 0, spread_length() * sizeof(float));
  for (uint16_t j = 0; j < n_features; ++j) {
    *at = full ? sqrt_f32(prior[j]) : prior[j];
    at += full ? j + 2 : 1;
  }
  measure(index);
  distance[index] = P2Quantile();
}

void GaussianHead::remove_class(uint16_t index) {
  const uint16_t behind = static_cast<uint16_t>(n_classes - index - 1);
  const uint16_t d = n_features;
  const uint16_t s = spread_length();
  memmove(lessons + index, lessons + index + 1, behind * sizeof(uint32_t));
  memmove(weight + index, weight + index + 1, behind * sizeof(float));
  memmove(log_det + index, log_det + index + 1, behind * sizeof(float));
  memmove(mean + index * d, mean + (index + 1) * d, behind * d * sizeof(float));
  memmove(spread + index * s, spread + (index + 1) * s, behind * s * sizeof(float));
  for (uint16_t k = index; k < index + behind; ++k) distance[k] = distance[k + 1];
  restart_class(--n_classes);
}

void GaussianHead::restart_limits() {
  for (uint16_t k = 0; k < n_classes; ++k) distance[k] = P2Quantile();
}

void GaussianHead::measure(uint16_t index) {
  const float log = log_product(spread + index * spread_length(), n_features, full);
  log_det[index] = full ? 2.0f * log : log;
}

float GaussianHead::squared_distance(const float* features, uint16_t index) const {
  const float* centre = mean + index * n_features;
  const float* shape = spread + index * spread_length();
  if (!kFullCovariance || !full) {
    return held(diagonal_distance(features, centre, shape, n_features));
  }
  return held(triangle_distance(shape, features, centre, n_features));
}

float GaussianHead::limit(uint16_t index) const {
  return lessons[index] < kYoungLessons ? 0.0f : trusted_limit(distance[index], n_features);
}

float GaussianHead::score(const float* features, float* scores, bool* taught) const {
  return kFullCovariance && full ? score_all<true>(*this, features, scores, taught)
                                 : score_all<false>(*this, features, scores, taught);
}

float GaussianHead::novelty(const float* features) const {
  float scores[kMaxClasses];
  bool taught;
  return score(features, scores, &taught);
}

int GaussianHead::predict(const float* features, float* probabilities, float* novelty) const {
  bool taught;
  *novelty = score(features, probabilities, &taught);
  if (taught) return softmax_f32(probabilities, n_classes);
  for (uint32_t k = 0; k < n_classes; ++k) probabilities[k] = 0.0f;
  return -1;
}

void GaussianHead::learn(const float* features, uint16_t truth, const GaussianRule& rule) {
  if (lessons[truth] >= kYoungLessons) {
    distance[truth].update(squared_distance(features, truth), 1.0f - rule.false_rate);
  }
  count_up(&lessons[truth]);
  const uint32_t counted = lessons[truth] < rule.horizon ? lessons[truth] : rule.horizon;
  const float n = static_cast<float>(counted);
  const float share = 1.0f / n;
  const float newest = 1.0f / (n + rule.prior_count);
  float* centre = mean + truth * n_features;
  float* shape = spread + truth * spread_length();
  if (kFullCovariance && full) {
    float b[kMaxFeatures];
    float floors[kMaxFeatures];
    for (uint32_t j = 0; j < n_features; ++j) {
      b[j] = features[j] - centre[j];
      centre[j] += b[j] * share;
      floors[j] = sqrt_f32(kLeastSpread * prior[j]);
    }
    update_triangle(shape, b, n_features, 1.0f - newest, (1.0f - share) * newest, floors);
  } else {
    for (uint16_t j = 0; j < n_features; ++j) {
      const float before = features[j] - centre[j];
      centre[j] += before * share;
      const float after = features[j] - centre[j];
      const float moved = shape[j] + (before * after - shape[j]) * newest;
      const float floor = kLeastSpread * prior[j];
      shape[j] = moved > floor ? moved : floor;
    }
  }
  measure(truth);
}

void GaussianHead::write(ByteWriter* out) const {
  const uint16_t s = spread_length();
  out->u16(n_features);
  out->u16(n_classes);
  out->u8(full ? 1 : 0);
  for (int i = 0; i < 3; ++i) out->u8(0);
  for (uint16_t k = 0; k < n_classes; ++k) {
    out->u32(lessons[k]);
    out->f32(weight[k]);
    out->f32s(mean + k * n_features, n_features);
    out->f32s(spread + k * s, s);
    write_quantile(out, distance[k]);
  }
}

Status GaussianHead::read(ByteReader* in, const GaussianHead& model, uint16_t n_classes,
                          GaussianHead* into, Refusal* refusal) {
  const uint16_t d = model.n_features;
  const uint16_t s = model.spread_length();
  const uint16_t features = in->u16();
  const uint16_t classes = in->u16();
  const uint32_t covariance = in->u32();  // u8 full and zeros
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "GAUS");
  if (features != d) return refuse(refusal, Status::kMalformed, "GAUS", d, features);
  if (classes != n_classes) return refuse(refusal, Status::kMalformed, "GAUS", n_classes, classes);
  if (covariance != (model.full ? 1u : 0u)) {
    return refuse(refusal, Status::kMalformed, "GAUS covariance", model.full ? 1 : 0, covariance);
  }
  if (into != nullptr) {
    into->reset(d, model.full, model.prior);
    into->n_classes = n_classes;
  }
  for (uint16_t k = 0; k < n_classes; ++k) {
    if (in->remaining() / sizeof(float) < 2u + d + s) {
      return refuse(refusal, Status::kTruncated, "GAUS", n_classes, k);
    }
    const uint32_t count = in->u32();
    const float class_weight = in->f32();
    const ByteReader numbers = *in;
    const Status status = check_numbers(in, model, count > 0, refusal);
    if (status != Status::kOk) return status;
    if (!(class_weight >= kLeastClassWeight && class_weight <= kMostClassWeight)) {
      return refuse(refusal, Status::kBadValue, "GAUS weight");
    }
    P2Quantile quantile;
    const uint32_t most = count > kYoungLessons ? count - kYoungLessons : 0;
    if (!read_quantile(in, kMostDistance, &quantile) || quantile.count > most ||
        !(quantile.height[0] >= 0.0f)) {
      return refuse(refusal, in->ok() ? Status::kMalformed : Status::kTruncated, "GAUS quantile");
    }
    if (into == nullptr) continue;
    into->lessons[k] = count;
    into->weight[k] = class_weight;
    ByteReader again = numbers;
    for (uint16_t j = 0; j < d; ++j) into->mean[k * d + j] = again.f32();
    for (uint16_t i = 0; i < s; ++i) into->spread[k * s + i] = again.f32();
    into->measure(k);
    into->distance[k] = quantile;
  }
  return Status::kOk;
}

}  // namespace tinyol
