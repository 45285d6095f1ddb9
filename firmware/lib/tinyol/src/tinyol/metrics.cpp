#include "tinyol/fp_contract.h"

#include "tinyol/metrics.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {

const float kErrorProbability[kErrorQuantiles] = {0.5f, 0.9f, 0.99f};

namespace {

constexpr float kLargest = 1e30f;  // beyond any error of a bounded net on bounded samples

struct Tally {
  uint64_t hits;       // predicted and true
  uint64_t predicted;  // of this class
  uint64_t truths;     // of this class
};

Tally tally(const Metrics& m, uint16_t index) {
  Tally t = {m.confusion[index * kMaxClasses + index], 0, 0};
  for (uint16_t k = 0; k < m.n_classes; ++k) {
    t.truths += m.confusion[index * kMaxClasses + k];
    t.predicted += m.confusion[k * kMaxClasses + index];
  }
  return t;
}

void write_mean(ByteWriter* out, const RunningMean& mean) {
  out->u32(mean.count);
  out->f32(mean.mean);
}

// Of nothing it is 0: from any other start the first number would drown in it.
RunningMean read_mean(ByteReader* in) {
  RunningMean mean;
  mean.count = in->u32();
  mean.mean = in->bounded_f32(mean.count > 0 ? kLargest : 0.0f);
  return mean;
}

}  // namespace

void Metrics::reset(uint16_t classes) {
  *this = Metrics();
  n_classes = classes;
}

void Metrics::add_class() {
  for (uint16_t k = 0; k <= n_classes; ++k) {
    confusion[n_classes * kMaxClasses + k] = 0;
    confusion[k * kMaxClasses + n_classes] = 0;
  }
  ++n_classes;
}

void Metrics::remove_class(uint16_t index) {
  for (uint16_t row = 0; row + 1 < n_classes; ++row) {
    for (uint16_t column = 0; column + 1 < n_classes; ++column) {
      const uint16_t from_row = row < index ? row : row + 1;
      const uint16_t from_column = column < index ? column : column + 1;
      confusion[row * kMaxClasses + column] = confusion[from_row * kMaxClasses + from_column];
    }
  }
  --n_classes;
}

void Metrics::add_prediction(uint16_t truth, uint16_t predicted, float loss_value,
                             uint32_t horizon) {
  count_up(&confusion[truth * kMaxClasses + predicted]);
  loss.update(loss_value, horizon);
}

void Metrics::add_error(float value, uint32_t horizon) {
  error.update(value, horizon);
  for (int i = 0; i < kErrorQuantiles; ++i) error_quantile[i].update(value, kErrorProbability[i]);
}

float Metrics::accuracy() const {
  uint64_t right = 0;
  uint64_t all = 0;
  for (uint16_t k = 0; k < n_classes; ++k) {
    const Tally t = tally(*this, k);
    right += t.hits;
    all += t.truths;
  }
  return all == 0 ? 0.0f : static_cast<float>(right) / static_cast<float>(all);
}

float Metrics::f1(uint16_t index) const {
  const Tally t = tally(*this, index);
  if (t.truths + t.predicted == 0) return 0.0f;
  return static_cast<float>(2 * t.hits) / static_cast<float>(t.truths + t.predicted);
}

float Metrics::macro_f1() const {
  float sum = 0.0f;
  uint16_t present = 0;
  for (uint16_t k = 0; k < n_classes; ++k) {
    const Tally t = tally(*this, k);
    if (t.truths + t.predicted == 0) continue;
    sum += f1(k);
    ++present;
  }
  return present == 0 ? 0.0f : sum / static_cast<float>(present);
}

void Metrics::write(ByteWriter* out) const {
  out->u16(n_classes);
  out->u16(kErrorQuantiles);
  write_mean(out, loss);
  write_mean(out, error);
  for (const P2Quantile& quantile : error_quantile) write_quantile(out, quantile);
  for (uint16_t row = 0; row < n_classes; ++row) {
    for (uint16_t column = 0; column < n_classes; ++column) {
      out->u32(confusion[row * kMaxClasses + column]);
    }
  }
}

Status Metrics::read(ByteReader* in, uint16_t n_classes, Metrics* into, Refusal* refusal) {
  const uint16_t found_classes = in->u16();
  const uint16_t quantiles = in->u16();
  if (!in->ok() || found_classes != n_classes || quantiles != kErrorQuantiles) {
    return refuse(refusal, Status::kMalformed, "METR", n_classes, found_classes);
  }
  if (into != nullptr) into->reset(n_classes);
  const RunningMean loss = read_mean(in);
  const RunningMean error = read_mean(in);
  if (!in->ok()) return refuse(refusal, Status::kNotFinite, "METR mean");
  if (!(error.mean >= 0.0f)) return refuse(refusal, Status::kMalformed, "METR mean");
  if (into != nullptr) {
    into->loss = loss;
    into->error = error;
  }
  for (int i = 0; i < kErrorQuantiles; ++i) {
    P2Quantile quantile;
    if (!read_quantile(in, kLargest, &quantile) || !(quantile.height[0] >= 0.0f)) {
      return refuse(refusal, in->ok() ? Status::kMalformed : Status::kTruncated, "METR quantile");
    }
    if (into != nullptr) into->error_quantile[i] = quantile;
  }
  for (uint16_t row = 0; row < n_classes; ++row) {
    for (uint16_t column = 0; column < n_classes; ++column) {
      const uint32_t cell = in->u32();
      if (into != nullptr) into->confusion[row * kMaxClasses + column] = cell;
    }
  }
  return in->ok() ? Status::kOk : refuse(refusal, Status::kTruncated, "METR");
}

}  // namespace tinyol
