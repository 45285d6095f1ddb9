// Some minutes of link churn (churn.h), again and again, with a 32-bit clock that wraps, or passes
// half of its way, some seconds earlier each time. All messages are the same each time, to the
// byte, and so are saves, the blinking LED and what was learned. Prints how many times that was.
#include <stdio.h>

#include <memory>

#include "check.h"
#include "churn.h"
#include "programs.h"

namespace tinyol {
namespace endurance {
namespace {

bool digest_of(const char* model, uint32_t ms, uint32_t start_ms, uint32_t* digest) {
  const std::unique_ptr<Churn> churn(new Churn);
  if (!churn->load(model)) return false;
  churn->live(ms, start_ms);
  *digest = churn->digest();
  return true;
}

}  // namespace

int clocks_that_wrap(const char* model, uint64_t minutes, uint64_t step_s) {
  const uint32_t ms = static_cast<uint32_t>(minutes * 60000);
  uint32_t wanted = 0;
  if (!digest_of(model, ms, 0, &wanted)) return 1;
  uint32_t clocks = 0;
  for (uint32_t before_ms = 500; before_ms < ms;
       before_ms += static_cast<uint32_t>(step_s * 1000)) {
    // Half way round a difference of two times turns negative.
    for (uint32_t turn : {0u, 0x80000000u}) {
      uint32_t found = 0;
      digest_of(model, ms, turn - before_ms, &found);
      if (found != wanted) fprintf(stderr, "another course from %u ms on\n", turn - before_ms);
      FUZZ_CHECK(found == wanted);
      ++clocks;
    }
  }
  printf("{\"clocks\": %u}\n", clocks);
  return 0;
}

}  // namespace endurance
}  // namespace tinyol
