// One window through net and fine-tuned layer, and the rules by which that layer learns.
#include "tinyol/fp_contract.h"

#include <string.h>

#include "tinyol/learner.h"
#include "tinyol/quantize.h"

namespace tinyol {
namespace {

SgdRule reconstruction_rule(const Settings& s) {
  return {s[Setting::kReconstructionRate],
          static_cast<Schedule>(static_cast<uint8_t>(s[Setting::kReconstructionSchedule])),
          s[Setting::kReconstructionScheduleSteps],
          s[Setting::kReconstructionL2],
          s[Setting::kReconstructionClipNorm],
          s[Setting::kReconstructionWeightLimit]};
}

enum class Rule : uint8_t { kSgd = 0, kNlms = 1, kRls = 2 };

}  // namespace

bool Learner::reconstruct(const Window& window, WindowResult* result) {
  const uint16_t n = model_->n_outputs;
  const TensorView input = net_->input();
  write_tensor(input, window.input, n);
  if (fine_tune_left_ > 0 && rehearses(input)) {
    state.window_rehearsal.add(static_cast<const int8_t*>(input.data));
  }
  if (!net_->invoke()) return false;
  read_tensor(net_->output(Tap::kReconstruction), output_, n);
  result->error = mean_squared_error(window.input, output_, n);
  result->tuned_error = result->error;
  if (!(result->error <= kLargestFeature) || !read_embedding()) return false;

  ReconstructionHead& head = state.reconstruction;
  const bool in_use = head.steps.applied > 0 || fine_tune_left_ > 0 ||
                      model_->pipeline.error_source == ErrorSource::kTuned;
  if (!in_use) return true;
  const ReconstructionLoss loss = static_cast<ReconstructionLoss>(
      static_cast<uint8_t>(state.settings[Setting::kReconstructionLoss]));
  read_tensor(net_->output(Tap::kHidden), hidden_, model_->n_hidden);
  head.predict(hidden_, loss, output_);
  // Weights near a very high limit can put the layer's error out of range: then the frozen
  // net's stands for it, and the step below is skipped or repairs the layer.
  const float tuned_error = mean_squared_error(window.input, output_, n);
  if (tuned_error <= kLargestFeature) result->tuned_error = tuned_error;
  if (fine_tune_left_ == 0) return true;
  if (fine_tune_left_ != kUntilStopped) --fine_tune_left_;
  result->fine_tuned = fine_tune_step(window.input, loss);
  if (rehearses(input)) rehearse(loss);
  return true;
}

// Rehearsal is of what an int8 net takes in.
bool Learner::rehearses(const TensorView& input) const {
  return state.settings[Setting::kReconstructionRehearsal] > 0.0f &&
         input.type == TensorType::kInt8;
}

bool Learner::fine_tune_step(const float* target, ReconstructionLoss loss) {
  ReconstructionHead& head = state.reconstruction;
  const Settings& settings = state.settings;
  const Rule rule = static_cast<Rule>(static_cast<uint8_t>(settings[Setting::kReconstructionRule]));
  SgdRule sgd = reconstruction_rule(settings);
  if (rule == Rule::kRls && loss == ReconstructionLoss::kLinearSquared) {
    for (uint16_t i = 0; i < head.n_outputs; ++i) output_[i] = target[i] - output_[i];
    return state.least_squares.step(head.layer(), hidden_, output_,
                                    settings[Setting::kReconstructionForgetting], sgd.weight_limit,
                                    &head.steps);
  }
  if (rule != Rule::kSgd) {  // least squares knows no sigmoid: there it is NLMS too
    sgd.learning_rate =
        nlms_rate(settings[Setting::kReconstructionNlmsRate], head.layer(), hidden_);
    sgd.schedule = Schedule::kConstant;
  }
  return head.learn(hidden_, target, loss, sgd, output_);
}

void Learner::rehearse(ReconstructionLoss loss) {
  const uint16_t n = model_->n_outputs;
  const TensorView input = net_->input();
  float target[kMaxInputs];
  for (uint32_t i = state.settings.whole(Setting::kReconstructionRehearsal); i > 0; --i) {
    const int8_t* kept = state.window_rehearsal.draw();
    if (kept == nullptr) return;
    memcpy(input.data, kept, n);
    read_tensor(input, target, n);
    if (!net_->invoke()) return;
    read_tensor(net_->output(Tap::kHidden), hidden_, model_->n_hidden);
    state.reconstruction.predict(hidden_, loss, output_);
    fine_tune_step(target, loss);
  }
}

}  // namespace tinyol
