#include "frozen/simd_x86.h"

#if TINYOL_X86_SIMD

#include <cpuid.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace tinyol {
namespace frozen {
namespace {

constexpr int kNotChosen = -1;
int chosen = kNotChosen;  // a SimdPath

// Asked of the processor itself: __builtin_cpu_supports takes a run-time library that not every
// compiler links.
bool has_avx2() {
  constexpr uint32_t kSavedBySystem = 1u << 27;  // OSXSAVE
  constexpr uint32_t kAvx = 1u << 28;
  constexpr uint32_t kAvx2 = 1u << 5;
  constexpr uint32_t kXmmAndYmm = 6u;
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  if ((c & kSavedBySystem) == 0 || (c & kAvx) == 0) return false;
  uint32_t saved = 0;
  asm volatile("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
  if ((saved & kXmmAndYmm) != kXmmAndYmm) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & kAvx2) != 0;
}

SimdPath best() {
  const char* wanted = getenv("TINYOL_SIMD");
  if (wanted != nullptr && strcmp(wanted, "plain") == 0) return SimdPath::kPlain;
  return has_avx2() ? SimdPath::kAvx2 : SimdPath::kPlain;
}

}  // namespace

SimdPath simd_path() {
  // Two threads that come here first find the same.
  int path = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
  if (path == kNotChosen) {
    path = static_cast<int>(best());
    __atomic_store_n(&chosen, path, __ATOMIC_RELAXED);
  }
  return static_cast<SimdPath>(path);
}

bool set_simd_path(SimdPath path) {
  if (path == SimdPath::kAvx2 && !has_avx2()) return false;
  __atomic_store_n(&chosen, static_cast<int>(path), __ATOMIC_RELAXED);
  return true;
}

}  // namespace frozen
}  // namespace tinyol

#else

namespace tinyol {
namespace frozen {

SimdPath simd_path() {
  return SimdPath::kPlain;
}

bool set_simd_path(SimdPath path) {
  return path == SimdPath::kPlain;
}

}  // namespace frozen
}  // namespace tinyol

#endif
