#include "tinyol/undo.h"

#include <string.h>

#include "tinyol/count_up.h"
#include "tinyol/state_image.h"

namespace tinyol {
namespace {

// From `then` to `now`; a counter that began anew in between counts from there.
uint32_t since(uint64_t now, uint64_t then) {
  const uint64_t n = now >= then ? now - then : now;
  return n < UINT32_MAX ? static_cast<uint32_t>(n) : UINT32_MAX;
}

uint64_t add(uint64_t a, uint64_t b) {
  return a + b < kMostSamples ? a + b : kMostSamples;  // both are at most that
}

}  // namespace

void Undo::begin(uint8_t* buffer, uint32_t bytes) {
  buffer_ = buffer;
  capacity_ = buffer != nullptr ? bytes : 0;
  bytes_ = 0;
}

void Undo::keep(const Model& model, const LearnedState& state, Undoable what, int class_index,
                const char* name, uint32_t length) {
  bytes_ = buffer_ != nullptr ? write_state_image(model, state, buffer_, capacity_) : 0;
  about_ = Undone();
  about_.what = what;
  about_.class_index = static_cast<int16_t>(class_index);
  about_.sample_index = state.counters.samples;
  if (name == nullptr && class_index >= 0) {
    name = state.classes.names[class_index];
    length = kMaxNameBytes;  // they are padded with zeros
  }
  if (name != nullptr) memcpy(about_.class_name, name, length);
  const bool anew = what == Undoable::kReset;
  lessons_ = anew ? 0 : state.classifier.lessons;
  steps_ = anew ? 0 : state.reconstruction.steps.applied;
  windows_ = anew ? 0 : state.counters.windows;
}

void Undo::count_other() {
  count_up(&about_.other_changes);
}

Undone Undo::describe(const LearnedState& now) const {
  if (bytes_ == 0) return Undone();
  Undone undone = about_;
  undone.lessons = since(now.classifier.lessons, lessons_);
  undone.steps = since(now.reconstruction.steps.applied, steps_);
  undone.windows = since(now.counters.windows, windows_);
  return undone;
}

Status Undo::restore(const Model& model, LearnedState* state, Refusal* refusal) {
  if (bytes_ == 0) return refuse(refusal, Status::kNotFound, "undo");
  Counters counters = state->counters;
  const Status status = read_state_image(model, buffer_, bytes_, state, refusal);
  if (status != Status::kOk) return status;
  bytes_ = 0;
  if (about_.what == Undoable::kReset) {
    const Counters& before = state->counters;
    counters.samples = add(counters.samples, before.samples);
    counters.windows = add(counters.windows, before.windows);
  }
  state->counters = counters;
  return Status::kOk;
}

}  // namespace tinyol
