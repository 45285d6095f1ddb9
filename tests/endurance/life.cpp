#include "tinyol/fp_contract.h"

#include "life.h"

#include <math.h>
#include <string.h>

#include <algorithm>

#include "check.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace endurance {
namespace {

constexpr uint32_t kBlocksPerDay = 864;  // of 300 windows on average: 259,200, three a second
constexpr int kPatience = 20;            // blocks
constexpr uint32_t kCalibrating = 3000;  // windows
constexpr uint16_t kPassing = kStates;   // index of the class that is named and removed again

void expect(Status status) {
  FUZZ_CHECK(status == Status::kOk);
}

// Settings of a day, in turn; `days` of each. Rates are large: what a year does must show.
struct Turn {
  Setting which;
  float values[4];
};
constexpr Turn kTurns[] = {
    {Setting::kReconstructionRule, {0, 1, 2, 2}},
    {Setting::kReconstructionLoss, {0, 0, 0, 1}},
    {Setting::kReconstructionRehearsal, {0, 1, 0, 1}},
    {Setting::kReconstructionForgetting, {0.999f, 1.0f, 0.99f, 0.999f}},
    {Setting::kReconstructionSchedule, {0, 1, 2, 0}},
    {Setting::kClassifierSchedule, {0, 0, 2, 1}},
    {Setting::kClassifierRehearsal, {4, 0, 1, 0}},
    {Setting::kClassifierHead, {1, 0, 1, 1}},
    {Setting::kClassifierL2, {0, 0.001f, 0, 0}},
    {Setting::kStatisticsHorizon, {16384, 65536, 1024, 16384}},
    {Setting::kGaussianHorizon, {4096, 65536, 16384, 4096}},
    {Setting::kAnomalyHorizon, {4096, 65536, 4096, 16384}},
    {Setting::kDriftPolicy, {0, 1, 0, 0}},
};
// Setting i keeps a value for so many days: none of them together, and all pairs meet.
uint64_t days_of(int i) {
  return 1 + static_cast<uint64_t>(i) % 5;
}

}  // namespace

Life::Life(Device* device) : device_(*device), mirror_(*device) {
  uint16_t index;
  for (const char* name : {"off", "low", "medium", "high"}) {
    expect(device_.add_class(name, static_cast<uint32_t>(strlen(name)), &index, nullptr));
    mirror_.take_over_class(index);
  }
  mirror_.take_over_normal();
}

void Life::rebooted() {
  in_state_ = 0;
}

void Life::live(uint64_t windows) {
  const uint64_t until = tallies_.windows + windows;
  while (tallies_.windows < until) plan_block();
}

void Life::turn_settings() {
  for (int i = 0; i < static_cast<int>(sizeof(kTurns) / sizeof(kTurns[0])); ++i) {
    const float value = kTurns[i].values[day_ / days_of(i) % 4];
    expect(device_.set(setting_info(static_cast<int>(kTurns[i].which)).id, value, nullptr));
  }
}

void Life::teach_late() {
  uint16_t lessons = 0;
  const uint16_t index = static_cast<uint16_t>(machine_.draw(2) + 2);  // never 0 and 1
  if (machine_.draw(8) == 0) {
    if (device_.relearn(index, 32, &lessons, nullptr) == Status::kOk) tallies_.of_class[index] = 0;
  } else {
    expect(device_.label_back(index, 16, &lessons, nullptr));
  }
  tallies_.lessons += lessons;
  tallies_.of_class[index] += lessons;
  mirror_.take_over_class(index);
  mirror_.take_over_metrics();
}

void Life::name_the_unknown() {
  uint16_t index;
  uint16_t lessons;
  const uint32_t latest = device_.state().unknown.count;
  if (device_.name_unknown(latest, "passing", 7, &index, &lessons, nullptr) != Status::kOk) return;
  FUZZ_CHECK(index == kPassing);
  tallies_.lessons += lessons;
  tallies_.of_class[index] += lessons;
  mirror_.take_over_class(index);
  mirror_.take_over_metrics();
}

// An alarm or a change that lasts over every kind of work is this machine's new normal: somebody
// sees to it.
void Life::look_after() {
  const LearnedState& state = device_.state();
  const bool uneasy = state.detector.alarm || state.drift.changed;
  uneasy_ = uneasy ? uneasy_ + 1 : 0;
  if (uneasy_ < kPatience && blocks_ > 0) return;
  expect(device_.calibrate(0, kCalibrating, nullptr));
  uneasy_ = 0;
}

