#include "refusal_text.h"

#include "text_line.h"

namespace tinyol {
namespace nano33ble {
namespace {

// Those that a boot can meet.
const char* words(Status status) {
  switch (status) {
    case Status::kNotFinite:
      return "not a finite number";
    case Status::kFull:
      return "no room left";
    case Status::kNotFound:
      return "not there";
    case Status::kBadName:
      return "not a name";
    case Status::kBadValue:
      return "out of range";
    case Status::kTooSmall:
      return "too small in this build";
    case Status::kTruncated:
      return "truncated";
    case Status::kBadMagic:
      return "not of this format";
    case Status::kBadVersion:
      return "of another version";
    case Status::kBadChecksum:
      return "damaged";
    case Status::kWrongModel:
      return "of another model";
    case Status::kUnknownSection:
      return "unknown";
    case Status::kUnsupported:
      return "not supported";
    case Status::kMalformed:
      return "malformed";
    case Status::kFlash:
      return "the flash fails";
    default:
      return "refused";
  }
}

}  // namespace

void describe(const char* what, const Refusal& refusal, char text[kRefusalTextBytes]) {
  TextLine line(text, kRefusalTextBytes);
  line.text(what).text(": ").text(refusal.where).text(": ").text(words(refusal.status));
  if (refusal.need == 0 && refusal.have == 0) return;
  line.text(" (needed ").decimal(refusal.need).text(", found ").decimal(refusal.have).text(")");
}

}  // namespace nano33ble
}  // namespace tinyol
