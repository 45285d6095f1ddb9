// CRC-32 against published check values and a bit-by-bit division.
#include <string.h>
#include <unity.h>

#include "tinyol/crc32.h"

using tinyol::crc32;

namespace {

uint32_t bit_by_bit(const uint8_t* data, uint32_t length) {
  uint32_t remainder = 0xFFFFFFFFu;
  for (uint32_t i = 0; i < length; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool odd = ((remainder ^ (data[i] >> bit)) & 1u) != 0;
      remainder = (remainder >> 1) ^ (odd ? 0xEDB88320u : 0u);
    }
  }
  return ~remainder;
}

void test_check_values() {
  TEST_ASSERT_EQUAL_HEX32(0x00000000u, crc32("", 0));
  TEST_ASSERT_EQUAL_HEX32(0xCBF43926u, crc32("123456789", 9));
  TEST_ASSERT_EQUAL_HEX32(0x414FA339u, crc32("The quick brown fox jumps over the lazy dog", 43));
}

void test_every_length_against_a_division_bit_by_bit() {
  uint8_t data[70];
  for (uint32_t i = 0; i < sizeof(data); ++i) data[i] = static_cast<uint8_t>(i * 73 + 5);
  for (uint32_t length = 0; length <= sizeof(data); ++length) {
    TEST_ASSERT_EQUAL_HEX32(bit_by_bit(data, length), crc32(data, length));
  }
}

void test_in_two_parts() {
  const char* text = "123456789";
  for (uint32_t cut = 0; cut <= 9; ++cut) {
    TEST_ASSERT_EQUAL_HEX32(0xCBF43926u, crc32(text + cut, 9 - cut, crc32(text, cut)));
  }
}

void test_every_single_bit_counts() {
  uint8_t data[32];
  memset(data, 0x5A, sizeof(data));
  const uint32_t whole = crc32(data, sizeof(data));
  for (uint32_t bit = 0; bit < 8 * sizeof(data); ++bit) {
    const uint8_t mask = static_cast<uint8_t>(1u << (bit % 8));
    data[bit / 8] ^= mask;
    TEST_ASSERT_FALSE(crc32(data, sizeof(data)) == whole);
    data[bit / 8] ^= mask;
  }
}

}  // namespace

void setUp() {}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_check_values);
  RUN_TEST(test_every_length_against_a_division_bit_by_bit);
  RUN_TEST(test_in_two_parts);
  RUN_TEST(test_every_single_bit_counts);
  return UNITY_END();
}
