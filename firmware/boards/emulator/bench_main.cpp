// The benchmark image: how many instructions the stages of Algorithm 1 take, for the model that
// is linked in (instructions.h). cost_main.cpp counts the learning parts one by one.
//   notices: STAGE instructions name, once a window for each stage; DONE at the end
#include "cost_inputs.h"
#include "idle.h"
#include "instructions.h"
#include "linked_model.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/float_math.h"
#include "tinyol/learned_state.h"
#include "tinyol/quantize.h"
#include "tinyol/windower.h"
#include "uart.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kWindows = 16;        // counted, of each kind
constexpr uint32_t kLessonsBefore = 40;  // of each class
constexpr uint16_t kClasses = 3 < kMaxClasses ? 3 : kMaxClasses;

class Stage {
 public:
  explicit Stage(const char* name) : name_(name), start_(timer_ticks()) {}
  void end() {
    const uint32_t n = instructions_since(start_);
    Notice("STAGE").decimal(static_cast<int32_t>(n)).text(" ").text(name_);
  }

 private:
  const char* name_;
  uint32_t start_;
};

// A shaken sensor: gravity on z, +-0.25 g of noise.
void next_sample(float sample[3]) {
  for (int axis = 0; axis < 3; ++axis) {
    sample[axis] = 0.25f * noise() + (axis == 2 ? 1.0f : 0.0f);
  }
}

// One stage after the other on a learned state of its own, as Learner::process has them.
class Stages {
 public:
  void begin(const Model& model, FrozenNet* net, uint16_t n_features) {
    net_ = net;
    windower_.begin(model.pipeline);
    state_.reset(model, n_features);
    softmax_.reset(n_features);
    for (uint16_t k = 0; k < kClasses; ++k) {
      state_.classifier.add_class();
      softmax_.add_class();
    }
  }

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

    Stage statistics("running statistics");
    state_.statistics.update(features,
                             static_cast<uint32_t>(settings[Setting::kStatisticsHorizon]));
    statistics.end();

    float novelty;
    float scaled[kMaxFeatures];
    Stage predict("classifier predict");
    state_.classifier.predict(features, state_.statistics, settings, probabilities_, &novelty,
                              scaled);
    predict.end();

    Stage lesson("classifier lesson");
    state_.classifier.learn(features, state_.statistics, truth, settings, scaled, probabilities_);
    lesson.end();

    Stage scaling("standardise");
    standardise(state_.statistics, features, scaled);
    scaling.end();

    const SoftmaxRule rule = {rule_of(settings, Setting::kClassifierRate),
                              settings[Setting::kClassifierBias] != 0.0f,
                              settings[Setting::kClassifierBalanced] != 0.0f};
    Stage softmax("softmax predict");
    softmax_.predict(scaled, probabilities_);
    softmax.end();

    Stage step("softmax step");
    softmax_.learn(scaled, probabilities_, truth, rule);
    step.end();

    const ReconstructionLoss loss = static_cast<ReconstructionLoss>(
        static_cast<uint8_t>(settings[Setting::kReconstructionLoss]));
    Stage forward("fine-tuning predict");
    read_tensor(net_->output(Tap::kHidden), hidden_, state_.reconstruction.n_hidden);
    state_.reconstruction.predict(hidden_, loss, output_);
    forward.end();

    Stage tune("fine-tuning step");
    state_.reconstruction.learn(hidden_, window_.input, loss,
                                rule_of(settings, Setting::kReconstructionRate), output_);
    tune.end();
  }

 private:
  FrozenNet* net_ = nullptr;
  Windower windower_;
  Window window_;
  LearnedState state_;
  SoftmaxHead softmax_;  // by itself, the paper's classifier
  float probabilities_[kMaxClasses] = {};
  float hidden_[kMaxHidden] = {};
  float output_[kMaxInputs] = {};
};

// The whole device, from a window's last sample to its result. Without a name nothing is told.
void run_windows(const char* name, uint32_t windows, Device* device, Stages* stages) {
  for (uint32_t done = 0; done < windows;) {
    float sample[3];
    next_sample(sample);
    WindowResult result;
    const uint32_t start = timer_ticks();
    const bool completed = device->push_sample(sample, &result);
    const uint32_t n = instructions_since(start);
    if (stages != nullptr) stages->push(sample);
    if (!completed) continue;
    if (name != nullptr) Notice("STAGE").decimal(static_cast<int32_t>(n)).text(" ").text(name);
    if (stages != nullptr) {
      stages->measure(device->learner().features(), static_cast<uint16_t>(done % kClasses));
    }
    ++done;
  }
}

void set(Device* device, Setting which, float value) {
  Refusal refusal;
  const uint16_t id = setting_info(static_cast<int>(which)).id;
  if (device->set(id, value, &refusal) != Status::kOk) stop_refused(refusal);
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
  Notice("READY").text("benchmark");
  for (uint16_t k = 0; k < kClasses; ++k) {
    const char name = static_cast<char>('a' + k);
    uint16_t index;
    device.add_class(&name, 1, &index, nullptr);
    device.label(index, kUntilStopped, nullptr);
    run_windows(nullptr, kLessonsBefore, &device, nullptr);
  }
  device.label(kNoClass, 0, nullptr);
  device.calibrate(0, kLessonsBefore, nullptr);  // so that the shaking is no alarm
  run_windows(nullptr, kLessonsBefore + 1, &device, nullptr);
  run_windows("window, predicting", kWindows, &device, nullptr);

  device.label(0, kUntilStopped, nullptr);
  device.gap();  // a label holds for whole windows only: this way the first is a lesson too
  run_windows("window, lesson", kWindows, &device, nullptr);
  device.fine_tune(kUntilStopped, nullptr);
  device.gap();  // device and stages begin a window together
  run_windows("window, lesson + fine-tuning, SGD", kWindows, &device, &stages);
  set(&device, Setting::kReconstructionRule, 1.0f);
  run_windows("window, lesson + fine-tuning, NLMS", kWindows, &device, nullptr);
  set(&device, Setting::kReconstructionRule, 2.0f);
  run_windows("window, lesson + fine-tuning, RLS", kWindows, &device, nullptr);
  set(&device, Setting::kReconstructionRule, 0.0f);
  set(&device, Setting::kReconstructionRehearsal, 1.0f);
  run_windows("window, lesson + fine-tuning, SGD, 1 rehearsed", kWindows, &device, nullptr);
  Notice("DONE").decimal(static_cast<int32_t>(kWindows));
  for (;;) idle();
}

}  // namespace emulator
}  // namespace tinyol
