#include "classifier_api.h"

#include <string.h>

#include <algorithm>
#include <memory>

#include "float_mode.h"
#include "refusal.h"
#include "tinyol/classifier.h"
#include "tinyol/learner.h"

using tinyol::FloatMode;
using tinyol::Refusal;
using tinyol::Setting;
using tinyol::Status;

struct tinyol_classifier {
  bool is_gaussian = false;
  tinyol::RunningStats statistics;
  tinyol::SoftmaxHead softmax;
  tinyol::GaussianHead gaussian;
  tinyol::Settings settings;
};

namespace {

Status check(uint32_t n_features, uint32_t n_classes, const float* prior, Refusal* refusal) {
  if (n_features == 0) return refuse(refusal, Status::kBadValue, "features", 1, 0);
  if (n_classes == 0) return refuse(refusal, Status::kBadValue, "classes", 1, 0);
  if (n_features > tinyol::kMaxFeatures) {
    return refuse(refusal, Status::kTooSmall, "TINYOL_MAX_FEATURES", n_features,
                  tinyol::kMaxFeatures);
  }
  if (n_classes > tinyol::kMaxClasses) {
    return refuse(refusal, Status::kTooSmall, "TINYOL_MAX_CLASSES", n_classes, tinyol::kMaxClasses);
  }
  for (uint32_t j = 0; j < n_features; ++j) {
    if (!(prior[j] >= tinyol::kLeastPrior && prior[j] <= tinyol::kMostPrior)) {
      return refuse(refusal, Status::kBadValue, "prior");
    }
  }
  return Status::kOk;
}

bool usable(const float* row, uint16_t n_features) {
  for (uint16_t j = 0; j < n_features; ++j) {
    if (!(row[j] <= tinyol::kLargestFeature && row[j] >= -tinyol::kLargestFeature)) return false;
  }
  return true;
}

// One head's part of Algorithm 1 for one row; the statistics have taken it in.
class SoftmaxRow {
 public:
  explicit SoftmaxRow(tinyol_classifier* c) : c_(c), rule_(softmax_rule(c->settings)) {}

  int predict(const float* row, float* probabilities, float* novelty) {
    *novelty = 0.0f;
    standardise(c_->statistics, row, scaled_);
    return c_->softmax.predict(scaled_, probabilities);
  }

  bool learn(const float*, const float* probabilities, uint16_t truth) {
    return c_->softmax.learn(scaled_, probabilities, truth, rule_);
  }

 private:
  tinyol_classifier* c_;
  tinyol::SoftmaxRule rule_;
  float scaled_[tinyol::kMaxFeatures];
};

class GaussianRow {
 public:
  explicit GaussianRow(tinyol_classifier* c) : c_(c), rule_(gaussian_rule(c->settings)) {}

  int predict(const float* row, float* probabilities, float* novelty) {
    return c_->gaussian.predict(row, probabilities, novelty);
  }

  bool learn(const float* row, const float*, uint16_t truth) {
    c_->gaussian.learn(row, truth, rule_);
    return true;
  }

 private:
  tinyol_classifier* c_;
  tinyol::GaussianRule rule_;
};

struct Rows {
  const float* features;
  const int16_t* labels;
  uint64_t n;
  int16_t* predicted;
  float* probabilities;
  float* novelty;
  uint8_t* learned;
};

template <typename Head>
uint64_t run(tinyol_classifier* c, bool learn, const Rows& rows) {
  const uint16_t d = c->statistics.n_features;
  const uint16_t k = c->softmax.n_classes;
  const uint32_t horizon = c->settings.whole(Setting::kStatisticsHorizon);
  const bool follows = learn && c->settings[Setting::kStatisticsLearn] != 0.0f;
  const bool teaches =
      learn && c->settings[Setting::kClassifierLearn] != 0.0f && rows.labels != nullptr;
  Head head(c);
  uint64_t refused = 0;
  for (uint64_t i = 0; i < rows.n; ++i) {
    const float* row = rows.features + i * d;
    float* probabilities = rows.probabilities + i * k;
    rows.learned[i] = 0;
    if (!usable(row, d)) {
      rows.predicted[i] = tinyol::kNoClass;
      rows.novelty[i] = 0.0f;
      memset(probabilities, 0, k * sizeof(float));
      ++refused;
      continue;
    }
    if (follows) c->statistics.update(row, horizon);
    rows.predicted[i] = static_cast<int16_t>(head.predict(row, probabilities, &rows.novelty[i]));
    const int truth = teaches ? rows.labels[i] : tinyol::kNoClass;
    if (truth < 0 || truth >= k) continue;
    rows.learned[i] = head.learn(row, probabilities, static_cast<uint16_t>(truth)) ? 1 : 0;
  }
  return refused;
}

}  // namespace

