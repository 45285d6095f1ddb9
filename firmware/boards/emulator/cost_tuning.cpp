#include "cost_tuning.h"

#include "cost_inputs.h"
#include "cost_part.h"
#include "tinyol/reconstruction_head.h"
#include "tinyol/recursive_least_squares.h"
#include "tinyol/window_rehearsal.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint16_t kHidden = 32;
constexpr uint16_t kOutputs = 40;
static_assert(kMaxHidden >= kHidden && kMaxInputs >= kOutputs, "the layer that is counted");

}  // namespace

void count_fine_tuning(const char* name, TuningRule with) {
  static ReconstructionHead head;
  static RecursiveLeastSquares least_squares;
  constexpr uint32_t kBefore = 8;
  constexpr ReconstructionLoss kLoss = ReconstructionLoss::kLinearSquared;
  head.reset(kHidden, kOutputs, true);
  least_squares.reset();
  const Settings settings;
  SgdRule how = rule_of(settings, Setting::kReconstructionRate);
  const bool tell_predict = with == TuningRule::kSgd;  // it is the same for all of them
  CostPart predict(tell_predict ? "fine-tuned layer: predict" : nullptr, kBefore, 0, 0);
  CostPart step(name, kBefore, 0, 0);
  for (uint32_t i = 0; i < kBefore + CostPart::kCounted; ++i) {
    float hidden[kHidden];
    float target[kOutputs];
    float output[kOutputs];
    for (float& value : hidden) value = noise();
    for (float& value : target) value = noise();
    predict.run([&] { head.predict(hidden, kLoss, output); });
    step.run([&] {
      if (with == TuningRule::kRls) {
        for (uint16_t j = 0; j < kOutputs; ++j) output[j] = target[j] - output[j];
        least_squares.step(head.layer(), hidden, output,
                           settings[Setting::kReconstructionForgetting], how.weight_limit,
                           &head.steps);
        return;
      }
      if (with == TuningRule::kNlms) {
        how.learning_rate =
            nlms_rate(settings[Setting::kReconstructionNlmsRate], head.layer(), hidden);
      }
      head.learn(hidden, target, kLoss, how, output);
    });
  }
}

void count_window_rehearsal() {
  static WindowRehearsal rehearsal;
  constexpr uint32_t kBefore = 40;  // it is full
  rehearsal.reset(kOutputs, kMaxRehearsalWindows);
  CostPart both("window rehearsal: update", kBefore, 0, 0);
  for (uint32_t i = 0; i < kBefore + CostPart::kCounted; ++i) {
    int8_t input[kOutputs];
    for (int8_t& value : input) value = static_cast<int8_t>(100.0f * noise());
    both.run([&] {
      rehearsal.add(input);
      rehearsal.draw();
    });
  }
}

}  // namespace emulator
}  // namespace tinyol
