// Stub of Unity (ThrowTheSwitch): the assertions that firmware/test uses, with its output lines
// "file:line:test:PASS", so that the tests run where PlatformIO's registry is out of reach. In a
// test with a failed assertion nothing further runs, and the program's exit code is the number of
// such tests.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern "C" {
void setUp(void);
void tearDown(void);
}

namespace unity_stub {

struct State {
  const char* file;
  const char* test;
  int tests;
  int failures;
  bool failed;
  jmp_buf end_of_test;
};

inline State& state() {
  static State only;
  return only;
}

inline void begin(const char* file) {
  state().file = file;
  state().tests = state().failures = 0;
}

inline int end() {
  const State& s = state();
  printf("\n-----------------------\n%d Tests %d Failures 0 Ignored \n%s\n", s.tests, s.failures,
         s.failures == 0 ? "OK" : "FAIL");
  return s.failures;
}

inline void run(void (*test)(), const char* name, int line) {
  State& s = state();
  s.test = name;
  s.failed = false;
  ++s.tests;
  if (setjmp(s.end_of_test) == 0) {
    setUp();
    test();
  }
  if (setjmp(s.end_of_test) == 0) tearDown();
  if (s.failed) {
    ++s.failures;
  } else {
    printf("%s:%d:%s:PASS\n", s.file, line, name);
  }
  fflush(stdout);
}

[[noreturn]] inline void fail(int line, const char* why, const char* message) {
  State& s = state();
  printf("%s:%d:%s:FAIL: %s%s%s\n", s.file, line, s.test, why, message != nullptr ? ". " : "",
         message != nullptr ? message : "");
  s.failed = true;
  longjmp(s.end_of_test, 1);
}

inline void is_true(bool condition, const char* why, int line, const char* message = nullptr) {
  if (!condition) fail(line, why, message);
}

inline void equal(long long expected, long long found, int line, const char* message = nullptr) {
  if (expected == found) return;
  char why[80];
  snprintf(why, sizeof(why), "Expected %lld Was %lld", expected, found);
  fail(line, why, message);
}

inline void equal_hex32(uint32_t expected, uint32_t found, int line) {
  if (expected == found) return;
  char why[80];
  snprintf(why, sizeof(why), "Expected 0x%08X Was 0x%08X", static_cast<unsigned>(expected),
           static_cast<unsigned>(found));
  fail(line, why, nullptr);
}

inline void equal_string(const char* expected, const char* found, int line) {
  if (strcmp(expected, found) == 0) return;
  char why[200];
  snprintf(why, sizeof(why), "Expected '%s' Was '%s'", expected, found);
  fail(line, why, nullptr);
}

inline void equal_memory(const void* expected, const void* found, size_t length, int line) {
  const unsigned char* a = static_cast<const unsigned char*>(expected);
  const unsigned char* b = static_cast<const unsigned char*>(found);
  for (size_t i = 0; i < length; ++i) {
    if (a[i] == b[i]) continue;
    char why[80];
    snprintf(why, sizeof(why), "Memory Mismatch. Byte %lu Expected 0x%02X Was 0x%02X",
             static_cast<unsigned long>(i), a[i], b[i]);
    fail(line, why, nullptr);
  }
}

// Fails for a NaN too.
inline void within(float delta, float expected, float found, int line) {
  if (fabsf(expected - found) <= delta) return;
  char why[80];
  snprintf(why, sizeof(why), "Expected %.9g Was %.9g", static_cast<double>(expected),
           static_cast<double>(found));
  fail(line, why, nullptr);
}

}  // namespace unity_stub

#define UNITY_BEGIN() unity_stub::begin(__FILE__)
#define UNITY_END() unity_stub::end()
#define RUN_TEST(test) unity_stub::run(test, #test, __LINE__)

#define TEST_FAIL_MESSAGE(message) unity_stub::fail(__LINE__, message, nullptr)
#define TEST_ASSERT_TRUE(condition) \
  unity_stub::is_true((condition), "Expected TRUE Was FALSE", __LINE__)
#define TEST_ASSERT_TRUE_MESSAGE(condition, message) \
  unity_stub::is_true((condition), "Expected TRUE Was FALSE", __LINE__, message)
#define TEST_ASSERT_FALSE(condition) \
  unity_stub::is_true(!(condition), "Expected FALSE Was TRUE", __LINE__)
#define TEST_ASSERT_NULL(pointer) \
  unity_stub::is_true((pointer) == nullptr, "Expected NULL", __LINE__)
#define TEST_ASSERT_EQUAL_INT(expected, found) unity_stub::equal((expected), (found), __LINE__)
#define TEST_ASSERT_EQUAL_INT_MESSAGE(expected, found, message) \
  unity_stub::equal((expected), (found), __LINE__, message)
#define TEST_ASSERT_EQUAL_UINT32(expected, found) unity_stub::equal((expected), (found), __LINE__)
#define TEST_ASSERT_EQUAL_HEX32(expected, found) \
  unity_stub::equal_hex32((expected), (found), __LINE__)
#define TEST_ASSERT_EQUAL_STRING(expected, found) \
  unity_stub::equal_string((expected), (found), __LINE__)
#define TEST_ASSERT_EQUAL_MEMORY(expected, found, length) \
  unity_stub::equal_memory((expected), (found), (length), __LINE__)
#define TEST_ASSERT_FLOAT_WITHIN(delta, expected, found) \
  unity_stub::within((delta), (expected), (found), __LINE__)
// As Unity's: to one part in 100,000.
#define TEST_ASSERT_EQUAL_FLOAT(expected, found) \
  unity_stub::within(fabsf(expected) * 1e-5f, (expected), (found), __LINE__)
