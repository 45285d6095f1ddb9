// What the server's request handlers share: is a payload read to its end, and names in it.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/status.h"

namespace tinyol {

// A name as it goes over the wire: u8 length, then the bytes.
struct WireName {
  const char* text = nullptr;
  uint32_t length = 0;
};

inline WireName read_name(ByteReader* in) {
  WireName name;
  name.length = in->u8();
  name.text = reinterpret_cast<const char*>(in->bytes(name.length));
  return name;
}

inline bool complete(const ByteReader& in) {
  return in.ok() && in.remaining() == 0;
}

inline Status malformed(Refusal* refusal) {
  return refuse(refusal, Status::kMalformed, "payload");
}

}  // namespace tinyol
