// One step back: the state image from just before the last request that taught or forgot
// something, so that a mistaken label or fine-tuning run can be taken back. Everything in the
// image goes back with it, also what was learned and set since: Undone says how much that is.
#pragma once

#include <stdint.h>

#include "tinyol/class_table.h"
#include "tinyol/learned_state.h"
#include "tinyol/model.h"
#include "tinyol/status.h"

namespace tinyol {

// What can be taken back, numbered as its request (message.h).
enum class Undoable : uint8_t {
  kNothing = 0,
  kClassRemove = 15,
  kLabel = 16,
  kLabelBack = 17,
  kFineTune = 18,
  kReset = 32,
  kRelearn = 52,
  kCalibrate = 54,
  kUnknownName = 55,
};

struct Undone {
  Undoable what = Undoable::kNothing;
  int16_t class_index = -1;                 // as of then; -1: it is about none, or made one
  char class_name[kMaxNameBytes + 1] = {};  // as of then, or the name given; "" without a class
  uint64_t sample_index = 0;                // of the sample that was due when it was asked for
  uint32_t lessons = 0;                     // since; these and the next stop at 2^32 - 1
  uint32_t steps = 0;                       // since: the reconstruction layer's
  uint32_t windows = 0;                     // since
  uint32_t other_changes = 0;               // since: settings, names, weights, classes added
};

class Undo {
 public:
  // `buffer` holds one state image and outlives this; null: nothing can be taken back.
  void begin(uint8_t* buffer, uint32_t bytes);
  bool has_room() const { return buffer_ != nullptr; }

  // Before `what` is done to `state`, which replaces what was kept. `name`: (length) bytes; null:
  // that of the class.
  void keep(const Model& model, const LearnedState& state, Undoable what, int class_index = -1,
            const char* name = nullptr, uint32_t length = 0);
  // Something else was changed that will go back too.
  void count_other();
  void forget() { bytes_ = 0; }

  // What restore() would take back; kNothing: there is nothing.
  Undone describe(const LearnedState& now) const;
  // Puts back what was kept, but for the counters, which stay: no index comes twice. Where it was
  // a reset, samples and windows before it and since are added up for that. Afterwards nothing is
  // kept. kNotFound "undo" where nothing is, else as read_state_image: then nothing has changed.
  Status restore(const Model& model, LearnedState* state, Refusal* refusal);

 private:
  uint8_t* buffer_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t bytes_ = 0;    // of the image; 0: nothing is kept
  Undone about_;          // but for the counts since
  uint32_t lessons_ = 0;  // as the state had them when it was done
  uint32_t steps_ = 0;
  uint64_t windows_ = 0;
};

}  // namespace tinyol
