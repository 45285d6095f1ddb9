#include "tinyol/fp_contract.h"

#include "tinyol/device.h"

#include "tinyol/count_up.h"
#include "tinyol/state_image.h"

namespace tinyol {
namespace {

bool plausible(float g) {
  return g >= -kMaxSampleG && g <= kMaxSampleG;
}

Status no_model(Refusal* refusal) {
  return refuse(refusal, Status::kNoModel, "model");
}

}  // namespace

Status Device::load(const Model& model, FrozenNet* net, Refusal* refusal) {
  loaded_ = false;
  model_ = model;
  const Status status = learner_.begin(model_, net, refusal);
  if (status != Status::kOk) {
    model_ = Model();
    return status;
  }
  windower_.begin(model_.pipeline);
  label_ = kNoClass;
  has_window_ = false;
  undo_.begin(nullptr, 0);
  loaded_ = true;
  return Status::kOk;
}

void Device::keep_undo(uint8_t* buffer, uint32_t bytes) {
  undo_.begin(bytes >= max_image_bytes() ? buffer : nullptr, bytes);
}

void Device::gap() {
  if (loaded_) windower_.restart();
  has_window_ = false;
  count_up(&learner_.state.counters.gaps);
}

Status Device::changed(Status status) {
  if (status == Status::kOk) ++changes_;
  return status;
}

// Of what goes back with the next undo(), but is none itself.
Status Device::other_change(Status status) {
  if (status == Status::kOk) undo_.count_other();
  return changed(status);
}

void Device::keep(Undoable what, int class_index) {
  undo_.keep(model_, state(), what, class_index);
}

int Device::truth_for(uint64_t first_sample) {
  if (label_ == kNoClass || first_sample < label_from_) return kNoClass;
  const int truth = label_;
  if (label_left_ != kUntilStopped && --label_left_ == 0) label_ = kNoClass;
  return truth;
}

bool Device::push_sample(const float sample[3], WindowResult* result) {
  Counters& counters = learner_.state.counters;
  const uint64_t index = counters.samples;
  if (index < kMostSamples) ++counters.samples;
  if (!plausible(sample[0]) || !plausible(sample[1]) || !plausible(sample[2])) {
    count_up(&counters.refused_samples);
    gap();
    return false;
  }
  if (!loaded_ || !windower_.push(sample)) return false;
  windower_.take(&window_);
  const int truth = truth_for(index + 1 - model_.pipeline.window_len);
  const bool usable = learner_.process(window_, truth, result);
  has_window_ = usable;
  result->sample_index = index;
  const uint16_t kept = result->notices & (kNoticeUnknownEnded | kNoticeCalibrated);
  if (result->label != kNoClass || result->fine_tuned || kept != 0) ++changes_;
  return usable;
}

Status Device::find_class(int class_index, Refusal* refusal) const {
  if (!loaded_) return no_model(refusal);
  if (class_index >= 0 && class_index < state().classes.size) return Status::kOk;
  return refuse(refusal, Status::kNotFound, "class", static_cast<uint32_t>(class_index),
                state().classes.size);
}

Status Device::label(int class_index, uint32_t windows, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  if (class_index == kNoClass || windows == 0) {
    label_ = kNoClass;
    return Status::kOk;
  }
  const Status status = find_class(class_index, refusal);
  if (status != Status::kOk) return status;
  keep(Undoable::kLabel, class_index);
  label_ = class_index;
  label_left_ = windows;
  label_from_ = state().counters.samples;
  return Status::kOk;
}

Status Device::label_back(int class_index, uint16_t windows, uint16_t* lessons, Refusal* refusal) {
  *lessons = 0;
  const Status status = find_class(class_index, refusal);
  if (status != Status::kOk) return status;
  keep(Undoable::kLabelBack, class_index);
  *lessons = learner_.learn_back(static_cast<uint16_t>(class_index), windows);
  if (*lessons > 0) ++changes_;
  return Status::kOk;
}

Contradiction Device::contradiction(int class_index) const {
  if (!has_window_) return Contradiction();
  return learner_.contradiction(static_cast<uint16_t>(class_index));
}

Contradiction Device::contradiction_back(int class_index, uint16_t windows) const {
  if (!loaded_) return Contradiction();
  return learner_.contradiction_back(static_cast<uint16_t>(class_index), windows);
}

Status Device::add_class(const char* name, uint32_t length, uint16_t* index, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  return other_change(learner_.add_class(name, length, index, refusal));
}

Status Device::rename_class(uint16_t index, const char* name, uint32_t length, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  return other_change(learner_.state.classes.rename(index, name, length, refusal));
}

Status Device::remove_class(uint16_t index, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  const Status status = find_class(index, refusal);
  if (status != Status::kOk) return status;
  keep(Undoable::kClassRemove, index);
  learner_.remove_class(index);
  if (label_ == index) {
    label_ = kNoClass;
  } else if (label_ > index) {
    --label_;
  }
  return changed(Status::kOk);
}

Status Device::set_class_weight(uint16_t index, float weight, Refusal* refusal) {
  const Status status = find_class(index, refusal);
  if (status != Status::kOk) return status;
  if (!(weight >= kLeastClassWeight && weight <= kMostClassWeight)) {
    return refuse(refusal, Status::kBadValue, "weight");
  }
  learner_.state.classifier.gaussian.weight[index] = weight;
  return other_change(Status::kOk);
}

Status Device::relearn(int class_index, uint16_t windows, uint16_t* lessons, Refusal* refusal) {
  *lessons = 0;
  const Status status = find_class(class_index, refusal);
  if (status != Status::kOk) return status;
  if (windows == 0) return refuse(refusal, Status::kBadValue, "windows", 1, 0);
  if (state().settings[Setting::kClassifierLearn] == 0.0f) {
    return refuse(refusal, Status::kUnsupported, "classifier.learn");  // it would only forget
  }
  if (learner_.windows_kept() == 0) return refuse(refusal, Status::kNotFound, "windows");
  keep(Undoable::kRelearn, class_index);
  *lessons = learner_.relearn(static_cast<uint16_t>(class_index), windows);
  return changed(Status::kOk);
}

Status Device::name_unknown(uint32_t number, const char* name, uint32_t length, uint16_t* index,
                            uint16_t* lessons, Refusal* refusal) {
  *index = 0;
  *lessons = 0;
  if (!loaded_) return no_model(refusal);
  const UnknownEvent* event = state().unknown.find(number);
  if (event == nullptr) {
    return refuse(refusal, Status::kNotFound, "event", number, state().unknown.count);
  }
  if (event->named) return refuse(refusal, Status::kExists, "event", number);
  if (state().settings[Setting::kClassifierLearn] == 0.0f) {
    return refuse(refusal, Status::kUnsupported, "classifier.learn");  // its vectors would be lost
  }
  const int there = state().classes.find(name, length);
  if (there < 0) {
    const Status status = state().classes.check_new(name, length, refusal);
    if (status != Status::kOk) return status;
  }
  undo_.keep(model_, state(), Undoable::kUnknownName, there, name, length);
  if (there >= 0) {
    *index = static_cast<uint16_t>(there);
  } else {
    learner_.add_class(name, length, index, refusal);
  }
  *lessons = learner_.learn_unknown(number, *index);
  return changed(Status::kOk);
}

Status Device::fine_tune(uint32_t steps, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  if (steps > 0) keep(Undoable::kFineTune);
  learner_.fine_tune(steps);
  return Status::kOk;
}

Status Device::calibrate(uint32_t fine_tune_steps, uint32_t windows, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  if (windows > 0 && windows < AnomalyDetector::kSettling) {
    return refuse(refusal, Status::kBadValue, "windows", AnomalyDetector::kSettling, windows);
  }
  if (windows > 0) keep(Undoable::kCalibrate);
  learner_.calibrate(fine_tune_steps, windows);
  return Status::kOk;
}

Status Device::set(uint16_t setting_id, float value, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  return other_change(learner_.set(find_setting(setting_id), value, refusal));
}

void Device::end_transients() {
  windower_.restart();
  label_ = kNoClass;
  has_window_ = false;
  learner_.forget_transient();
}

Status Device::reset(Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  keep(Undoable::kReset);
  learner_.reset();
  end_transients();
  return changed(Status::kOk);
}

Status Device::would_undo(Undone* undone, Refusal* refusal) const {
  if (!loaded_) return no_model(refusal);
  if (!undo_.has_room()) return refuse(refusal, Status::kUnsupported, "undo");
  *undone = undo_.describe(state());
  if (undone->what == Undoable::kNothing) return refuse(refusal, Status::kNotFound, "undo");
  return Status::kOk;
}

Status Device::undo(Undone* undone, Refusal* refusal) {
  Undone about;
  Status status = would_undo(&about, refusal);
  if (status != Status::kOk) return status;
  status = undo_.restore(model_, &learner_.state, refusal);
  if (status != Status::kOk) return status;
  end_transients();
  if (undone != nullptr) *undone = about;
  return changed(status);
}

uint32_t Device::max_image_bytes() const {
  return loaded_ ? max_state_image_bytes(model_, learner_.n_features()) : 0;
}

uint32_t Device::export_state(uint8_t* out, uint32_t capacity) const {
  return loaded_ ? write_state_image(model_, state(), out, capacity) : 0;
}

Status Device::import_state(const uint8_t* image, uint32_t length, Refusal* refusal) {
  if (!loaded_) return no_model(refusal);
  const Status status = read_state_image(model_, image, length, &learner_.state, refusal);
  if (status != Status::kOk) return status;
  undo_.forget();
  end_transients();
  return changed(status);
}

}  // namespace tinyol
