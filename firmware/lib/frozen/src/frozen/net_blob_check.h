// The door for net blobs: what it lets in cannot do harm, whoever wrote it.
#pragma once

#include <stdint.h>

#include "tinyol/status.h"

namespace tinyol {
namespace frozen {

// Checks every field of the blob, so that running it can neither read nor write outside the blob
// and `header.arena_bytes` of arena, and reads no byte of arena before something has written it.
Status check_net_blob(const uint8_t* blob, uint32_t length, Refusal* refusal);

}  // namespace frozen
}  // namespace tinyol
