// Two hosts, one on a wire and one on the radio, that come and go and ask for changes while their
// links are cut at any byte, somebody guesses keys, the board reboots, its power fails in the
// middle of a save, and its key is changed. Every change that a host was told of was made exactly
// once: the board's own count says so after each.
#pragma once

#include <stdint.h>

#include "churn_peer.h"

namespace tinyol {
namespace endurance {

class Churn {
 public:
  bool load(const char* model) { return board_.load(model); }
  void live(uint64_t ms, uint32_t start_ms);
  void marathon();
  void print();
  // What was said, and what the board has learned and saved.
  uint32_t digest();

 private:
  uint32_t draw(uint32_t n);
  void pair(bool rotate);
  void visit();
  void change(ChurnPeer* peer);
  Bytes any_change(Request* opcode);
  void reboot();
  void settle(ChurnPeer* peer, Told told, bool changes);

  ChurnBoard board_;
  ChurnPeer peers_[2] = {{&board_, 0, 11}, {&board_, 1, 22}};
  uint32_t random_ = 33;
  bool under_way_[2] = {};  // a peer's request whose last byte may come with its next connection
  uint32_t made_ = 0;       // changes since boot, by the hosts' book
  uint32_t value_ = 0;
  uint64_t changes_ = 0;
  uint64_t doubled_ = 0;
  uint64_t lost_ = 0;
  uint64_t reboots_ = 0;
  uint64_t rotations_ = 0;
  uint64_t power_cuts_ = 0;
};

}  // namespace endurance
}  // namespace tinyol
