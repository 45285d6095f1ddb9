// One device and its life on a machine: work in blocks, lessons, faults, knocks and dead sensors,
// fine-tuning by every rule and loss, calibrations, classes that come and go, settings turned.
// What it has counted and learned is held against 64-bit tallies and the float64 mirror.
#pragma once

#include <stdint.h>

#include "float64_mirror.h"
#include "machine.h"
#include "tallies.h"
#include "tinyol.h"

namespace tinyol {
namespace endurance {

// How well the device did since the last look.
struct Record {
  uint64_t windows = 0;
  uint64_t judged = 0;  // windows of work in a known state, and their prediction
  uint64_t right = 0;
  uint64_t calm = 0;          // windows of work under no alarm
  uint64_t faulty = 0;        // windows wholly within a fault, once normal is known
  uint64_t faults_seen = 0;   // ... with a score above 1
  double error = 0;           // sum of the frozen net's, over windows of work
  double tuned_error = 0;     // ... of the error in force
  double largest_weight = 0;  // of the softmax head and the fine-tuned layer
};

class Life {
 public:
  explicit Life(Device* device);

  // Goes on for at least so many windows, to the end of a block.
  void live(uint64_t windows);

  const Tallies& tallies() const { return tallies_; }
  Float64Mirror& mirror() { return mirror_; }
  Machine& machine() { return machine_; }
  Record take_record();
  // The device took over its own image, as at a reboot: what was under way has ended.
  void rebooted();

 private:
  void plan_block();
  void turn_settings();
  void look_after();
  void teach_late();
  void name_the_unknown();
  void push(const float xyz[3]);
  void took(const WindowResult& result);

  Device& device_;
  Machine machine_;
  Float64Mirror mirror_;
  Tallies tallies_;
  Record record_;
  uint64_t blocks_ = 0;
  uint64_t day_ = 0;
  int uneasy_ = 0;  // blocks in a row that began with an alarm or a change standing
  int state_ = 0;
  uint32_t in_state_ = 0;  // samples since it began, or since a gap
  float recent_[kMaxWindow][3] = {};
  uint32_t next_recent_ = 0;
};

}  // namespace endurance
}  // namespace tinyol
