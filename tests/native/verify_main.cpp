// A MAC that is checked on the Cortex-M4, by itself: for counting what that takes.
#include "tinyol/session_auth.h"

// Whether the message is right, in a session of this key.
extern "C" bool tinyol_test_verify(const uint8_t* key, const uint8_t* host, const uint8_t* device,
                                   const uint8_t* message, uint32_t length) {
  tinyol::SessionAuth auth;
  auth.challenge(key, host, device, 3, 77);
  auth.confirm();
  return auth.verify(tinyol::Direction::kToDevice, 5, message, length);
}
