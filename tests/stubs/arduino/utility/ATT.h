// Stub: the library's ATT layer, as far as ble_stack.cpp overrides it.
#pragma once

#include <stdint.h>

class ATTClass {
 public:
  virtual ~ATTClass() = default;
  virtual int handleNotify(uint16_t handle, const uint8_t* value, int length);
  virtual void addConnection(uint16_t handle, uint8_t role, uint8_t address_type,
                             uint8_t address[6], uint16_t interval, uint16_t latency,
                             uint16_t timeout, uint8_t accuracy);
  virtual void removeConnection(uint16_t handle, uint8_t reason);
  virtual uint16_t mtu(uint16_t handle) const;
};

extern ATTClass& ATT;
