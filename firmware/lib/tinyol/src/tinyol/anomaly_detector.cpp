#include "tinyol/fp_contract.h"

#include "tinyol/anomaly_detector.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kMostLog = 100.0f;   // beyond the logarithm of any float
constexpr float kMostSquare = 4e4f;  // the largest product of two differences of such logarithms
constexpr float kMostCorrelation = 0.99949987f;  // its square is 1 - 1e-3
constexpr float kLeastLimit = 1e-3f;             // of d2: what never varied has no quantile
constexpr float kMostScore = 1e30f;

float bounded(float log_value) {
  if (log_value >= kMostLog) return kMostLog;
  return log_value >= -kMostLog ? log_value : -kMostLog;
}

// e^x - 1 for x >= 0, without the cancellation near 0.
float exp_minus_one(float x) {
  if (x > 0.5f) return exp_f32(x) - 1.0f;
  float sum = 1.0f;  // of x^(k - 1) / k!, to k = 8
  for (int k = 8; k > 1; --k) sum = 1.0f + sum * (x / static_cast<float>(k));
  return x * sum;
}

float paper_score(float error, float threshold) {
  if (!(error > 0.0f)) return 0.0f;
  const float score = error / threshold;
  return score < kMostScore ? score : kMostScore;
}

}  // namespace

void NormalStats::update(float log_error, float log_variance, uint32_t horizon) {
  count_up(&count);
  const float weight = 1.0f / static_cast<float>(count < horizon ? count : horizon);
  const float v[2] = {bounded(log_error), bounded(log_variance)};
  float before[2];
  float after[2];
  for (int i = 0; i < 2; ++i) {
    before[i] = v[i] - mean[i];
    mean[i] += before[i] * weight;
    after[i] = v[i] - mean[i];
  }
  covariance[0] += (before[0] * after[0] - covariance[0]) * weight;
  covariance[1] += (before[0] * after[1] - covariance[1]) * weight;
  covariance[2] += (before[1] * after[1] - covariance[2]) * weight;
}

float NormalStats::squared_distance(float log_error, float log_variance) const {
  const float ee = covariance[0] > kLeastNormalVariance ? covariance[0] : kLeastNormalVariance;
  const float vv = covariance[2] > kLeastNormalVariance ? covariance[2] : kLeastNormalVariance;
  // In standard deviations, where the covariance is the correlation: no term can be negative.
  float correlation = covariance[1] / (sqrt_f32(ee) * sqrt_f32(vv));
  if (correlation > kMostCorrelation) correlation = kMostCorrelation;
  if (correlation < -kMostCorrelation) correlation = -kMostCorrelation;
  const float x = (bounded(log_error) - mean[0]) / sqrt_f32(ee);
  const float y = (bounded(log_variance) - mean[1]) / sqrt_f32(vv);
  const float rest = y - correlation * x;
  return x * x + (rest * rest) / (1.0f - correlation * correlation);
}

float NormalStats::standard_log_error(float log_error) const {
  const float ee = covariance[0] > kLeastNormalVariance ? covariance[0] : kLeastNormalVariance;
  return (bounded(log_error) - mean[0]) / sqrt_f32(ee);
}

void NormalStats::write(ByteWriter* out) const {
  out->u32(count);
  out->f32s(mean, 2);
  out->f32s(covariance, 3);
}

Status NormalStats::read(ByteReader* in, NormalStats* into, Refusal* refusal) {
  if (in->remaining() < 24) return refuse(refusal, Status::kTruncated, "NORM", 24, in->remaining());
  NormalStats found;
  found.count = in->u32();
  const float most_mean = found.count > 0 ? kMostLog : 0.0f;
  const float most_square = found.count > 0 ? kMostSquare : 0.0f;
  for (float& m : found.mean) m = in->bounded_f32(most_mean);
  for (float& c : found.covariance) c = in->bounded_f32(most_square);
  if (!in->ok()) return refuse(refusal, Status::kNotFinite, "NORM");
  const float ee = found.covariance[0];
  const float ev = found.covariance[1];
  const float vv = found.covariance[2];
  if (!(ee >= 0.0f && vv >= 0.0f)) return refuse(refusal, Status::kMalformed, "NORM covariance");
  // Cauchy and Schwarz, with room for what rounding does to a variance near zero; in this form,
  // since what holds of it holds after every further window too.
  if (!(__builtin_fabsf(ev) <= 1.005f * (sqrt_f32(ee) * sqrt_f32(vv)) + 0.01f)) {
    return refuse(refusal, Status::kMalformed, "NORM covariance");
  }
  if (into != nullptr) *into = found;
  return Status::kOk;
}

