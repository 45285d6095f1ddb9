// 30 days of link churn (churn.h) in accelerated time. Prints a line of JSON.
#include <memory>

#include "churn.h"
#include "programs.h"

namespace tinyol {
namespace endurance {
namespace {

constexpr uint64_t kDayMs = 86400000;
constexpr uint32_t kStartMs = 0xC0000000u;  // wraps after twelve days

}  // namespace

int link_churn(const char* model, uint64_t days) {
  const std::unique_ptr<Churn> churn(new Churn);
  if (!churn->load(model)) return 1;
  churn->live(days * kDayMs, kStartMs);
  churn->marathon();
  churn->print();
  return 0;
}

}  // namespace endurance
}  // namespace tinyol
