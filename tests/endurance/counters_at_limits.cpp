// Every counter of a state image near each limit of its type and of float32.
//
// A device that has lived a while takes over its own image with one counter set near 2^24, 2^31 or
// 2^32 (the 64-bit ones: 2^32, 2^53, kMostSamples) and goes on through the same windows as one with
// the counter as it was. The counter must have gone on, or stopped at its largest value, and not a
// byte else may differ: no count changes what is learned once it is beyond its horizon.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "loaded_device.h"
#include "machine.h"
#include "programs.h"
#include "state_checks.h"
#include "tinyol/float_math.h"
#include "tinyol/state_image.h"

namespace tinyol {
namespace endurance {
namespace {

constexpr int kBlocks = 40;
constexpr int kBlockWindows = 50;

// The device under test, and the image that it writes of any state.
LoadedDevice board;

fuzz::Image image_of(const LearnedState& state) {
  fuzz::Image image(board.device.max_image_bytes());
  const uint32_t capacity = static_cast<uint32_t>(image.size());
  image.resize(write_state_image(board.model, state, image.data(), capacity));
  return image;
}

void take_over(const LearnedState& state, const char* what) {
  const fuzz::Image image = image_of(state);
  Refusal why;
  const Status status =
      board.device.import_state(image.data(), static_cast<uint32_t>(image.size()), &why);
  if (status != Status::kOk) fprintf(stderr, "%s: refused: %s\n", what, why.where);
  FUZZ_CHECK(status == Status::kOk);
}

void set(Setting which, float value) {
  const uint16_t id = setting_info(static_cast<int>(which)).id;
  FUZZ_CHECK(board.device.set(id, value, nullptr) == Status::kOk);
}

// A little of everything that counts: lessons, steps by every rule, skipped and clamped ones,
// alarms, unknown events, gaps and refused samples. The same at every call.
void live() {
  Machine machine;
  WindowResult result;
  for (int block = 0; block < kBlocks; ++block) {
    const int state = block % 10 == 7 ? kFault : block % 10 == 9 ? kQuietFault : block % kStates;
    const bool labelled = state < kStates && block % 3 != 0;
    FUZZ_CHECK(board.device.label(labelled ? state : kNoClass, labelled ? kUntilStopped : 0,
                                  nullptr) == Status::kOk);
    set(Setting::kReconstructionRule, static_cast<float>(block % 3));
    set(Setting::kReconstructionLoss, block % 5 == 4 ? 1.0f : 0.0f);
    set(Setting::kReconstructionWeightLimit, block % 10 == 6 ? 0.01f : 1000.0f);
    set(Setting::kClassifierWeightLimit, block % 10 == 8 ? 0.01f : 1000.0f);
    FUZZ_CHECK(board.device.fine_tune(kBlockWindows / 2, nullptr) == Status::kOk);
    if (block % 8 == 5) board.device.gap();
    for (int i = 0; i < kBlockWindows * board.model.pipeline.hop; ++i) {
      float xyz[3];
      machine.sample(state, xyz);
      if (block % 8 == 6 && i == 0) xyz[1] = float_from_bits(0x7F800000u);
      board.device.push_sample(xyz, &result);
    }
  }
  fuzz::check_sound(board.device.state());
}

// Counts beyond every horizon, so that none of them should matter any more; no rule that is meant
// to slow down with them, and nothing drawn by them.
LearnedState lived_in() {
  for (const char* name : {"a", "b", "c", "d"}) {
    uint16_t index;
    FUZZ_CHECK(board.device.add_class(name, 1, &index, nullptr) == Status::kOk);
  }
  set(Setting::kStatisticsHorizon, 64);
  set(Setting::kGaussianHorizon, 64);
  set(Setting::kAnomalyHorizon, 64);
  set(Setting::kAnomalyFalseRate, 0.05f);
  set(Setting::kDriftLambda, 0);  // a change that stands would end what normal learns
  set(Setting::kClassifierBalanced, 0);
  set(Setting::kReconstructionForgetting, 0.9f);
  // What the model knows as normal is another machine's.
  FUZZ_CHECK(board.device.calibrate(0, kBlocks * kBlockWindows, nullptr) == Status::kOk);
  for (int i = 0; i < 5; ++i) live();
  return board.device.state();
}

struct Counter {
  const char* name;
  uint32_t* (*of)(LearnedState*);
  bool rises;  // in live(); else it must stay as it is
};
#define COUNTER(field, rises) {#field, [](LearnedState* s) { return &s->field; }, rises}
const Counter kCounters[] = {
    COUNTER(counters.gaps, true),
    COUNTER(counters.refused_samples, true),
    COUNTER(counters.refused_windows, false),
    COUNTER(statistics.count, true),
    COUNTER(classifier.lessons, true),
    COUNTER(classifier.softmax.steps.applied, true),
    COUNTER(classifier.softmax.steps.not_finite, false),
    COUNTER(classifier.softmax.steps.over_limit, true),
    COUNTER(classifier.softmax.lessons[1], true),
    COUNTER(classifier.gaussian.lessons[1], true),
    COUNTER(reconstruction.steps.applied, true),
    COUNTER(reconstruction.steps.not_finite, false),
    COUNTER(reconstruction.steps.over_limit, true),
    COUNTER(reconstruction.clamped_targets, true),
    COUNTER(least_squares.restarts, false),
    COUNTER(detector.normal.count, true),
    COUNTER(detector.alarms, true),
    COUNTER(drift.recent_count, true),
    COUNTER(metrics.loss.count, true),
    COUNTER(metrics.error.count, true),
    COUNTER(metrics.confusion[kMaxClasses + 1], true),
};
#undef COUNTER

void check_counter(const Counter& counter, const LearnedState& start, const LearnedState& end) {
  LearnedState usual = end;
  const uint32_t began = *counter.of(const_cast<LearnedState*>(&start));
  const uint32_t rise = *counter.of(&usual) - began;
  if ((rise > 0) != counter.rises) fprintf(stderr, "%s: rose by %u\n", counter.name, rise);
  FUZZ_CHECK((rise > 0) == counter.rises);
  // Some windows before the limit, and at the very end.
  const uint32_t starts[] = {(1u << 24) - rise / 2, (1u << 31) - rise / 2, UINT32_MAX - rise / 2,
                             UINT32_MAX};
  for (uint32_t value : starts) {
    LearnedState late = start;
    *counter.of(&late) = value;
    take_over(late, counter.name);
    live();
    LearnedState found = board.device.state();
    const uint32_t due = UINT32_MAX - value < rise ? UINT32_MAX : value + rise;
    const bool right = *counter.of(&found) == due;
    *counter.of(&found) = *counter.of(&usual);
    const bool same = image_of(found) == image_of(usual);
    if (!right || !same) fprintf(stderr, "%s from %u\n", counter.name, value);
    FUZZ_CHECK(right);
    FUZZ_CHECK(same);
  }
}

// Sample and window numbers: the time base of learning, in 64 bits.
uint32_t check_sample_numbers(const LearnedState& start, const LearnedState& end) {
  const uint64_t n = end.counters.samples - start.counters.samples;
  const uint64_t windows = end.counters.windows - start.counters.windows;
  const uint64_t starts[] = {(uint64_t{1} << 32) - n / 2, (uint64_t{1} << 53) - n / 2,
                             kMostSamples - 2 * n, kMostSamples - n / 2, kMostSamples};
  for (uint64_t value : starts) {
    LearnedState late = start;
    late.counters.samples = late.counters.windows = value;
    take_over(late, "samples");
    live();
    LearnedState found = board.device.state();
    FUZZ_CHECK(found.counters.samples == (kMostSamples - value < n ? kMostSamples : value + n));
    FUZZ_CHECK(found.counters.windows ==
               (kMostSamples - value < windows ? kMostSamples : value + windows));
    if (kMostSamples - value < n) continue;  // 300 million years: that it is sound is enough
    const uint64_t moved = value - start.counters.samples;
    for (uint16_t i = 0; i < kUnknownEvents; ++i) {
      UnknownEvent& event = found.unknown.events[i];
      if (event.number <= start.unknown.count) continue;
      event.first_sample -= moved;
      event.last_sample -= moved;
    }
    if (found.unknown.run_began > 0) found.unknown.run_began -= moved;
    found.counters = end.counters;
    FUZZ_CHECK(image_of(found) == image_of(end));
  }
  return sizeof(starts) / sizeof(starts[0]);
}

// Those that something hangs on: what is drawn by them, events' numbers, rows of anomalies. They
// may change what follows, but the state stays sound and its image is one that a device takes over.
uint32_t check_others(const LearnedState& start) {
  uint32_t n = 0;
  const auto go_through = [&n](const LearnedState& late, const char* what) {
    take_over(late, what);
    live();
    take_over(LearnedState(board.device.state()), what);
    ++n;
  };
  for (uint32_t value : {(1u << 24) - 9, (1u << 31) - 9, UINT32_MAX - 9, UINT32_MAX}) {
    LearnedState late = start;
    for (uint32_t& seen : late.classifier.rehearsal.rows.seen) seen = value;
    go_through(late, "rehearsal seen");
    FUZZ_CHECK(board.device.state().classifier.rehearsal.rows.seen[1] >= value);
    late = start;
    late.window_rehearsal.seen = value;
    late.window_rehearsal.size = late.window_rehearsal.limit;
    late.settings.value[static_cast<int>(Setting::kReconstructionRehearsal)] = 2;
    go_through(late, "windows seen");
    FUZZ_CHECK(board.device.state().window_rehearsal.seen >= value);
    late = start;
    late.unknown.count = value;
    late.unknown.open = false;
    late.unknown.in_a_row = late.unknown.known_in_a_row = 0;
    late.unknown.run_began = 0;
    late.unknown.run_peak = 0;
    for (uint32_t age = 0; age < kUnknownEvents; ++age) {
      UnknownEvent& event = late.unknown.events[(value - age - 1) % kUnknownEvents];
      event = UnknownEvent();
      event.number = value - age;
      event.windows = 1;
    }
    go_through(late, "unknown events");
    FUZZ_CHECK(board.device.state().unknown.count >= value);
    late = start;
    late.settings.value[static_cast<int>(Setting::kClassifierBalanced)] = 1;
    late.classifier.softmax.lessons[0] = value;
    go_through(late, "balance");
  }
  for (uint32_t stride = 1; stride != 0; stride *= 2) {
    if (UINT32_MAX / stride < kUnknownVectors) continue;
    LearnedState late = start;
    UnknownEvents& unknown = late.unknown;
    unknown = UnknownEvents();
    unknown.n_features = late.statistics.n_features;
    unknown.count = 1;
    unknown.open = true;
    unknown.events[0].number = 1;
    unknown.events[0].windows = UINT32_MAX - 9;
    unknown.events[0].stride = stride;
    unknown.events[0].kept = kUnknownVectors;
    go_through(late, "an event's windows");
  }
  for (uint16_t value : {uint16_t{UINT16_MAX - 9}, uint16_t{UINT16_MAX}}) {
    LearnedState late = start;
    late.detector.over = value;
    late.detector.under = 0;
    go_through(late, "anomalies in a row");
    late.detector.over = 0;
    late.detector.under = value;
    go_through(late, "windows in a row");
  }
  return n;
}

}  // namespace

int counters_at_limits(const char* model) {
  if (!board.load(model)) return 1;
  const LearnedState start = lived_in();
  take_over(start, "its own");
  live();
  const LearnedState end = board.device.state();
  uint32_t starts = 0;
  for (const Counter& counter : kCounters) {
    check_counter(counter, start, end);
    starts += 4;
  }
  starts += check_sample_numbers(start, end);
  starts += check_others(start);
  printf("{\"images\": %u}\n", starts);
  return 0;
}

}  // namespace endurance
}  // namespace tinyol
