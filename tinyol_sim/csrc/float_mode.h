// The floating-point mode that the core's bits are promised for: round to nearest, denormals
// kept. A host library built with -ffast-math can switch denormals off for the whole process;
// a FloatMode on the stack restores the default for as long as the core runs.
#pragma once

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <stdint.h>
#endif

namespace tinyol {

class FloatMode {
 public:
  FloatMode() : found_(read()) { write(kDefault); }
  ~FloatMode() { write(found_); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(__x86_64__) || defined(__i386__)
  using Register = unsigned int;
  static constexpr Register kDefault = 0x1F80;  // MXCSR: all exceptions masked, nothing flushed
  static Register read() { return _mm_getcsr(); }
  static void write(Register value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Register = uint64_t;
  static constexpr Register kDefault = 0;
  static Register read() {
    Register value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(Register value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Register = int;
  static constexpr Register kDefault = 0;
  static Register read() { return 0; }
  static void write(Register) {}
#endif

  Register found_;
};

}  // namespace tinyol
