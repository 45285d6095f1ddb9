#include "board_api.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "float_mode.h"
#include "loaded_device.h"
#include "nor_flash.h"
#include "refusal.h"
#include "tinyol/board_name.h"
#include "tinyol/board_region.h"
#include "tinyol/gatt_link.h"
#include "tinyol/restore.h"
#include "tinyol/self_test.h"
#include "tinyol/serial_framing.h"
#include "tinyol/server.h"

namespace {

using tinyol::FloatMode;
using tinyol::Refusal;
using tinyol::Status;

constexpr uint32_t kOwnPageBytes = 256;

class QueueLink : public tinyol::Link {
 public:
  bool send(const uint8_t* message, uint32_t length) override {
    messages.emplace_back(message, message + length);
    return true;
  }
  uint32_t max_message() const override { return most; }
  bool is_physical() const override { return physical; }
  bool physical = true;
  uint32_t most = tinyol::kMaxMessageBytes;
  std::deque<std::vector<uint8_t>> messages;
};

struct Notification {
  tinyol::GattCharacteristic characteristic;
  std::vector<uint8_t> value;
};

class QueuePort : public tinyol::GattPort {
 public:
  bool notify(tinyol::GattCharacteristic characteristic, const uint8_t* value,
              uint32_t length) override {
    values.push_back({characteristic, {value, value + length}});
    return true;
  }
  uint32_t max_notification() const override { return most; }
  uint32_t most = 20;
  std::deque<Notification> values;
};

}  // namespace

struct tinyol_board : tinyol::LoadedDevice {
  std::vector<uint8_t> staging;
  tinyol::ServerIdentity identity;
  std::string kind;  // identity.board, where it was given another
  tinyol::NorFlash own_flash{kOwnPageBytes, tinyol::kKeyPages + tinyol::kNamePages};
  tinyol::BoardRegion region;
  tinyol::StateStore store;
  bool has_store = false;
  tinyol::DeviceKey key;
  tinyol::BoardName name;
  tinyol::RandomPool random;
  tinyol::Hardware hardware;
  tinyol::Server server;
  QueueLink links[tinyol::kMaxLinks];
  QueuePort gatt_ports[tinyol::kMaxLinks];
  tinyol::GattLink gatt_links[tinyol::kMaxLinks];

  void keep_in(tinyol::Flash* flash) {
    region.begin(flash);
    key.begin(&region.key);
    name.begin(&region.name, "");
  }
  void begin() {
    tinyol::ServerParts parts;
    parts.store = has_store ? &store : nullptr;
    parts.learned = &region.learned;
    parts.name = &name;
    parts.key = &key;
    parts.random = &random;
    server.begin(&device, identity, staging.data(), static_cast<uint32_t>(staging.size()), parts);
    server.set_hardware(hardware);
  }
};

namespace {

struct ModelImage {
  const uint8_t* bytes;
  uint32_t length;
};

// `model` may be null: then nothing is loaded.
tinyol_board* new_board(const ModelImage* model, uint32_t boot_id, uint32_t max_message,
                        tinyol_refusal* refusal) {
  const FloatMode mode;
  auto board = std::make_unique<tinyol_board>();
  Refusal why;
  Status status = Status::kOk;
  if (max_message < tinyol::kMinMessageBytes || max_message > tinyol::kMaxMessageBytes) {
    status = tinyol::refuse(&why, Status::kBadValue, "max_message", tinyol::kMinMessageBytes,
                            max_message);
  }
  if (status == Status::kOk && model != nullptr) {
    status = board->load(model->bytes, model->length, &why);
  }
  if (tinyol::report(status, why, refusal) != 0) return nullptr;

  board->staging.resize(board->device.max_image_bytes());
  board->identity.boot_id = boot_id;
  board->identity.firmware_version = 0x00000100;
  board->identity.capabilities = tinyol::kCapabilityKernels;
  board->identity.board = "sim";
  board->hardware.arena_used = board->hardware.arena_bytes =
      static_cast<uint32_t>(board->arena.size() * sizeof(board->arena[0]));
  board->keep_in(&board->own_flash);
  board->begin();
  for (int i = 0; i < tinyol::kMaxLinks; ++i) {
    board->links[i].most = max_message;
    board->server.attach(i, &board->links[i]);
  }
  return board.release();
}

}  // namespace

