// Values that the peer wrote, until the main loop has time for them. The library hands them over
// from wherever it polls, in the middle of a reply that waits for room too; the server must not be
// entered there a second time.
#pragma once

#include <stdint.h>

#include "byte_ring.h"
#include "tinyol/gatt_link.h"

namespace tinyol {
namespace nano33ble {

class BleInbox {
 public:
  // A value that does not fit is dropped: the peer repeats its request.
  void put(GattCharacteristic characteristic, const uint8_t* value, uint32_t length);

  // The oldest value; false if there is none. `value`: room for kMaxGattValueBytes.
  bool take(GattCharacteristic* characteristic, uint8_t* value, uint32_t* length);

  void clear() { ring_.clear(); }
  uint32_t dropped() const { return dropped_; }

 private:
  static constexpr uint32_t kHeaderBytes = 3;  // characteristic, u16 length
  // 16 requests under way on bulk, each as long as a packet, and one long write on control.
  static constexpr uint32_t kBytes = 16 * (244 + kHeaderBytes) + kMaxGattValueBytes + kHeaderBytes;

  ByteRing<kBytes> ring_;
  uint32_t dropped_ = 0;
};

}  // namespace nano33ble
}  // namespace tinyol
