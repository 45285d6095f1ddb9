// A machine for a year: samples of four states of work and of faults, the same on every compiler.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace endurance {

constexpr int kStates = 4;      // of work, from nearly off to high
constexpr int kFault = 4;       // louder and faster than any of them
constexpr int kQuietFault = 5;  // quieter than any of them
constexpr int kDead = 6;        // the sensor gives one and the same value

// The gain rises and falls by a fifth within kGainPeriod samples, as with wear and repair; the
// sensor's noise and the machine's pitch are drawn anew for every sample.
class Machine {
 public:
  static constexpr uint32_t kGainPeriod = 40000000;

  // The next sample, x y z in g.
  void sample(int state, float xyz[3]);
  // A number in 0 .. n - 1 for whoever plans this machine's life; the samples are drawn elsewhere.
  uint32_t draw(uint32_t n);

 private:
  float noise();  // -1 .. 1

  uint32_t noise_ = 2463534242u;
  uint32_t plan_ = 88675123u;
  uint32_t phase_ = 0;  // of the shaft: 2^32 is a turn; wraps
  uint32_t age_ = 0;    // samples; wraps within kGainPeriod
};

}  // namespace endurance
}  // namespace tinyol
