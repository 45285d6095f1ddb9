// Which instructions the kernels use where the core runs on a PC. Chosen once, when the program
// runs, since one build serves every x86-64: no path changes a bit of any result. A board's build
// has none of this (TINYOL_X86_SIMD is 0).
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(TINYOL_PLAIN_KERNELS)
#define TINYOL_X86_SIMD 1
#else
#define TINYOL_X86_SIMD 0
#endif

namespace tinyol {
namespace frozen {

enum class SimdPath { kPlain = 0, kAvx2 = 1 };

// The path in use: the best that processor and system offer, or the plain one where the
// environment says TINYOL_SIMD=plain at the first call.
SimdPath simd_path();

// Another from now on, in all threads. False, and nothing changes, where it is not offered.
bool set_simd_path(SimdPath path);

}  // namespace frozen
}  // namespace tinyol
