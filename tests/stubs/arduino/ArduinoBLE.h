// Stub: what of ArduinoBLE our firmware uses. One central at most.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>

enum BLEProperty { BLERead = 2, BLEWriteWithoutResponse = 4, BLEWrite = 8, BLENotify = 16 };
enum BLECharacteristicEvent { BLEWritten = 3 };

class BLEDevice {};
class BLECharacteristic;
typedef void (*BLECharacteristicEventHandler)(BLEDevice device, BLECharacteristic characteristic);

class BLEDescriptor {
 public:
  BLEDescriptor(const char* uuid, const char* value) : uuid(uuid), value(value) {}
  const char* uuid;
  const char* value;
};

struct StubCharacteristic;

class BLECharacteristic {
 public:
  BLECharacteristic(const char* uuid, uint16_t permissions, int value_bytes);
  const char* uuid() const;
  const uint8_t* value() const;
  int valueLength() const;
  int writeValue(const uint8_t value[], int length, bool with_response = true);
  bool subscribed();
  void addDescriptor(BLEDescriptor& descriptor);
  void setEventHandler(int event, BLECharacteristicEventHandler handler);

 private:
  StubCharacteristic* local_;
};

class BLEService {
 public:
  explicit BLEService(const char* uuid) : uuid(uuid) {}
  void addCharacteristic(BLECharacteristic& characteristic);
  const char* uuid;
};

class BLELocalDevice {
 public:
  int begin();
  void poll();
  bool disconnect();
  bool setLocalName(const char* name);
  void setDeviceName(const char* name);
  bool setAdvertisedService(const BLEService& service);
  void addService(BLEService& service);
  void setConnectionInterval(uint16_t least, uint16_t most);
  void setSupervisionTimeout(uint16_t timeout);
  void setAdvertisingInterval(uint16_t interval);
  int advertise();
};

extern BLELocalDevice BLE;
