// What may be a name, of a class or of the board: it is shown in terminals and in HTML.
#pragma once

#include <stdint.h>

#include "tinyol/status.h"

namespace tinyol {

// kBadName unless it is 1 to `most` bytes of valid UTF-8 that begin and end with something to be
// seen, without control characters, characters that cannot be seen or turn the direction of
// writing, and with at most two combining marks on a character. No script but its marks is left
// out; what is refused is the same for every board.
Status check_name(const char* name, uint32_t length, uint32_t most);

}  // namespace tinyol
