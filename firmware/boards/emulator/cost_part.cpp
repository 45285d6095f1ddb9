#include "cost_part.h"

#include "notice.h"

namespace tinyol {
namespace emulator {

CostPart::CostPart(const char* name, uint32_t before, uint16_t classes, uint16_t features)
    : name_(name), before_(before), classes_(classes), features_(features) {}

void CostPart::add(uint32_t count, uint32_t measurements) {
  if (before_ > 0) {
    --before_;
    return;
  }
  if (told_ == kCounted || name_ == nullptr) return;
  ++told_;
  const uint32_t told[] = {count, measurements, classes_, features_};
  Notice notice("COST");
  for (uint32_t value : told) notice.decimal(static_cast<int32_t>(value)).text(" ");
  notice.text(name_);
}

}  // namespace emulator
}  // namespace tinyol
