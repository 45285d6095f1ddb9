// A whole board for link churn: device, server, store, name, key, and its two links, each of which
// can be cut at any byte. Time and flash are simulated.
#pragma once

#include <stdint.h>

#include <vector>

#include "loaded_device.h"
#include "ram_flash.h"
#include "tinyol/board_name.h"
#include "tinyol/device_key.h"
#include "tinyol/gatt_link.h"
#include "tinyol/part_flash.h"
#include "tinyol/random_pool.h"
#include "tinyol/serial_framing.h"
#include "tinyol/server.h"

namespace tinyol {
namespace endurance {

using Bytes = std::vector<uint8_t>;

// One way to the board, as the host sees it: bytes of a serial line, or values of GATT.
class Wire {
 public:
  virtual void write(const Bytes& message, uint32_t now_ms) = 0;  // from the host
  virtual void plug() = 0;    // connected anew: what was under way on the host's side is gone
  virtual void unplug() = 0;  // the board is told that the peer is gone

  bool whole() const { return left_ > 0; }
  void cut_after(uint32_t bytes) { left_ = bytes; }  // in both directions together
  std::vector<Bytes> take();                         // messages that came whole
  uint32_t crc() const { return crc_; }              // over every message so far

 protected:
  ~Wire() = default;
  uint32_t pass(uint32_t bytes);  // how many of them get through
  void came(const Bytes& message);
  void forget() { came_.clear(); }

 private:
  std::vector<Bytes> came_;
  uint32_t left_ = UINT32_MAX;
  uint32_t crc_ = 0;
};

class SerialWire final : public Wire, public Link {
 public:
  void begin(Server* server, int link_index);
  void write(const Bytes& message, uint32_t now_ms) override;
  void plug() override;
  void unplug() override;
  bool send(const uint8_t* message, uint32_t length) override;
  bool is_physical() const override { return true; }

 private:
  Server* server_ = nullptr;
  int link_index_ = 0;
  FrameParser at_board_;
  FrameParser at_host_;
};

class GattWire final : public Wire, public GattPort {
 public:
  void begin(Server* server, int link_index);
  void write(const Bytes& message, uint32_t now_ms) override;
  void plug() override;
  void unplug() override;
  bool notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) override;
  uint32_t max_notification() const override { return 100; }  // every longer message in pieces
  GattLink& link() { return link_; }

 private:
  GattLink link_;
  Bytes pieces_;
};

class ChurnBoard {
 public:
  static constexpr int kLinks = kMaxLinks;

  // False, with a message, where the model does not load.
  bool load(const char* model_path);
  // Power on: what was saved is there again, and a new boot id. `power_fails`: the flash fails in
  // the middle of a save just before.
  void boot(bool power_fails);
  // Lets time pass, a tick a second, each with a sample.
  void pass(uint32_t ms);

  Wire& wire(int link) { return link == 0 ? static_cast<Wire&>(serial_) : gatt_; }
  Device& device() { return loaded_.device; }
  // Changes that were asked for and made, since the last boot.
  uint32_t changes() { return loaded_.device.changes() - changes_at_boot_; }

  Server* server = nullptr;
  uint32_t now_ms = 0;  // wraps
  uint64_t lived_ms = 0;
  uint32_t boot_id = 0;
  fuzz::RamFlash flash;
  StateStore store;
  uint32_t saves = 0;
  uint64_t ticks_located = 0;  // with a blinking LED

 private:
  void look_at_store();

  LoadedDevice loaded_;
  Bytes staging_;
  alignas(Server) uint8_t memory_[sizeof(Server)];
  PartFlash learned_;
  PartFlash key_part_;
  PartFlash name_part_;
  DeviceKey key_;
  BoardName name_;
  RandomPool random_;
  SerialWire serial_;
  GattWire gatt_;
  Bytes saved_;  // the image saved last
  uint32_t saves_seen_ = 0;
  uint32_t changes_at_boot_ = 0;
  uint32_t until_tick_ms_ = 1000;
  uint32_t noise_ = 1;
};

}  // namespace endurance
}  // namespace tinyol
