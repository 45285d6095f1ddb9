// 100 million windows, a year at three a second, through one device.
//
// After every look a line of JSON: how far float32 has strayed from float64, how well the device
// did, and a CRC-32 of its state image, by which two compilers are held against each other. Stops
// with a message, and 134, where something that must hold does not.
#include <stdio.h>

#include "check.h"
#include "life.h"
#include "loaded_device.h"
#include "programs.h"
#include "state_checks.h"
#include "tinyol/crc32.h"

namespace tinyol {
namespace endurance {
namespace {

constexpr uint64_t kSoundEvery = 20000;  // windows
constexpr int kLooksPerReboot = 10;
constexpr uint32_t kFutureSamples = 4000;
constexpr double kMostWeight = 1000;  // the two weight limits, which nobody turns

// What float32 may cost. Each step of a running statistic rounds by half a unit in the last place,
// and a horizon H remembers H of them: H 2^-24 of the number itself at worst, for a mean; a second
// moment takes two such. The longest horizon is 65,536.
constexpr double kMeanBound = 65536.0 / 16777216.0;
constexpr double kMomentBound = 2 * kMeanBound;
constexpr double kGravityBound = 2e-6;  // g: 20 windows of 1 g

void check_strayed(const Strayed& s) {
  FUZZ_CHECK(s.mean <= kMeanBound && s.variance <= kMomentBound);
  FUZZ_CHECK(s.centre <= kMeanBound && s.covariance <= kMomentBound);
  FUZZ_CHECK(s.log_det <= kMaxFeatures * kMomentBound);
  FUZZ_CHECK(s.normal <= kMomentBound && s.running <= kMeanBound);
  FUZZ_CHECK(s.gravity <= kGravityBound);
}

void print(const Life& life, const LearnedState& state, const Record& r, const Strayed& s,
           uint32_t crc) {
  const auto share = [](double part, uint64_t of) {
    return of == 0 ? 0.0 : part / static_cast<double>(of);
  };
  printf("{\"windows\": %llu, \"lessons\": %llu, \"steps\": %llu, ",
         static_cast<unsigned long long>(life.tallies().windows),
         static_cast<unsigned long long>(life.tallies().lessons),
         static_cast<unsigned long long>(life.tallies().steps));
  const StepCounts& steps = state.reconstruction.steps;
  const StepCounts& classifier_steps = state.classifier.softmax.steps;
  printf("\"skipped\": %u, \"restarts\": %u, ",
         steps.not_finite + steps.over_limit + classifier_steps.not_finite +
             classifier_steps.over_limit,
         state.least_squares.restarts);
  printf("\"mean\": %.3g, \"variance\": %.3g, \"centre\": %.3g, \"covariance\": %.3g, ", s.mean,
         s.variance, s.centre, s.covariance);
  printf("\"log_det\": %.3g, \"normal\": %.3g, \"running\": %.3g, \"gravity\": %.3g, ", s.log_det,
         s.normal, s.running, s.gravity);
  printf("\"accuracy\": %.4f, \"calm\": %.4f, \"faulty\": %llu, \"faults_seen\": %.4f, ",
         share(static_cast<double>(r.right), r.judged),
         share(static_cast<double>(r.calm), r.judged), static_cast<unsigned long long>(r.faulty),
         share(static_cast<double>(r.faults_seen), r.faulty));
  printf("\"error\": %.5g, \"tuned_error\": %.5g, \"largest_weight\": %.5g, \"crc\": \"%08x\"}\n",
         share(r.error, r.judged), share(r.tuned_error, r.judged), r.largest_weight, crc);
  fflush(stdout);
}

}  // namespace

int year_of_windows(const char* model, uint64_t windows, uint64_t windows_per_look) {
  static LoadedDevice main_board;
  static LoadedDevice other;
  static LoadedDevice third;
  for (LoadedDevice* board : {&main_board, &other, &third}) {
    if (!board->load(model)) return 1;
  }
  static Life life(&main_board.device);
  int looks = 0;
  while (life.tallies().windows < windows) {
    const uint64_t until = life.tallies().windows + windows_per_look;
    Strayed strayed;
    while (life.tallies().windows < until) {
      life.live(kSoundEvery);
      fuzz::check_sound(main_board.device.state());
      check_tallies(life.tallies(), main_board.device.state());
      life.mirror().compare(&strayed);
    }
    check_strayed(strayed);
    const Record record = life.take_record();
    FUZZ_CHECK(record.largest_weight <= kMostWeight);
    const fuzz::Image image = fuzz::check_round_trip(main_board.device, &other.device);
    if (++looks % kLooksPerReboot == 0) {
      // What follows depends on the image alone, at every age.
      fuzz::check_same_future(image, &other.device, &third.device, kFutureSamples);
      FUZZ_CHECK(main_board.device.import_state(image.data(), static_cast<uint32_t>(image.size()),
                                                nullptr) == Status::kOk);
      life.rebooted();
    }
    print(life, main_board.device.state(), record, strayed,
          crc32(image.data(), static_cast<uint32_t>(image.size()) - kImageCrcBytes));
  }
  return 0;
}

}  // namespace endurance
}  // namespace tinyol