void Life::plan_block() {
  if (blocks_ % kBlocksPerDay == 0) turn_settings();
  look_after();
  if (blocks_ % kBlocksPerDay == kBlocksPerDay - 1) ++day_;
  ++blocks_;
  state_ = static_cast<int>(machine_.draw(kStates));
  in_state_ = 0;
  uint32_t windows = 100 + machine_.draw(401);
  const uint32_t chance = machine_.draw(1000);
  const bool labelled = chance < 600;
  if (chance >= 990) {
    state_ = chance < 994 ? kFault : chance < 998 ? kQuietFault : kDead;
    windows = 30 + machine_.draw(60);
  }
  expect(device_.label(labelled ? state_ : kNoClass, labelled ? kUntilStopped : 0, nullptr));
  if (chance % 8 == 0) expect(device_.fine_tune(machine_.draw(2000), nullptr));
  if (chance == 700) expect(device_.calibrate(machine_.draw(200), kCalibrating, nullptr));
  if (chance == 701 || chance == 702) teach_late();
  if (chance == 703) name_the_unknown();
  if (chance == 704 && device_.state().classes.size > kPassing) {
    expect(device_.remove_class(kPassing, nullptr));
    tallies_.of_class[kPassing] = 0;
    mirror_.forget_class(kPassing);
  }
  if (chance == 705) {
    device_.gap();
    ++tallies_.gaps;
    in_state_ = 0;
  }
  const uint32_t hop = device_.model().pipeline.hop;
  for (uint64_t left = uint64_t{windows} * hop; left > 0; --left) {
    float xyz[3];
    machine_.sample(state_, xyz);
    if (chance == 706 && left == 100) xyz[left % 3] = float_from_bits(0x7FC00000u);
    if (chance == 707 && left == 100) xyz[2] = 30.0f;  // a knock
    push(xyz);
  }
}

void Life::push(const float xyz[3]) {
  const uint16_t length = device_.model().pipeline.window_len;
  const bool steps_due = device_.learner().fine_tune_left() > 0;
  const float rehearsal = device_.state().settings[Setting::kReconstructionRehearsal];
  memcpy(recent_[next_recent_], xyz, sizeof(recent_[0]));
  next_recent_ = next_recent_ + 1u == length ? 0 : next_recent_ + 1;
  ++tallies_.samples;
  ++in_state_;
  if (!is_finite_f32(xyz[0] + xyz[1] + xyz[2])) {
    ++tallies_.refused_samples;
    ++tallies_.gaps;
    in_state_ = 0;
  }
  WindowResult result;
  if (!device_.push_sample(xyz, &result)) return;
  // The window itself is among those kept by then: every rehearsal finds one.
  if (steps_due) tallies_.steps += 1 + static_cast<uint64_t>(rehearsal);
  took(result);
}

void Life::took(const WindowResult& result) {
  ++tallies_.windows;
  if (device_.state().settings[Setting::kStatisticsLearn] != 0.0f) ++tallies_.statistics;
  tallies_.alarms += (result.notices & kNoticeAlarmBegan) != 0;
  tallies_.unknown += (result.notices & kNoticeUnknownBegan) != 0;
  if (result.label != kNoClass) {
    ++tallies_.lessons;
    ++tallies_.of_class[result.label];
  }
  const float told[] = {result.error, result.tuned_error, result.log_variance, result.confidence,
                        result.loss,  result.score,       result.novelty};
  for (float value : told) FUZZ_CHECK(is_finite_f32(value));
  FUZZ_CHECK(result.confidence >= 0.0f && result.confidence <= 1.0f && result.loss >= 0.0f);

  const uint16_t length = device_.model().pipeline.window_len;
  double mean[3] = {};
  for (uint16_t i = 0; i < length; ++i) {
    for (int c = 0; c < 3; ++c) mean[c] += recent_[i][c];
  }
  for (double& m : mean) m /= length;
  mirror_.window(result, mean);

  ++record_.windows;
  if (in_state_ < length) return;  // it began in another state
  const bool fault = state_ >= kStates;
  if (fault) {
    // A calibration under way tells no anomaly, and without a normal there is none.
    if (result.score == 0.0f) return;
    ++record_.faulty;
    record_.faults_seen += result.score > 1.0f;
    return;
  }
  ++record_.judged;
  record_.calm += !result.alarm;
  record_.right += result.predicted == state_;
  record_.error += result.error;
  record_.tuned_error += result.tuned_error;
}

Record Life::take_record() {
  Record record = record_;
  const SoftmaxHead& softmax = device_.state().classifier.softmax;
  const ReconstructionHead& layer = device_.state().reconstruction;
  const auto look = [&record](const float* values, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
      record.largest_weight = std::max(record.largest_weight, fabs(static_cast<double>(values[i])));
    }
  };
  look(softmax.weights, softmax.n_classes * softmax.n_features);
  look(softmax.bias, softmax.n_classes);
  look(layer.weights, layer.n_outputs * layer.n_hidden);
  look(layer.bias, layer.n_outputs);
  record_ = Record();
  return record;
}

}  // namespace endurance
}  // namespace tinyol
