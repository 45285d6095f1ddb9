// "Something new since 14:02": windows in a row that no class explains become one event, and
// feature vectors of it are kept, so that naming it afterwards makes it a class.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/feature_ring.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint16_t kUnknownEvents = 2;    // kept, the latest ones
constexpr uint16_t kUnknownVectors = 24;  // kept of each, spread over it

struct UnknownEvent {
  uint32_t number = 0;        // from 1; 0: there is none
  uint64_t first_sample = 0;  // last sample of its first window
  uint64_t last_sample = 0;   // ... of its latest unknown one
  uint32_t windows = 0;       // unknown ones; stops at 2^32 - 1
  float peak_novelty = 0.0f;
  bool named = false;   // its vectors were learned
  uint16_t kept = 0;    // vectors, (kept, n_features) row-major
  uint32_t stride = 1;  // every so many-th window is kept; doubles when the room is full
  float vectors[kUnknownVectors * kMaxFeatures] = {};
};

struct UnknownResult {
  bool began = false;
  bool ended = false;
};

struct UnknownEvents {
  uint16_t n_features = 0;
  uint32_t count = 0;     // events so far; the latest one's number; stops at 2^32 - 1
  uint16_t in_a_row = 0;  // unknown windows, while no event is open
  uint16_t known_in_a_row = 0;
  bool open = false;                    // the latest event goes on
  uint64_t run_began = 0;               // first_sample of the windows in a row
  float run_peak = 0.0f;                // their largest novelty
  UnknownEvent events[kUnknownEvents];  // event number n is at (n - 1) % kUnknownEvents

  void reset(uint16_t features);

  // A window. `ring` holds its features already, newest last. `least`: windows in a row that make
  // an event, and that end it.
  UnknownResult update(bool unknown, float novelty, uint64_t sample_index, uint16_t least,
                       const FeatureRing& ring);
  const UnknownEvent* find(uint32_t number) const;  // null unless kept
  void mark_named(uint32_t number);                 // if it is kept; it ends, if it went on
  void close();                                     // neither an event nor a run goes on

  // Section UNKN: u16 d, u16 events written, u32 count, u16 in a row, u16 known in a row, u8 open,
  // u8[3] 0, u64 run began, f32 its peak, then each, the older first: u32 number, u64 first, u64
  // last, u32 windows, f32 peak, u8 named, u8 0, u16 kept, u32 stride, f32[kept][d].
  void write(ByteWriter* out) const;
  // `samples`: presented so far; an index beyond them is refused, since what follows would lie
  // before it.
  static Status read(ByteReader* in, uint16_t n_features, uint64_t samples, UnknownEvents* into,
                     Refusal* refusal);
};

}  // namespace tinyol
