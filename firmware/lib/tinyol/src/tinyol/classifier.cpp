#include "tinyol/fp_contract.h"

#include "tinyol/classifier.h"

#include "tinyol/count_up.h"

namespace tinyol {
namespace {

bool softmax_in_use(const Settings& s) {
  return static_cast<Head>(static_cast<uint8_t>(s[Setting::kClassifierHead])) == Head::kSoftmax;
}

}  // namespace

SoftmaxRule softmax_rule(const Settings& s) {
  return {{s[Setting::kClassifierRate],
           static_cast<Schedule>(static_cast<uint8_t>(s[Setting::kClassifierSchedule])),
           s[Setting::kClassifierScheduleSteps], s[Setting::kClassifierL2],
           s[Setting::kClassifierClipNorm], s[Setting::kClassifierWeightLimit]},
          s[Setting::kClassifierBias] != 0.0f,
          s[Setting::kClassifierBalanced] != 0.0f};
}

GaussianRule gaussian_rule(const Settings& s) {
  return {static_cast<uint32_t>(s[Setting::kGaussianHorizon]), s[Setting::kGaussianPriorCount],
          s[Setting::kUnknownFalseRate]};
}

void Classifier::add_class() {
  softmax.add_class();
  gaussian.add_class();
}

void Classifier::remove_class(uint16_t index) {
  softmax.remove_class(index);
  gaussian.remove_class(index);
  rehearsal.remove_class(index);
}

void Classifier::restart_class(uint16_t index) {
  softmax.restart_class(index);
  gaussian.restart_class(index);
  rehearsal.restart_class(index);
}

int Classifier::predict(const float* features, const RunningStats& statistics,
                        const Settings& settings, float* probabilities, float* novelty,
                        float* scaled) const {
  if (!softmax_in_use(settings)) return gaussian.predict(features, probabilities, novelty);
  *novelty = gaussian.novelty(features);
  float own[kMaxFeatures];
  if (scaled == nullptr) scaled = own;
  standardise(statistics, features, scaled);
  return softmax.predict(scaled, probabilities);
}

bool Classifier::learn(const float* features, const RunningStats& statistics, uint16_t truth,
                       const Settings& settings, const float* scaled, const float* probabilities) {
  count_up(&lessons);
  gaussian.learn(features, truth, gaussian_rule(settings));

  const SoftmaxRule rule = softmax_rule(settings);
  float own_scaled[kMaxFeatures];
  float own_probabilities[kMaxClasses];
  if (scaled == nullptr || probabilities == nullptr || !softmax_in_use(settings)) {
    standardise(statistics, features, own_scaled);
    softmax.predict(own_scaled, own_probabilities);
    scaled = own_scaled;
    probabilities = own_probabilities;
  }
  const bool stepped = softmax.learn(scaled, probabilities, truth, rule);

  const int rehearsed = static_cast<int>(settings[Setting::kClassifierRehearsal]);
  for (int i = 0; i < rehearsed; ++i) {
    float drawn[kMaxFeatures];
    const int of_class = rehearsal.draw(drawn);
    if (of_class < 0) break;
    standardise(statistics, drawn, own_scaled);
    softmax.predict(own_scaled, own_probabilities);
    softmax.learn(own_scaled, own_probabilities, static_cast<uint16_t>(of_class), rule, false);
  }
  rehearsal.add(features, truth);
  return stepped || !softmax_in_use(settings);
}

}  // namespace tinyol
