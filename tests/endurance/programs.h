// What the program `endurance` can do (main.cpp). Each prints lines of JSON and returns an exit
// code; where something that must hold does not, it stops with a message instead.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace endurance {

int year_of_windows(const char* model, uint64_t windows, uint64_t windows_per_look);
int counters_at_limits(const char* model);
int running_quantile(uint64_t samples);
int link_churn(const char* model, uint64_t days);
int clocks_that_wrap(const char* model, uint64_t minutes, uint64_t step_s);

}  // namespace endurance
}  // namespace tinyol