float hotelling_limit(uint32_t n, float false_rate) {
  const float size = static_cast<float>(n);
  const float power = -2.0f * log_f32(false_rate) / (size - 2.0f);
  return (size + 1.0f) * exp_minus_one(power);
}

void AnomalyDetector::reset(const NormalStats& start) {
  *this = AnomalyDetector();
  normal = start;
}

void AnomalyDetector::restart_quantile() {
  distances = P2Quantile();
}

void AnomalyDetector::take_over(const NormalStats& fresh) {
  normal = fresh;
  restart_quantile();
  end_alarm();
}

bool AnomalyDetector::end_alarm() {
  const bool stood = alarm;
  alarm = false;
  over = 0;
  under = 0;
  return stood;
}

float AnomalyDetector::limit(float false_rate) const {
  if (normal.count < kSettling) return 0.0f;
  const float most = static_cast<float>(P2Quantile::kMaxCount / 2);
  const float wanted = kFewestTails / false_rate;
  if (static_cast<float>(distances.count) < (wanted < most ? wanted : most)) {
    return hotelling_limit(normal.count, false_rate);
  }
  const float quantile = distances.value(1.0f - false_rate);
  return quantile > kLeastLimit ? quantile : kLeastLimit;
}

AnomalyResult AnomalyDetector::update(float error, float log_error, float log_variance,
                                      const AnomalyRule& rule) {
  AnomalyResult result;
  float distance = 0.0f;
  const bool settled = normal.count >= kSettling;
  if (!rule.two_sided) {
    result.score = paper_score(error, rule.threshold);
  } else if (settled) {
    distance = normal.squared_distance(log_error, log_variance);
    result.score = distance / limit(rule.false_rate);
  }
  result.anomaly = result.score > 1.0f;

  count_up(result.anomaly ? &over : &under);
  (result.anomaly ? under : over) = 0;
  if (!alarm && over >= rule.raise) {
    alarm = true;
    count_up(&alarms);
    result.began = true;
  } else if (alarm && under >= rule.clear) {
    alarm = false;
    result.ended = true;
  }
  result.alarm = alarm;

  if (rule.two_sided && rule.learn && over <= 1 && (!alarm || result.began)) {
    if (settled) distances.update(distance, 1.0f - rule.false_rate);
    if (result.anomaly) {
      const float within = 1.0f / sqrt_f32(result.score);
      log_error = normal.mean[0] + (log_error - normal.mean[0]) * within;
      log_variance = normal.mean[1] + (log_variance - normal.mean[1]) * within;
    }
    normal.update(log_error, log_variance, rule.horizon);
  }
  return result;
}

void AnomalyDetector::write(ByteWriter* out) const {
  normal.write(out);
  write_quantile(out, distances);
  out->u16(over);
  out->u16(under);
  out->u8(alarm ? 1 : 0);
  for (int i = 0; i < 3; ++i) out->u8(0);
  out->u32(alarms);
}

Status AnomalyDetector::read(ByteReader* in, AnomalyDetector* into, Refusal* refusal) {
  AnomalyDetector found;
  const Status status = NormalStats::read(in, &found.normal, refusal);
  if (status != Status::kOk) return status;
  if (in->remaining() < 44 + 12) {
    return refuse(refusal, Status::kTruncated, "NORM", 44 + 12, in->remaining());
  }
  if (!read_quantile(in, kMostScore, &found.distances)) {
    return refuse(refusal, Status::kMalformed, "NORM quantile");
  }
  found.over = in->u16();
  found.under = in->u16();
  const uint8_t alarm_found = in->u8();
  const uint32_t reserved = in->u8() | (in->u8() << 8) | (in->u8() << 16);
  found.alarms = in->u32();
  found.alarm = alarm_found == 1;
  // Every distance was followed by one more window in `normal`, which had settled before.
  const uint32_t most = found.normal.count < kSettling ? 0 : found.normal.count - kSettling;
  if (found.distances.count > most || found.distances.height[0] < 0.0f) {
    return refuse(refusal, Status::kMalformed, "NORM quantile", most, found.distances.count);
  }
  const bool in_a_row = found.over > 0 || found.under > 0;
  if (alarm_found > 1 || reserved != 0 || (found.over > 0 && found.under > 0) ||
      (found.alarm && (found.alarms == 0 || !in_a_row))) {
    return refuse(refusal, Status::kMalformed, "NORM alarm");
  }
  if (into != nullptr) *into = found;
  return Status::kOk;
}

}  // namespace tinyol