extern "C" {

tinyol_classifier* tinyol_classifier_new(uint32_t n_features, uint32_t n_classes, int gaussian,
                                         int full_covariance, const float* prior,
                                         tinyol_refusal* refusal) {
  const FloatMode mode;
  Refusal why;
  const Status status = check(n_features, n_classes, prior, &why);
  if (tinyol::report(status, why, refusal) != 0) return nullptr;
  auto made = std::make_unique<tinyol_classifier>();
  const uint16_t d = static_cast<uint16_t>(n_features);
  made->is_gaussian = gaussian != 0;
  made->statistics.reset(d);
  made->softmax.reset(d);
  made->gaussian.reset(d, full_covariance != 0, prior);
  for (uint32_t k = 0; k < n_classes; ++k) {
    made->softmax.add_class();
    made->gaussian.add_class();
  }
  return made.release();
}

void tinyol_classifier_free(tinyol_classifier* classifier) {
  delete classifier;
}

int tinyol_classifier_set(tinyol_classifier* classifier, uint16_t setting_id, float value,
                          tinyol_refusal* refusal) {
  const FloatMode mode;
  Refusal why;
  const Status status = classifier->settings.set(tinyol::find_setting(setting_id), value, &why);
  return tinyol::report(status, why, refusal);
}

uint64_t tinyol_classifier_run(tinyol_classifier* classifier, const float* rows,
                               const int16_t* labels, uint64_t n, int learn, int16_t* predicted,
                               float* probabilities, float* novelty, uint8_t* learned) {
  const FloatMode mode;
  const Rows all = {rows, labels, n, predicted, probabilities, novelty, learned};
  return classifier->is_gaussian ? run<GaussianRow>(classifier, learn != 0, all)
                                 : run<SoftmaxRow>(classifier, learn != 0, all);
}

void tinyol_classifier_lessons(const tinyol_classifier* classifier, uint32_t* lessons) {
  const uint16_t k = classifier->softmax.n_classes;
  const uint32_t* from =
      classifier->is_gaussian ? classifier->gaussian.lessons : classifier->softmax.lessons;
  std::copy(from, from + k, lessons);
}

uint32_t tinyol_classifier_statistics(const tinyol_classifier* classifier, float* mean,
                                      float* variance) {
  const tinyol::RunningStats& statistics = classifier->statistics;
  std::copy(statistics.mean, statistics.mean + statistics.n_features, mean);
  std::copy(statistics.variance, statistics.variance + statistics.n_features, variance);
  return statistics.count;
}

void tinyol_classifier_weights(const tinyol_classifier* classifier, float* first, float* second) {
  const uint32_t k = classifier->softmax.n_classes;
  const uint32_t d = classifier->statistics.n_features;
  if (classifier->is_gaussian) {
    const tinyol::GaussianHead& head = classifier->gaussian;
    std::copy(head.mean, head.mean + k * d, first);
    std::copy(head.spread, head.spread + k * head.spread_length(), second);
  } else {
    std::copy(classifier->softmax.weights, classifier->softmax.weights + k * d, first);
    std::copy(classifier->softmax.bias, classifier->softmax.bias + k, second);
  }
}

uint32_t tinyol_classifier_spread_length(const tinyol_classifier* classifier) {
  return classifier->gaussian.spread_length();
}

}  // extern "C"
