// The endurance program: see programs.h and docs/endurance.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs.h"

namespace {

constexpr char kUsage[] =
    "endurance windows MODEL_IMAGE WINDOWS PER_LOOK\n"
    "endurance limits MODEL_IMAGE\n"
    "endurance quantile SAMPLES\n"
    "endurance churn MODEL_IMAGE DAYS\n"
    "endurance clocks MODEL_IMAGE MINUTES STEP_S\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace tinyol::endurance;
  const auto asks = [&](const char* what, int arguments) {
    return argc == 2 + arguments && strcmp(argv[1], what) == 0;
  };
  const auto number = [&](int i) { return strtoull(argv[i], nullptr, 10); };
  if (asks("windows", 3)) return year_of_windows(argv[2], number(3), number(4));
  if (asks("limits", 1)) return counters_at_limits(argv[2]);
  if (asks("quantile", 1)) return running_quantile(number(2));
  if (asks("churn", 2)) return link_churn(argv[2], number(3));
  if (asks("clocks", 3)) return clocks_that_wrap(argv[2], number(3), number(4));
  return fputs(kUsage, stderr), 2;
}
