// What start-up calls once memory is set up: main.cpp and bench_main.cpp each have one.
#pragma once

namespace tinyol {
namespace emulator {

[[noreturn]] void run_program();

}  // namespace emulator
}  // namespace tinyol
