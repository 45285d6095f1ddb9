// Stub: the library's HCI layer, as far as ble_stack.cpp overrides it.
#pragma once

#include <stdint.h>

class HCIClass {
 public:
  virtual ~HCIClass() = default;
  virtual void poll();
  virtual int readLeBufferSize(uint16_t& packet_bytes, uint8_t& packets);
  virtual int sendAclPkt(uint16_t handle, uint8_t channel, uint8_t length, void* data);
  void stub_completed(uint16_t packets) { handleNumCompPkts(1, packets); }

 private:
  virtual void handleNumCompPkts(uint16_t handle, uint16_t packets);
};

extern HCIClass& HCI;
