// Two things that move slowly and are no fault: the sensor's place, seen in gravity, and the
// machine, seen in the error's level.
//   moved:   the mean of the windows' means (gravity where the machine shakes evenly), an
//            exponential average over `windows` of them, has turned by more than `tilt_deg` from
//            the reference, or its length differs by more than `level_g`. Ends below 0.7 of both.
//            Without gravity (below 0.25 g: a mean was taken out) no direction is judged.
//   changed: two-sided cumulative sum on z, the standardised ln error cut to -5 .. 5:
//            up = max(0, up + z - delta), down = max(0, down - z - delta), above `lambda`
//            (Page, Biometrika 41, 1954; as the test of Page and Hinkley in Gama et al., ACM
//            Computing Surveys 46(4), 2014). Stands until acknowledged.
// It only says so; what is done about it is the learner's policy.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/status.h"

namespace tinyol {

struct DriftRule {
  float tilt_deg;    // degrees, up to 60
  float level_g;     // g
  uint16_t windows;  // the average's; the reference is the mean of as many first windows
  float delta;       // standard deviations
  float lambda;      // summed standard deviations; 0: not watched
};

struct DriftResult {
  bool moved_began = false;
  bool moved_ended = false;
  bool changed_began = false;
};

struct DriftMonitor {
  // Windows in the reference, which is complete at rule.windows of them and then stays. Equal to
  // recent_count until then, and `reference` to `recent`.
  uint32_t reference_count = 0;
  float reference[3] = {};  // g
  float recent[3] = {};     // g
  uint32_t recent_count = 0;
  bool moved = false;
  float up = 0.0f;
  float down = 0.0f;
  bool changed = false;

  void reset();
  void restart_reference();  // the sensor has a new place: calibrated there
  void acknowledge();        // the change is dealt with; the sums start at zero

  // gravity: mean of the window's samples, g. z: (ln error - mean) / deviation of normal; `judged`
  // is false while there is no normal yet.
  DriftResult update(const float gravity[3], float z, bool judged, const DriftRule& rule);

  // Angle between reference and recent in degrees, 0 .. 180; 0 before the reference is complete.
  // Error below 0.0001 up to 60, 0.0003 up to 120, 0.05 beyond.
  float tilt_deg() const;

  // Section DRIF: u32 reference count, f32[3] reference, f32[3] recent, u32 recent count, f32 up,
  // f32 down, u8 moved, u8 changed, u16 0.
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, DriftMonitor* into, Refusal* refusal);
};

}  // namespace tinyol
