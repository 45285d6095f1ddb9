#include "standing_log.h"

namespace tinyol {
namespace nano33ble {

void StandingLine::tell(Server* server, LogLevel level, const char* text, uint32_t now_ms) {
  const bool news = text != text_;
  text_ = text;
  if (text[0] == '\0' || (!news && now_ms - told_ms_ < kRepeatMs)) return;
  told_ms_ = now_ms;
  server->log(level, text);
}

}  // namespace nano33ble
}  // namespace tinyol
