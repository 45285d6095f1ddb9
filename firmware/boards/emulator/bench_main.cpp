// The benchmark image: how many instructions the stages of Algorithm 1 take, for the model that
// is linked in. It runs on a machine whose timer advances by 1024 ns an instruction (QEMU's
// -icount shift=10), so that 25 MHz ticks are instructions, exactly.
//   notices: STAGE instructions name, once a window for each stage; DONE at the end
#include "idle.h"
#include "linked_model.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/float_math.h"
#include "tinyol/learned_state.h"
#include "tinyol/quantize.h"
#include "tinyol/windower.h"
#include "tinyol/xorshift.h"
#include "uart.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kWindows = 32;
constexpr uint16_t kClasses = 3 < kMaxClasses ? 3 : kMaxClasses;

// Rounded to the nearest: a tick is 40 ns.
uint32_t instructions_between(uint32_t start_ticks, uint32_t end_ticks) {
  return static_cast<uint32_t>((uint64_t{end_ticks - start_ticks} * 40 + 512) / 1024);
}

// The cost of measuring: what an empty stage takes.
uint32_t measuring_cost() {
  const uint32_t start = timer_ticks();
  return instructions_between(start, timer_ticks());
}

class Stage {
 public:
  explicit Stage(const char* name) : name_(name), start_(timer_ticks()) {}
  void end() {
    const uint32_t end = timer_ticks();
    const uint32_t n = instructions_between(start_, end) - measuring_cost();
    Notice("STAGE").decimal(static_cast<int32_t>(n)).text(" ").text(name_);
  }

 private:
  const char* name_;
  uint32_t start_;
};

// A shaken sensor: gravity on z, +-0.25 g of noise.
void next_sample(uint32_t* random, float sample[3]) {
  for (int axis = 0; axis < 3; ++axis) {
    const float noise = static_cast<float>(static_cast<int32_t>(xorshift32(random)) >> 8);
    sample[axis] = noise * (0.25f / 8388608.0f) + (axis == 2 ? 1.0f : 0.0f);
  }
}

// The six settings of a rule stand in one row; `first` is its learning rate.
SgdRule rule(const Settings& settings, Setting first) {
  const float* v = settings.value + static_cast<int>(first);
  return {v[0], static_cast<Schedule>(static_cast<uint8_t>(v[1])), v[2], v[3], v[4], v[5]};
}

// One stage after the other on a learned state of its own, as Learner::process has them.
class Stages {
 public:
  void begin(const Model& model, FrozenNet* net, uint16_t n_features) {
    net_ = net;
    windower_.begin(model.pipeline);
    state_.reset(model, n_features);
    for (uint16_t k = 0; k < kClasses; ++k) state_.classifier.add_class();
  }

  void gap() { windower_.restart(); }
  void push(const float sample[3]) { windower_.push(sample); }

  // Once a push() has completed a window; `features` are that window's.
  void measure(const float* features, uint16_t truth) {
    const Settings& settings = state_.settings;
    Stage windowing("windowing");
    windower_.take(&window_);
    windowing.end();

    const uint16_t n = state_.reconstruction.n_outputs;
    Stage inference("inference");
    write_tensor(net_->input(), window_.input, n);
    net_->invoke();
    read_tensor(net_->output(Tap::kReconstruction), output_, n);
    static_cast<void>(mean_squared_error(window_.input, output_, n));
    inference.end();

    Stage standardisation("standardisation");
    state_.statistics.update(features,
                             static_cast<uint32_t>(settings[Setting::kStatisticsHorizon]));
    standardise(state_.statistics, features, scaled_);
    standardisation.end();

    Stage predict("classifier predict");
    state_.classifier.predict(scaled_, probabilities_);
    predict.end();

    Stage step("classifier step");
    state_.classifier.learn(scaled_, probabilities_, truth,
                            rule(settings, Setting::kClassifierRate));
    step.end();

    const ReconstructionLoss loss = static_cast<ReconstructionLoss>(
        static_cast<uint8_t>(settings[Setting::kReconstructionLoss]));
    Stage forward("fine-tuning predict");
    read_tensor(net_->output(Tap::kHidden), hidden_, state_.reconstruction.n_hidden);
    state_.reconstruction.predict(hidden_, loss, output_);
    forward.end();

    Stage tune("fine-tuning step");
    state_.reconstruction.learn(hidden_, window_.input, loss,
                                rule(settings, Setting::kReconstructionRate), output_);
    tune.end();
  }

 private:
  FrozenNet* net_ = nullptr;
  Windower windower_;
  Window window_;
  LearnedState state_;
  float scaled_[kMaxFeatures] = {};
  float probabilities_[kMaxClasses] = {};
  float hidden_[kMaxHidden] = {};
  float output_[kMaxInputs] = {};
};

// The whole device, from a window's last sample to its result.
void run_windows(const char* name, Device* device, Stages* stages, uint32_t* random) {
  uint32_t windows = 0;
  while (windows < kWindows) {
    float sample[3];
    next_sample(random, sample);
    WindowResult result;
    const uint32_t start = timer_ticks();
    const bool completed = device->push_sample(sample, &result);
    const uint32_t end = timer_ticks();
    stages->push(sample);
    if (!completed) continue;
    const uint32_t n = instructions_between(start, end) - measuring_cost();
    Notice("STAGE").decimal(static_cast<int32_t>(n)).text(" ").text(name);
    stages->measure(device->learner().features(), static_cast<uint16_t>(windows % kClasses));
    ++windows;
  }
}

}  // namespace

void run_program() {
  uart_begin();
  timer_begin();
  idle_begin();
  static Stages stages;
  LinkedModel* linked = load_linked_model();
  Device& device = linked->device;
  stages.begin(linked->model, &linked->net, device.learner().n_features());
  for (uint16_t k = 0; k < kClasses; ++k) {
    const char name = static_cast<char>('a' + k);
    uint16_t index;
    device.add_class(&name, 1, &index, nullptr);
  }
  Notice("READY").text("benchmark");
  uint32_t random = kXorshiftSeed;
  run_windows("window, predicting", &device, &stages, &random);
  device.label(0, kUntilStopped, nullptr);
  device.fine_tune(kUntilStopped, nullptr);
  device.gap();  // a label holds for whole windows only: this way the first is a lesson too
  stages.gap();
  run_windows("window, learning", &device, &stages, &random);
  Notice("DONE").decimal(static_cast<int32_t>(kWindows));
  for (;;) idle();
}

}  // namespace emulator
}  // namespace tinyol
