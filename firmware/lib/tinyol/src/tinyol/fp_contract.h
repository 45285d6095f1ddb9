// Included first by every .cpp that computes with floats: forbids the compiler to fuse a * b + c
// into one rounding, whatever flags the surrounding build passes. Without it GCC emits VFMA on a
// Cortex-M4F and the weights differ from the twin's.
#pragma once

#ifndef TINYOL_TEST_FUSED  // set only by the test that shows that fusing is noticed
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#endif

#if defined(__FAST_MATH__)
#error "TinyOL's arithmetic is bit-exact: build it without -ffast-math"
#endif
