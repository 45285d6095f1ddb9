// Every call that can be refused says so with one of these; nothing in the core throws.
#pragma once

#include <stdint.h>

namespace tinyol {

enum class Status : int8_t {
  kOk = 0,
  kNotFinite = -1,          // a NaN, an infinity, or a magnitude no sensor or weight can have
  kFull = -2,               // no room: classes, windows in the ring, bytes in the buffer
  kNotFound = -3,           // no class, setting or section of that name
  kExists = -4,             // a class of that name is there already
  kBadName = -5,            // empty, too long, not UTF-8, or with control characters
  kBadValue = -6,           // outside the range of the setting or field
  kTooSmall = -7,           // this build's arrays are too small for the model: see Refusal
  kTruncated = -8,          // fewer bytes than the format says
  kBadMagic = -9,           // not the format it should be
  kBadVersion = -10,        // the format or the arithmetic of another version
  kBadChecksum = -11,       // CRC-32 differs
  kWrongModel = -12,        // a state image of another model
  kUnknownSection = -13,    // a section tag that this build does not know
  kUnsupported = -14,       // an operator, type or option that this build does not run
  kMalformed = -15,         // fields that contradict each other
  kNoModel = -16,           // nothing loaded yet
  kBusy = -17,              // another link feeds samples or transfers an image
  kBadSequence = -18,       // a request out of order: Refusal says which number is due
  kNoSession = -19,         // HELLO first
  kRebooted = -20,          // the boot id is not this boot's: HELLO again
  kUnknownRequest = -21,    // an opcode that this build does not know
  kFlash = -22,             // the flash reports a failure, or does not hold what was written
  kNotAuthenticated = -23,  // needs a session that has shown the board's key, or its MAC is wrong
  kNotPhysical = -24,       // only at the board's own port, not over the radio
  kLocked = -25,            // too many wrong MACs: Refusal's `need` is the ms to wait
};

// What exactly was refused. `where` is a field, section or operator name (static or 4-byte tag);
// `need` and `have` are its numbers, where numbers say more (capacity, length, index).
struct Refusal {
  Status status = Status::kOk;
  char where[32] = {0};
  uint32_t need = 0;
  uint32_t have = 0;
};

// Fills `refusal` (may be null) and returns `status`, so that a check is one line.
Status refuse(Refusal* refusal, Status status, const char* where, uint32_t need = 0,
              uint32_t have = 0);

}  // namespace tinyol
