// The emulated board: a device and its protocol server behind one UART. Messages go in frames
// (tinyol/serial_framing.h); what is not a message goes in notices (notice.h).
#include "flash.h"
#include "idle.h"
#include "linked_model.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/board_name.h"
#include "tinyol/part_flash.h"
#include "tinyol/restore.h"
#include "tinyol/serial_framing.h"
#include "tinyol/server.h"
#include "tinyol/state_image.h"
#include "uart.h"

extern "C" const uint32_t __boot_id[];

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kFirmwareVersion = 0x00000100;  // 0.1.0

class UartLink final : public Link {
 public:
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
  static PartFlash learned_part;
  static PartFlash name_part;
  static StateStore store;
  static BoardName name;
  alignas(8) static uint8_t staging[kStateImageRoom];
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

  ServerIdentity identity;
  identity.boot_id = __boot_id[0] != 0 ? __boot_id[0] : 1;
  identity.firmware_version = kFirmwareVersion;
  identity.capabilities = kCapabilityKernels;
  identity.board = "emulator";

  const uint32_t n_learned = flash.n_pages() - kNamePages;
  learned_part.begin(&flash, 0, n_learned);
  name_part.begin(&flash, n_learned, kNamePages);
  name.begin(&name_part, "");
  Refusal refusal;
  Status status =
      store.begin(&learned_part, device->model().id, device->max_image_bytes(), &refusal);
  if (status != Status::kOk) stop_refused(refusal);
  status = restore(store, device, staging, sizeof(staging), &refusal);
  server.begin(device, identity, staging, sizeof(staging), &store, &name);
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
