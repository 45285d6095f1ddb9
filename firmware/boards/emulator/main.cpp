// The emulated board: a device and its protocol server behind one UART. Messages go in frames
// (tinyol/serial_framing.h); what is not a message goes in notices (notice.h).
#include "flash.h"
#include "idle.h"
#include "linked_model.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/board_region.h"
#include "tinyol/random_pool.h"
#include "tinyol/restore.h"
#include "tinyol/secret_bytes.h"
#include "tinyol/serial_framing.h"
#include "tinyol/server.h"
#include "tinyol/state_image.h"
#include "uart.h"

extern "C" const uint32_t __boot_id[];
extern "C" uint8_t __boot_seed[];

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kFirmwareVersion = 0x00000100;  // 0.1.0

class UartLink final : public Link {
 public:
  bool is_physical() const override { return true; }
  bool send(const uint8_t* message, uint32_t length) override {
    uart_write(frame_, encode_frame(message, length, frame_));
    return true;
  }

 private:
  uint8_t frame_[kMaxFrameBytes];
};

}  // namespace

void run_program() {
  uart_begin();
  timer_begin();
  idle_begin();
  static Server server;
  static EmulatedFlash flash;
  static BoardRegion region;
  static StateStore store;
  static DeviceKey key;
  static BoardName name;
  static RandomPool random;
  alignas(8) static uint8_t staging[kStateImageRoom];
  alignas(8) static uint8_t undo[kStateImageRoom];
  static UartLink link;
  static FrameParser parser;
  Clock clock;

  LinkedModel* linked = load_linked_model();
  Device* device = &linked->device;
  if (device->max_image_bytes() > sizeof(staging)) {
    Refusal refusal;
    refuse(&refusal, Status::kTooSmall, "staging", device->max_image_bytes(), sizeof(staging));
    stop_refused(refusal);
  }
  device->keep_undo(undo, sizeof(undo));

  ServerIdentity identity;
  identity.boot_id = __boot_id[0] != 0 ? __boot_id[0] : 1;
  identity.firmware_version = kFirmwareVersion;
  identity.capabilities = kCapabilityKernels;
  identity.board = "emulator";

  region.begin(&flash);
  key.begin(&region.key);
  name.begin(&region.name, "");
  random.begin(RandomSource::kHost, __boot_seed);  // zeros where the machine gave none: no source
  wipe(__boot_seed, kSeedBytes);
  Refusal refusal;
  Status status =
      store.begin(&region.learned, device->model().id, device->max_image_bytes(), &refusal);
  if (status != Status::kOk) stop_refused(refusal);
  status = restore(store, device, staging, sizeof(staging), &refusal);
  ServerParts parts;
  parts.store = &store;
  parts.learned = &region.learned;
  parts.name = &name;
  parts.key = &key;
  parts.random = &random;
  server.begin(device, identity, staging, sizeof(staging), parts);
  Hardware hardware;
  hardware.arena_used = hardware.arena_bytes = linked->arena_bytes;
  server.set_hardware(hardware);
  server.attach(0, &link);

  if (status == Status::kOk) {
    Notice("RESTORED").text("what was saved");
  } else if (status != Status::kNotFound) {
    Notice("UNUSABLE").text("what was saved: ").text(refusal.where);
  }
  Notice("READY").text(identity.board);
  for (;;) {
    uint8_t byte;
    while (uart_read(&byte)) {
      if (parser.push(byte)) server.receive(0, parser.message(), parser.length(), clock.ms());
    }
    server.tick(clock.ms());
    idle();
  }
}

}  // namespace emulator
}  // namespace tinyol
