// A device without its hardware: samples in, labels and commands in, predictions and state out.
// The board, the emulated board and the twin are glue around this one class.
//
// What it learns depends on the order of samples and commands alone, never on a clock.
#pragma once

#include <stdint.h>

#include "tinyol/contradiction.h"
#include "tinyol/frozen_net.h"
#include "tinyol/learner.h"
#include "tinyol/model.h"
#include "tinyol/status.h"
#include "tinyol/undo.h"
#include "tinyol/windower.h"

namespace tinyol {

class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;  // its parts point at each other
  Device& operator=(const Device&) = delete;

  // The image that `model` was parsed from and `net` must outlive the device. The net has been
  // loaded already (our own kernels: from model.net).
  Status load(const Model& model, FrozenNet* net, Refusal* refusal);
  bool loaded() const { return loaded_; }

  // Memory for undo(): max_image_bytes() or more, after load(); it must outlive the device. Without
  // it, or where it is too small, nothing can be taken back.
  void keep_undo(uint8_t* buffer, uint32_t bytes);

  // One sample, x y z in g. True when it completed a window, described in *result. A sample that
  // is not finite or beyond kMaxSampleG is counted as refused and makes a gap. Where nothing is
  // loaded, samples are counted and no more.
  bool push_sample(const float sample[3], WindowResult* result);

  // The next sample does not follow the last one: the window starts anew.
  void gap();

  // Windows whose samples all come from now on are lessons for this class: the next `windows` of
  // them, or kUntilStopped; kNoClass stops.
  Status label(int class_index, uint32_t windows, Refusal* refusal);
  // The same for the last `windows` windows; *lessons = how many were still unlabelled and known.
  Status label_back(int class_index, uint16_t windows, uint16_t* lessons, Refusal* refusal);
  // What the device is sure of that speaks against label() and label_back(), asked before them: of
  // the last window since a gap, or of those that would be lessons.
  Contradiction contradiction(int class_index) const;
  Contradiction contradiction_back(int class_index, uint16_t windows) const;
  int current_label() const { return label_; }
  // Windows that the current label still holds for, or kUntilStopped; 0 without one.
  uint32_t label_left() const { return label_ == kNoClass ? 0 : label_left_; }

  Status add_class(const char* name, uint32_t length, uint16_t* index, Refusal* refusal);
  Status rename_class(uint16_t index, const char* name, uint32_t length, Refusal* refusal);
  Status remove_class(uint16_t index, Refusal* refusal);

  // How likely a class is before anything is seen, relative to the others: 1 to begin with.
  Status set_class_weight(uint16_t index, float weight, Refusal* refusal);
  // The class begins anew, from the last `windows` windows (1 or more); kNotFound "windows" where
  // none is kept, kUnsupported while classifier.learn is 0. *lessons = how many that were.
  Status relearn(int class_index, uint16_t windows, uint16_t* lessons, Refusal* refusal);
  // Gives an unknown event a name: a new class, or one that is there, learns its vectors.
  // kNotFound "event" unless it is one of the last kUnknownEvents, kExists "event" if it was named
  // before, kUnsupported while classifier.learn is 0; else as add_class.
  Status name_unknown(uint32_t number, const char* name, uint32_t length, uint16_t* index,
                      uint16_t* lessons, Refusal* refusal);

  Status fine_tune(uint32_t steps, Refusal* refusal);
  // See Learner::calibrate; kBadValue "windows" below AnomalyDetector::kSettling, unless 0.
  Status calibrate(uint32_t fine_tune_steps, uint32_t windows, Refusal* refusal);
  Status set(uint16_t setting_id, float value, Refusal* refusal);

  // Back to what training left; also ends labels and fine-tuning.
  Status reset(Refusal* refusal);

  // Takes back the last of: label() of a class, label_back(), relearn(), name_unknown(),
  // fine_tune() and calibrate() other than ending them, remove_class(), reset(). All that the state
  // image holds is as it was just before it, but for the counters (undo.h); labels, fine-tuning
  // and calibration end, and the window starts anew. Once: then there is nothing to take back, nor
  // after import_state(). *undone, which may be null: what it was. kUnsupported "undo" without
  // memory for it, kNotFound "undo" if there is nothing.
  Status undo(Undone* undone, Refusal* refusal);
  // The same, and nothing is changed.
  Status would_undo(Undone* undone, Refusal* refusal) const;
  void forget_undo() { undo_.forget(); }

  // Differs after all that is worth a save: a lesson, a step, a change of classes or settings, a
  // reset, an import. Windows that merely pass leave it as it is, though they move the running
  // statistics: those are saved along.
  uint32_t changes() const { return changes_; }

  uint32_t max_image_bytes() const;
  uint32_t export_state(uint8_t* out, uint32_t capacity) const;
  // Validates everything first; on success also ends labels and fine-tuning and restarts the
  // window, so that what follows depends on the image alone.
  Status import_state(const uint8_t* image, uint32_t length, Refusal* refusal);

  const LearnedState& state() const { return learner_.state; }
  const Model& model() const { return model_; }
  const Learner& learner() const { return learner_; }

 private:
  Status changed(Status status);
  Status find_class(int class_index, Refusal* refusal) const;
  int truth_for(uint64_t first_sample);
  void end_transients();
  void keep(Undoable what, int class_index = kNoClass);
  Status other_change(Status status);

  Model model_;
  Windower windower_;
  Window window_;
  Learner learner_;
  Undo undo_;
  bool has_window_ = false;  // since the last gap: learner_.features() are the last window's
  bool loaded_ = false;
  uint32_t changes_ = 0;  // wraps
  int label_ = kNoClass;
  uint32_t label_left_ = 0;  // windows, or kUntilStopped
  uint64_t label_from_ = 0;  // first sample it holds for
};

}  // namespace tinyol
