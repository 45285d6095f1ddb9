// ArduinoBLE's own layers with three things put right, through the seams that the library has for
// its tests (it must be built with FAKE_HCI and FAKE_ATT, which leave `HCI` and `ATT` to us):
//   - a write to a characteristic that notifies is not echoed to the writer;
//   - how much room the controller has is known beforehand: the library waits for room for ever,
//     and handles requests meanwhile, inside of others;
//   - packets that were under way when a connection broke are forgotten: the library goes on
//     counting them, and in the end waits for them.
// Written against ArduinoBLE 1.5.0.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

// True once the controller can take a packet; waits at most `wait_ms` for it.
bool radio_has_room(uint32_t wait_ms);

// Notifications leave only while this lives: the ones that we mean.
class NotifyGate {
 public:
  NotifyGate();
  ~NotifyGate();
  NotifyGate(const NotifyGate&) = delete;
  NotifyGate& operator=(const NotifyGate&) = delete;
};

// Counts the connections made so far, so that one that broke and came back is noticed.
uint32_t connections_made();
bool radio_connected();
// Bytes of the connection's ATT MTU; 23 without one.
uint16_t connection_mtu();

}  // namespace nano33ble
}  // namespace tinyol
