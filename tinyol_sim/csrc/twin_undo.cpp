// Taking back, and what speaks against a label.
#include <string.h>

#include "float_mode.h"
#include "refusal.h"
#include "twin.h"
#include "twin_api.h"

extern "C" {

void tinyol_twin_contradiction(const tinyol_twin* twin, int class_index, uint16_t windows,
                               tinyol_contradiction* found) {
  const tinyol::FloatMode mode;
  const tinyol::Contradiction c = windows > 0
                                      ? twin->device.contradiction_back(class_index, windows)
                                      : twin->device.contradiction(class_index);
  found->class_index = c.class_index;
  found->windows = c.windows;
  found->confidence = c.confidence;
}

int tinyol_twin_undo(tinyol_twin* twin, int only_say, tinyol_undone* undone,
                     tinyol_refusal* refusal) {
  const tinyol::FloatMode mode;
  tinyol::Refusal why;
  tinyol::Undone u;
  tinyol::Device& device = twin->device;
  const tinyol::Status status = only_say != 0 ? device.would_undo(&u, &why) : device.undo(&u, &why);
  undone->what = static_cast<uint8_t>(u.what);
  undone->class_index = u.class_index;
  memcpy(undone->class_name, u.class_name, sizeof(undone->class_name));
  undone->sample_index = u.sample_index;
  undone->lessons = u.lessons;
  undone->steps = u.steps;
  undone->windows = u.windows;
  undone->other_changes = u.other_changes;
  const int result = tinyol::report(status, why, refusal);
  if (only_say != 0) return result;
  return u.what == tinyol::Undoable::kReset ? twin->began_anew(result) : twin->relabelled(result);
}

}  // extern "C"
