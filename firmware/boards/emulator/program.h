// What start-up calls once memory is set up: main.cpp, bench_main.cpp, net_bench_main.cpp and
// cost_main.cpp each have one.
#pragma once

namespace tinyol {
namespace emulator {

[[noreturn]] void run_program();

}  // namespace emulator
}  // namespace tinyol
