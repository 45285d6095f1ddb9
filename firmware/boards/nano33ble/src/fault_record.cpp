#include "fault_record.h"

#include <Arduino.h>

#include "text_line.h"
#include "tinyol/crc32.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint32_t kMagic = 0x31464C54;  // "TLF1"
constexpr uint8_t kRegisterMark = 0xA0;  // of our values in GPREGRET2; the low bits are the kind

struct Kept {
  uint32_t magic;
  uint32_t kind;
  uint32_t address;
  uint32_t status;
  uint32_t crc;  // of the four before
};

__attribute__((section(".noinit"))) Kept kept;

uint32_t crc_of(const Kept& record) {
  return crc32(&record, sizeof(record) - sizeof(record.crc));
}

FaultKind kind_of(uint32_t number) {
  return number <= static_cast<uint32_t>(FaultKind::kLockup) ? static_cast<FaultKind>(number)
                                                             : FaultKind::kNone;
}

const char* name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::kStalled:
      return "stalled";
    case FaultKind::kCrashed:
      return "crashed";
    case FaultKind::kWatchdog:
      return "hung, interrupts off";
    case FaultKind::kLockup:
      return "locked up";
    case FaultKind::kNone:
      break;
  }
  return "ended well";
}

}  // namespace

void keep_fault(const FaultRecord& record) {
  kept = {kMagic, static_cast<uint32_t>(record.kind), record.address, record.status, 0};
  kept.crc = crc_of(kept);
  NRF_POWER->GPREGRET2 = kRegisterMark | static_cast<uint32_t>(record.kind);
}

bool take_fault(FaultRecord* record) {
  *record = FaultRecord();
  const uint32_t reset = NRF_POWER->RESETREAS;
  const uint32_t mark = NRF_POWER->GPREGRET2;
  if (kept.magic == kMagic && kept.crc == crc_of(kept)) {
    record->kind = kind_of(kept.kind);
    record->address = kept.address;
    record->status = kept.status;
  } else if ((mark & 0xF0u) == kRegisterMark) {
    record->kind = kind_of(mark & 0x0Fu);
  } else if ((reset & POWER_RESETREAS_DOG_Msk) != 0) {
    record->kind = FaultKind::kWatchdog;
  } else if ((reset & POWER_RESETREAS_LOCKUP_Msk) != 0) {
    record->kind = FaultKind::kLockup;
  }
  kept.magic = 0;
  NRF_POWER->GPREGRET2 = 0;
  NRF_POWER->RESETREAS = 0xFFFFFFFFu;  // its bits add up until they are cleared, by a one each
  return record->kind != FaultKind::kNone;
}

void describe(const FaultRecord& record, char text[kFaultTextBytes]) {
  TextLine line(text, kFaultTextBytes);
  line.text("last run: ").text(name_of(record.kind));
  if (record.address != 0) line.text(" at ").hex(record.address);
  if (record.status != 0) line.text(", status ").hex(record.status);
}

}  // namespace nano33ble
}  // namespace tinyol
