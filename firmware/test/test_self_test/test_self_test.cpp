// The arithmetic of this build is the reference's, bit for bit.
#include <unity.h>

#include "tinyol/self_test.h"

using tinyol::run_self_test;
using tinyol::SelfTest;

namespace {

void test_the_crc_is_the_reference_builds() {
  const SelfTest result = run_self_test();
  TEST_ASSERT_EQUAL_HEX32(0x4881DAD4u, result.expected_crc);  // of arithmetic version 1
  TEST_ASSERT_EQUAL_HEX32(result.expected_crc, result.found_crc);
  TEST_ASSERT_TRUE(result.passed());
}

void test_it_leaves_nothing_behind() {
  TEST_ASSERT_EQUAL_HEX32(run_self_test().found_crc, run_self_test().found_crc);
}

void test_another_crc_does_not_pass() {
  const SelfTest fused = {0x4881DAD4u, 0x4881DAD5u};
  TEST_ASSERT_FALSE(fused.passed());
}

}  // namespace

void setUp() {}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_the_crc_is_the_reference_builds);
  RUN_TEST(test_it_leaves_nothing_behind);
  RUN_TEST(test_another_crc_does_not_pass);
  return UNITY_END();
}
