#include "cost_heads.h"

#include "cost_inputs.h"
#include "cost_part.h"
#include "tinyol/classifier.h"

namespace tinyol {
namespace emulator {
namespace {

struct PriorVariances {
  float value[kMaxFeatures];
  PriorVariances() {
    for (float& variance : value) variance = 0.1f;
  }
};

}  // namespace

void count_statistics(uint16_t features) {
  Lessons lessons(1, features);
  CostPart update("running statistics: update", lessons.before(), 0, features);
  RunningStats statistics;
  statistics.reset(features);
  while (lessons.given() < lessons.before() + CostPart::kCounted) {
    float x[kMaxFeatures];
    float scaled[kMaxFeatures];
    lessons.next(x);
    update.run([&] {
      statistics.update(x, kHorizon);
      standardise(statistics, x, scaled);
    });
  }
}

void count_softmax(bool improved, uint16_t classes, uint16_t features) {
  static SoftmaxHead head;
  RunningStats statistics;
  statistics.reset(features);
  head.reset(features);
  for (uint16_t k = 0; k < classes; ++k) head.add_class();
  const SoftmaxRule how = {rule_of(Settings(), Setting::kClassifierRate), improved, improved};
  Lessons lessons(classes, features);
  CostPart predict(improved ? "softmax, bias, balanced: predict" : "softmax, paper: predict",
                   lessons.before(), classes, features);
  CostPart learn(improved ? "softmax, bias, balanced: learn" : "softmax, paper: learn",
                 lessons.before(), classes, features);
  while (lessons.given() < lessons.before() + CostPart::kCounted) {
    float x[kMaxFeatures];
    float scaled[kMaxFeatures];
    float probabilities[kMaxClasses];
    const uint16_t truth = lessons.next(x);
    statistics.update(x, kHorizon);
    standardise(statistics, x, scaled);
    predict.run([&] { head.predict(scaled, probabilities); });
    learn.run([&] { head.learn(scaled, probabilities, truth, how); });
  }
}

void count_rehearsal(uint16_t classes, uint16_t features) {
  static SoftmaxHead head;
  static RehearsalBuffer rehearsal;
  RunningStats statistics;
  statistics.reset(features);
  head.reset(features);
  rehearsal.reset(features, kMaxRehearsal);
  for (uint16_t k = 0; k < classes; ++k) head.add_class();
  const SoftmaxRule how = {rule_of(Settings(), Setting::kClassifierRate), true, true};
  Lessons lessons(classes, features);
  constexpr int kRehearsed = 4;  // as a device starts with
  CostPart keep("rehearsal: keep a lesson", lessons.before(), classes, features);
  CostPart again("rehearsal: a lesson again", lessons.before(), classes, features);
  CostPart learn("softmax, rehearsal of 4: learn", lessons.before(), classes, features);
  while (lessons.given() < lessons.before() + CostPart::kCounted) {
    float x[kMaxFeatures];
    float scaled[kMaxFeatures];
    float probabilities[kMaxClasses];
    const uint16_t truth = lessons.next(x);
    statistics.update(x, kHorizon);
    standardise(statistics, x, scaled);
    head.predict(scaled, probabilities);
    uint32_t measurements = 2;
    uint32_t all = instructions_of([&] { head.learn(scaled, probabilities, truth, how); });
    for (int i = 0; i < kRehearsed && rehearsal.rows.size > 0; ++i) {
      const auto once = [&] {
        float drawn[kMaxFeatures];
        const int of_class = rehearsal.draw(drawn);
        standardise(statistics, drawn, scaled);
        head.predict(scaled, probabilities);
        head.learn(scaled, probabilities, static_cast<uint16_t>(of_class), how, false);
      };
      all += again.run(once);
      ++measurements;
    }
    all += keep.run([&] { rehearsal.add(x, truth); });
    learn.add(all, measurements);
  }
}

void count_gaussian(bool full, uint16_t classes, uint16_t features) {
  static GaussianHead head;
  head.reset(features, full, PriorVariances().value);
  for (uint16_t k = 0; k < classes; ++k) head.add_class();
  const GaussianRule how = {kHorizon, 2.0f, 0.05f};
  Lessons lessons(classes, features);
  CostPart predict(full ? "Gaussian, full: predict" : "Gaussian, diagonal: predict",
                   lessons.before(), classes, features);
  CostPart learn(full ? "Gaussian, full: learn" : "Gaussian, diagonal: learn", lessons.before(),
                 classes, features);
  while (lessons.given() < lessons.before() + CostPart::kCounted) {
    float x[kMaxFeatures];
    float probabilities[kMaxClasses];
    float novelty;
    const uint16_t truth = lessons.next(x);
    predict.run([&] { head.predict(x, probabilities, &novelty); });
    learn.run([&] { head.learn(x, truth, how); });
  }
}

void count_classifier(uint16_t classes, uint16_t features) {
  static Classifier classifier;
  RunningStats statistics;
  statistics.reset(features);
  classifier.softmax.reset(features);
  classifier.gaussian.reset(features, false, PriorVariances().value);
  classifier.rehearsal.reset(features, kMaxRehearsal);
  for (uint16_t k = 0; k < classes; ++k) classifier.add_class();
  const Settings settings;
  Lessons lessons(classes, features);
  CostPart predict("classifier, as it starts: predict", lessons.before(), classes, features);
  CostPart learn("classifier, as it starts: lesson", lessons.before(), classes, features);
  while (lessons.given() < lessons.before() + CostPart::kCounted) {
    float x[kMaxFeatures];
    float probabilities[kMaxClasses];
    float novelty;
    const uint16_t truth = lessons.next(x);
    statistics.update(x, kHorizon);
    predict.run([&] { classifier.predict(x, statistics, settings, probabilities, &novelty); });
    learn.run([&] { classifier.learn(x, statistics, truth, settings); });
  }
}

}  // namespace emulator
}  // namespace tinyol
