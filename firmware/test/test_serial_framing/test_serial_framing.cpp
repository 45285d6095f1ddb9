// Frames on a serial line: the bytes of one, round trips, and what becomes of damaged ones.
#include <string.h>
#include <unity.h>

#include "tinyol/crc32.h"
#include "tinyol/serial_framing.h"

using tinyol::encode_frame;
using tinyol::FrameParser;
using tinyol::kFrameCrcBytes;
using tinyol::kMaxFrameBytes;
using tinyol::kMaxMessageBytes;

namespace {

uint8_t message[kMaxMessageBytes + 1];
uint8_t frame[kMaxFrameBytes];
FrameParser parser;

uint32_t push_all(const uint8_t* bytes, uint32_t length) {
  uint32_t messages = 0;
  for (uint32_t i = 0; i < length; ++i) messages += parser.push(bytes[i]) ? 1 : 0;
  return messages;
}

// "A", 0, "B" and its CRC, whose four bytes are not zero: blocks of one byte and of five.
void test_the_bytes_of_a_frame() {
  const uint8_t abc[3] = {'A', 0, 'B'};
  const uint32_t crc = tinyol::crc32(abc, 3);
  uint8_t expected[9] = {2, 'A', 6, 'B', 0, 0, 0, 0, 0};
  for (int i = 0; i < 4; ++i) expected[4 + i] = static_cast<uint8_t>(crc >> (8 * i));
  for (int i = 0; i < 4; ++i) TEST_ASSERT_FALSE(expected[4 + i] == 0);
  TEST_ASSERT_EQUAL_UINT32(sizeof(expected), encode_frame(abc, 3, frame));
  TEST_ASSERT_EQUAL_MEMORY(expected, frame, sizeof(expected));
}

// Lengths about COBS's block of 254, with no zero, with zeros alone, and with a mixture.
void test_round_trips() {
  const uint32_t lengths[] = {0, 1, 2, 249, 250, 251, 253, 254, 255, 256, 508, kMaxMessageBytes};
  for (const uint32_t length : lengths) {
    for (int kind = 0; kind < 3; ++kind) {
      for (uint32_t i = 0; i < length; ++i) {
        message[i] = static_cast<uint8_t>(kind == 0 ? 0xA5 : kind == 1 ? 0 : i * i % 5);
      }
      const uint32_t n = encode_frame(message, length, frame);
      TEST_ASSERT_TRUE(n > length + kFrameCrcBytes && n <= kMaxFrameBytes);
      TEST_ASSERT_TRUE(memchr(frame, 0, n) == frame + n - 1);
      TEST_ASSERT_EQUAL_UINT32(1, push_all(frame, n));
      TEST_ASSERT_EQUAL_UINT32(length, parser.length());
      if (length > 0) TEST_ASSERT_EQUAL_MEMORY(message, parser.message(), length);
    }
  }
  TEST_ASSERT_EQUAL_UINT32(0, parser.bad_frames());
}

void test_a_message_too_long_is_not_framed() {
  TEST_ASSERT_EQUAL_UINT32(0, encode_frame(message, kMaxMessageBytes + 1, frame));
}

void test_zeros_between_frames_are_no_error() {
  const uint8_t zeros[5] = {};
  TEST_ASSERT_EQUAL_UINT32(0, push_all(zeros, sizeof(zeros)));
  TEST_ASSERT_EQUAL_UINT32(0, parser.bad_frames());
}

// Each byte in turn is changed, lost or doubled: never another message, and the next one arrives.
void test_damage_is_noticed_and_the_next_frame_is_whole() {
  for (uint32_t i = 0; i < 40; ++i) message[i] = static_cast<uint8_t>(i % 7);
  const uint32_t n = encode_frame(message, 40, frame);
  for (uint32_t at = 0; at + 1 < n; ++at) {
    for (int damage = 0; damage < 3; ++damage) {
      parser = FrameParser();
      uint8_t spoiled[kMaxFrameBytes];
      memcpy(spoiled, frame, n);
      uint32_t length = n;
      if (damage == 0) {
        spoiled[at] ^= 0x10;
      } else if (damage == 1) {
        memmove(spoiled + at, spoiled + at + 1, n - at - 1);
        length = n - 1;
      } else {
        memmove(spoiled + at + 1, spoiled + at, n - at);
        length = n + 1;
      }
      TEST_ASSERT_EQUAL_UINT32(0, push_all(spoiled, length));
      TEST_ASSERT_TRUE(parser.bad_frames() > 0);
      TEST_ASSERT_EQUAL_UINT32(1, push_all(frame, n));
      TEST_ASSERT_EQUAL_MEMORY(message, parser.message(), 40);
    }
  }
}

void test_a_lost_zero_costs_two_frames_and_no_more() {
  const uint32_t n = encode_frame(message, 40, frame);
  TEST_ASSERT_EQUAL_UINT32(0, push_all(frame, n - 1));
  TEST_ASSERT_EQUAL_UINT32(0, push_all(frame, n));
  TEST_ASSERT_EQUAL_UINT32(1, parser.bad_frames());
  TEST_ASSERT_EQUAL_UINT32(1, push_all(frame, n));
}

void test_noise_without_an_end_overflows_nothing() {
  for (uint32_t i = 0; i < 10 * kMaxFrameBytes; ++i) TEST_ASSERT_FALSE(parser.push(0xFF));
  TEST_ASSERT_FALSE(parser.push(0));
  TEST_ASSERT_EQUAL_UINT32(1, parser.bad_frames());
  const uint32_t n = encode_frame(message, 40, frame);
  TEST_ASSERT_EQUAL_UINT32(1, push_all(frame, n));
}

}  // namespace

void setUp() {
  memset(message, 0, sizeof(message));
  parser = FrameParser();
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_the_bytes_of_a_frame);
  RUN_TEST(test_round_trips);
  RUN_TEST(test_a_message_too_long_is_not_framed);
  RUN_TEST(test_zeros_between_frames_are_no_error);
  RUN_TEST(test_damage_is_noticed_and_the_next_frame_is_whole);
  RUN_TEST(test_a_lost_zero_costs_two_frames_and_no_more);
  RUN_TEST(test_noise_without_an_end_overflows_nothing);
  return UNITY_END();
}
