// Bytes that nobody else may know: compared and forgotten so that neither leaves a trace.
#pragma once

#include <stdint.h>

namespace tinyol {

// In a time that depends on the length alone.
bool same_bytes(const uint8_t* a, const uint8_t* b, uint32_t length);

// Zeros that the compiler may not leave out.
void wipe(void* bytes, uint32_t length);

}  // namespace tinyol