extern "C" {

tinyol_board* tinyol_board_new(const uint8_t* model_image, uint32_t length, uint32_t boot_id,
                               uint32_t max_message, tinyol_refusal* refusal) {
  const ModelImage model = {model_image, length};
  return new_board(&model, boot_id, max_message, refusal);
}

tinyol_board* tinyol_board_new_unloaded(uint32_t boot_id, uint32_t max_message,
                                        tinyol_refusal* refusal) {
  return new_board(nullptr, boot_id, max_message, refusal);
}

void tinyol_board_free(tinyol_board* board) {
  delete board;
}

void tinyol_board_give_sensor(tinyol_board* board, float rate_hz) {
  board->identity.capabilities |= tinyol::kCapabilitySensor;
  board->identity.sensor_hz = rate_hz;
  board->hardware.sensor = tinyol::SensorState::kRunning;
  const FloatMode mode;
  board->begin();
}

void tinyol_board_be(tinyol_board* board, const char* kind, uint32_t kernels) {
  board->kind = kind;
  board->identity.board = board->kind.c_str();
  board->identity.capabilities &= ~(tinyol::kCapabilityKernels | tinyol::kCapabilityTflm);
  board->identity.capabilities |= kernels;
  board->begin();
}

void tinyol_board_give_led(tinyol_board* board) {
  board->identity.capabilities |= tinyol::kCapabilityLed;
  const FloatMode mode;
  board->begin();
}

void tinyol_board_give_random(tinyol_board* board, const uint8_t* seed) {
  board->random.begin(tinyol::RandomSource::kHost, seed);
}

void tinyol_board_set_physical(tinyol_board* board, int link, int physical) {
  board->links[link].physical = physical != 0;
}

int tinyol_board_attach_flash(tinyol_board* board, tinyol_flash* flash, tinyol_refusal* refusal) {
  const FloatMode mode;
  board->keep_in(&flash->nor);
  tinyol::Device& device = board->device;
  Refusal why;
  Status status = Status::kOk;
  if (!device.loaded()) {
    status = tinyol::refuse(&why, Status::kNoModel, "model");
  } else {
    status = board->store.begin(&board->region.learned, device.model().id, device.max_image_bytes(),
                                &why);
    board->has_store = status == Status::kOk;
  }
  if (board->has_store) {
    status = tinyol::restore(board->store, &device, board->staging.data(),
                             static_cast<uint32_t>(board->staging.size()), &why);
  }
  board->begin();
  return tinyol::report(status, why, refusal);
}

void tinyol_board_receive(tinyol_board* board, int link, const uint8_t* message, uint32_t length,
                          uint32_t now_ms) {
  const FloatMode mode;
  board->server.receive(link, message, length, now_ms);
}

uint32_t tinyol_board_take(tinyol_board* board, int link, uint8_t* out) {
  auto& messages = board->links[link].messages;
  if (messages.empty()) return 0;
  const uint32_t length = static_cast<uint32_t>(messages.front().size());
  memcpy(out, messages.front().data(), length);
  messages.pop_front();
  return length;
}

void tinyol_board_sense(tinyol_board* board, const float* samples, uint32_t n, int gap) {
  const FloatMode mode;
  for (uint32_t i = 0; i < n; ++i) {
    board->server.push_sample(samples + 3 * i, gap != 0 && i == 0);
  }
}

void tinyol_board_set_hardware(tinyol_board* board, uint8_t sensor, uint32_t dropped_samples,
                               uint32_t arena_used, uint32_t arena_bytes) {
  board->hardware.sensor = static_cast<tinyol::SensorState>(sensor);
  board->hardware.dropped_samples = dropped_samples;
  board->hardware.arena_used = arena_used;
  board->hardware.arena_bytes = arena_bytes;
  board->server.set_hardware(board->hardware);
}

void tinyol_board_set_condition(tinyol_board* board, int slot, uint8_t level, const char* text) {
  board->server.set_condition(slot, static_cast<tinyol::LogLevel>(level), text);
}

int tinyol_board_locating(const tinyol_board* board, uint32_t now_ms) {
  return board->server.locating(now_ms) ? 1 : 0;
}

void tinyol_board_tick(tinyol_board* board, uint32_t now_ms) {
  board->server.tick(now_ms);
}
void tinyol_board_drop(tinyol_board* board, int link) {
  board->server.drop(link);
}

void tinyol_board_gatt_open(tinyol_board* board, int link, uint32_t max_notification) {
  QueuePort& port = board->gatt_ports[link];
  port.most = max_notification;
  board->gatt_links[link].begin(&board->server, link, &port);
  board->server.attach(link, &board->gatt_links[link]);
}

void tinyol_board_gatt_close(tinyol_board* board, int link) {
  board->gatt_links[link].on_disconnected();
  board->gatt_ports[link].values.clear();
}

void tinyol_board_gatt_write(tinyol_board* board, int link, int characteristic,
                             const uint8_t* value, uint32_t length, uint32_t now_ms) {
  const FloatMode mode;
  board->gatt_links[link].on_write(static_cast<tinyol::GattCharacteristic>(characteristic), value,
                                   length, now_ms);
}

uint32_t tinyol_board_gatt_take(tinyol_board* board, int link, uint8_t* characteristic,
                                uint8_t* out) {
  auto& values = board->gatt_ports[link].values;
  if (values.empty()) return 0;
  const Notification& first = values.front();
  *characteristic = static_cast<uint8_t>(first.characteristic);
  const uint32_t length = static_cast<uint32_t>(first.value.size());
  memcpy(out, first.value.data(), length);
  values.pop_front();
  return length;
}

uint32_t tinyol_board_gatt_info(const tinyol_board* board, int link, uint8_t* out) {
  return board->server.read_identity(link, out, 512);
}

uint32_t tinyol_board_max_image_bytes(const tinyol_board* board) {
  return board->device.max_image_bytes();
}

uint32_t tinyol_board_export(const tinyol_board* board, uint8_t* out, uint32_t capacity) {
  return board->device.export_state(out, capacity);
}

int tinyol_board_import(tinyol_board* board, const uint8_t* image, uint32_t length,
                        tinyol_refusal* refusal) {
  const FloatMode mode;
  Refusal why;
  const Status status = board->device.import_state(image, length, &why);
  return tinyol::report(status, why, refusal);
}

void tinyol_self_test(uint32_t* expected, uint32_t* found) {
  const FloatMode mode;
  const tinyol::SelfTest result = tinyol::run_self_test();
  *expected = result.expected_crc;
  *found = result.found_crc;
}

uint32_t tinyol_encode_frame(const uint8_t* message, uint32_t length, uint8_t* frame) {
  return tinyol::encode_frame(message, length, frame);
}

}  // extern "C"
