// What may be a name, of a class or of the board: it is shown in terminals and in HTML.
#pragma once

#include <stdint.h>

#include "tinyol/status.h"

namespace tinyol {

// kBadName unless it is 1 to `most` bytes of valid UTF-8 without control characters (U+0000-1F,
// U+7F-9F), line separators, and the marks that turn the direction of writing.
Status check_name(const char* name, uint32_t length, uint32_t most);

}  // namespace tinyol
