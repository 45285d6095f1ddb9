#include "cost_part.h"

#include "notice.h"

namespace tinyol {
namespace emulator {

CostPart::CostPart(const char* name, uint32_t before, uint16_t classes, uint16_t features)
    : name_(name), before_(before), classes_(classes), features_(features) {}

void CostPart::tell() const {
  if (size_ == 0) return;
  const uint32_t told[] = {counts_[0], counts_[(size_ - 1) / 2], counts_[size_ - 1], classes_,
                           features_};
  Notice notice("COST");
  for (uint32_t value : told) notice.decimal(static_cast<int32_t>(value)).text(" ");
  notice.text(name_);
}

void CostPart::add(uint32_t count) {
  if (before_ > 0) {
    --before_;
    return;
  }
  if (size_ == kCounted) return;
  uint32_t at = size_++;
  for (; at > 0 && counts_[at - 1] > count; --at) counts_[at] = counts_[at - 1];
  counts_[at] = count;
}

}  // namespace emulator
}  // namespace tinyol
