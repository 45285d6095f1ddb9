// The running quantile over more samples than it counts.
//
// Its count is halved every 32,768 samples, for ever. Samples of a known distribution go by, and at
// each of 1,000 looks the share of the distribution that lies below the estimate is compared with
// the probability that was asked for. Prints a line of JSON for each of three probabilities.
#include <math.h>
#include <stdio.h>

#include <initializer_list>

#include "check.h"
#include "programs.h"
#include "tinyol/float_math.h"
#include "tinyol/p2_quantile.h"
#include "tinyol/xorshift.h"

namespace tinyol {
namespace endurance {
namespace {

constexpr uint64_t kLooks = 1000;
constexpr uint64_t kWarm = 20000;  // samples

void follow(float probability, uint64_t samples) {
  uint32_t random = kXorshiftSeed;
  P2Quantile quantile;
  double worst = 0;
  double squares = 0;
  uint64_t looks = 0;
  for (uint64_t i = 1; i <= samples; ++i) {
    // Exponential, as long-tailed as an error is: P(x > t) = e^-t.
    const float uniform = (static_cast<float>(xorshift32(&random) >> 8) + 0.5f) / 16777216.0f;
    quantile.update(-log_f32(uniform), probability);
    if (i < kWarm || i % (samples / kLooks) != 0) continue;
    FUZZ_CHECK(quantile.valid());
    const double below = 1.0 - exp(-static_cast<double>(quantile.value(probability)));
    const double off = fabs(below - static_cast<double>(probability));
    worst = off > worst ? off : worst;
    squares += off * off;
    ++looks;
  }
  printf("{\"probability\": %g, \"samples\": %llu, \"worst\": %.3g, \"usual\": %.3g}\n",
         static_cast<double>(probability), static_cast<unsigned long long>(samples), worst,
         sqrt(squares / static_cast<double>(looks)));
}

}  // namespace

int running_quantile(uint64_t samples) {
  for (float probability : {0.5f, 0.9f, 0.995f}) follow(probability, samples);
  return 0;
}

}  // namespace endurance
}  // namespace tinyol
