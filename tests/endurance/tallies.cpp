#include "tallies.h"

#include "check.h"

namespace tinyol {
namespace endurance {
namespace {

uint32_t held(uint64_t count) {
  return count < UINT32_MAX ? static_cast<uint32_t>(count) : UINT32_MAX;
}

}  // namespace

void check_tallies(const Tallies& tallies, const LearnedState& state) {
  const Counters& counters = state.counters;
  FUZZ_CHECK(counters.samples == tallies.samples && counters.windows == tallies.windows);
  FUZZ_CHECK(counters.gaps == held(tallies.gaps));
  FUZZ_CHECK(counters.refused_samples == held(tallies.refused_samples));
  FUZZ_CHECK(counters.refused_windows == 0);
  FUZZ_CHECK(state.statistics.count == held(tallies.statistics));
  FUZZ_CHECK(state.classifier.lessons == held(tallies.lessons));
  const StepCounts& steps = state.reconstruction.steps;
  FUZZ_CHECK(steps.applied == UINT32_MAX ||
             uint64_t{steps.applied} + steps.not_finite + steps.over_limit == tallies.steps);
  FUZZ_CHECK(state.detector.alarms == held(tallies.alarms));
  FUZZ_CHECK(state.unknown.count == held(tallies.unknown));
  FUZZ_CHECK(state.metrics.error.count == held(tallies.windows));
  for (uint16_t k = 0; k < state.classes.size; ++k) {
    FUZZ_CHECK(state.classifier.gaussian.lessons[k] == held(tallies.of_class[k]));
    FUZZ_CHECK(state.classifier.softmax.lessons[k] == held(tallies.of_class[k]));
    FUZZ_CHECK(state.classifier.rehearsal.rows.seen[k] == held(tallies.of_class[k]));
  }
}

}  // namespace endurance
}  // namespace tinyol
