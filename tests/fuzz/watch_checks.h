// What the board tells of lasting learning, against the state that it tells of.
#pragma once

#include <stdint.h>

#include "tinyol.h"
#include "tinyol/message.h"

namespace tinyol {
namespace fuzz {

// The payload of a granted request and the reply's own fields; other requests are let pass.
void check_lasting(const Device& device, Request request, ByteReader payload, ByteReader reply);

// Every event of these types, as it is sent.
void check_prediction(ByteReader in);
void check_notice(ByteReader in);

}  // namespace fuzz
}  // namespace tinyol
