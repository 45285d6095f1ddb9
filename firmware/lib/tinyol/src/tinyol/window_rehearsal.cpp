#include "tinyol/window_rehearsal.h"

#include <string.h>

#include "tinyol/count_up.h"

namespace tinyol {
void WindowRehearsal::reset(uint16_t inputs, uint16_t rows) {
  n_inputs = inputs;
  limit = rows;
  size = 0;
  random = kXorshiftSeed;
  seen = 0;
}

void WindowRehearsal::add(const int8_t* input) {
  if (limit == 0) return;
  count_up(&seen);
  const uint32_t row = size < limit ? size : draw_below(seen, &random);
  if (row >= limit) return;
  if (size < limit) ++size;
  memcpy(values + row * n_inputs, input, n_inputs);
}

const int8_t* WindowRehearsal::draw() {
  if (size == 0) return nullptr;
  return values + draw_below(size, &random) * n_inputs;
}

void WindowRehearsal::write(ByteWriter* out) const {
  out->u16(n_inputs);
  out->u16(size);
  out->u32(random);
  out->u32(seen);
  const uint32_t bytes = static_cast<uint32_t>(size) * n_inputs;
  out->bytes(values, bytes);
  for (uint32_t i = bytes; i % 4 != 0; ++i) out->u8(0);
}

Status WindowRehearsal::read(ByteReader* in, uint16_t n_inputs, uint16_t limit,
                             WindowRehearsal* into, Refusal* refusal) {
  const uint16_t inputs_found = in->u16();
  const uint16_t rows = in->u16();
  const uint32_t random_found = in->u32();
  const uint32_t seen_found = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "REHW");
  if (inputs_found != n_inputs) {
    return refuse(refusal, Status::kMalformed, "REHW inputs", n_inputs, inputs_found);
  }
  // The first `limit` windows are all kept.
  const uint32_t due = seen_found < limit ? seen_found : limit;
  if (rows != due || (limit == 0 && seen_found != 0)) {
    return refuse(refusal, Status::kMalformed, "REHW rows", due, rows);
  }
  if (random_found == 0) return refuse(refusal, Status::kMalformed, "REHW random state");
  const uint32_t bytes = static_cast<uint32_t>(rows) * n_inputs;
  const uint8_t* kept = in->bytes(bytes);
  uint8_t padding = 0;
  for (uint32_t i = bytes; i % 4 != 0; ++i) padding |= in->u8();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "REHW", bytes, in->remaining());
  if (padding != 0) return refuse(refusal, Status::kMalformed, "REHW padding");
  if (into != nullptr) {
    into->reset(n_inputs, limit);
    into->size = rows;
    into->random = random_found;
    into->seen = seen_found;
    if (bytes > 0) memcpy(into->values, kept, bytes);
  }
  return Status::kOk;
}

}  // namespace tinyol
