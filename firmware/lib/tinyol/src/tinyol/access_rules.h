// Who may ask for what: the one table of it.
//
//   need      over the radio                        at the board's own port
//   nothing   anybody                               anybody
//   reading   anybody, unless the board was told    anybody
//             that reading needs its key too
//   change    an authenticated session              the same, once the board is paired
//   physical  nobody                                anybody: who can touch it can do this
#pragma once

#include <stdint.h>

#include "tinyol/message.h"

namespace tinyol {

enum class AccessNeed : uint8_t { kNothing, kReading, kChange, kPhysical };

// An opcode that there is not needs nothing: it is refused as unknown.
AccessNeed access_need(Request request);

}  // namespace tinyol
