#include "ble_inbox.h"

#include "tinyol/count_up.h"

namespace tinyol {
namespace nano33ble {

void BleInbox::put(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) {
  if (length > kMaxGattValueBytes || ring_.room() < kHeaderBytes + length) {
    count_up(&dropped_);
    return;
  }
  const uint8_t header[kHeaderBytes] = {static_cast<uint8_t>(characteristic),
                                        static_cast<uint8_t>(length),
                                        static_cast<uint8_t>(length >> 8)};
  ring_.put(header, sizeof(header));
  ring_.put(value, length);
}

bool BleInbox::take(GattCharacteristic* characteristic, uint8_t* value, uint32_t* length) {
  uint8_t header[kHeaderBytes];
  if (ring_.peek(header, sizeof(header)) < sizeof(header)) return false;
  ring_.drop(sizeof(header));
  *characteristic = static_cast<GattCharacteristic>(header[0]);
  *length = static_cast<uint32_t>(header[1] | header[2] << 8);
  ring_.peek(value, *length);
  ring_.drop(*length);
  return true;
}

}  // namespace nano33ble
}  // namespace tinyol
