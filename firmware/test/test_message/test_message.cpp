// A message's header: every byte where docs/wire-protocol.md has it, and what is not a message.
#include <string.h>
#include <unity.h>

#include "tinyol/message.h"

using tinyol::begin_message;
using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::end_message;
using tinyol::kMaxMessageBytes;
using tinyol::MessageHeader;
using tinyol::MessageKind;
using tinyol::parse_message;
using tinyol::Request;

namespace {

// Version 2, request, PING, no flags, session 0x1234, sequence 0x5678, boot id 0x9ABCDEF0, two
// bytes of payload.
const uint8_t kPing[18] = {2,    1,    3,    0, 0x34, 0x12, 0x78, 0x56, 0xF0,
                           0xDE, 0xBC, 0x9A, 2, 0,    0,    0,    0xAA, 0xBB};

MessageHeader header;
ByteReader payload;

bool parse(const uint8_t* bytes, uint32_t length) {
  return parse_message(bytes, length, &header, &payload);
}

void test_written() {
  uint8_t bytes[32];
  MessageHeader ping;
  ping.opcode = static_cast<uint8_t>(Request::kPing);
  ping.session = 0x1234;
  ping.sequence = 0x5678;
  ping.boot_id = 0x9ABCDEF0u;
  ByteWriter out(bytes, sizeof(bytes));
  begin_message(&out, ping);
  out.u8(0xAA);
  out.u8(0xBB);
  TEST_ASSERT_EQUAL_UINT32(sizeof(kPing), end_message(&out));
  TEST_ASSERT_EQUAL_MEMORY(kPing, bytes, sizeof(kPing));
}

void test_what_does_not_fit_is_no_message() {
  uint8_t bytes[17];
  ByteWriter out(bytes, sizeof(bytes));
  begin_message(&out, MessageHeader());
  out.u8(1);
  out.u8(2);
  TEST_ASSERT_EQUAL_UINT32(0, end_message(&out));
}

void test_parsed() {
  TEST_ASSERT_TRUE(parse(kPing, sizeof(kPing)));
  TEST_ASSERT_TRUE(header.kind == MessageKind::kRequest);
  TEST_ASSERT_EQUAL_INT(3, header.opcode);
  TEST_ASSERT_EQUAL_INT(0x1234, header.session);
  TEST_ASSERT_EQUAL_INT(0x5678, header.sequence);
  TEST_ASSERT_EQUAL_HEX32(0x9ABCDEF0u, header.boot_id);
  TEST_ASSERT_EQUAL_UINT32(2, payload.remaining());
  TEST_ASSERT_EQUAL_INT(0xAA, payload.u8());
  TEST_ASSERT_EQUAL_INT(0xBB, payload.u8());
  TEST_ASSERT_TRUE(payload.ok());
}

void test_a_reader_that_ran_out_stays_failed() {
  parse(kPing, sizeof(kPing));
  TEST_ASSERT_EQUAL_UINT32(0, payload.u32());  // four of two bytes
  TEST_ASSERT_FALSE(payload.ok());
  TEST_ASSERT_EQUAL_INT(0, payload.u8());
}

void test_every_other_length_is_refused() {
  uint8_t longer[sizeof(kPing) + 1] = {};
  memcpy(longer, kPing, sizeof(kPing));
  for (uint32_t length = 0; length <= sizeof(longer); ++length) {
    TEST_ASSERT_TRUE(parse(longer, length) == (length == sizeof(kPing)));
  }
}

void check_refused_with(uint32_t at, uint8_t value) {
  uint8_t bytes[sizeof(kPing)];
  memcpy(bytes, kPing, sizeof(kPing));
  bytes[at] = value;
  TEST_ASSERT_FALSE(parse(bytes, sizeof(bytes)));
}

void test_fields_that_no_message_has() {
  check_refused_with(0, 1);  // the version that knew no authentication
  check_refused_with(0, 3);
  check_refused_with(1, 0);  // kind
  check_refused_with(1, 4);
  check_refused_with(3, 2);   // a flag of the future
  check_refused_with(3, 1);   // an authentication trailer that is not there
  check_refused_with(12, 3);  // payload length
  check_refused_with(13, 1);
  check_refused_with(14, 1);  // reserved
}

void test_a_trailer_is_no_payload() {
  uint8_t bytes[sizeof(kPing) + tinyol::kAuthTrailerBytes] = {};
  memcpy(bytes, kPing, sizeof(kPing));
  bytes[3] = tinyol::kFlagAuthenticated;
  TEST_ASSERT_TRUE(parse(bytes, sizeof(bytes)));
  TEST_ASSERT_EQUAL_UINT32(2, payload.remaining());
}

void test_the_longest_message() {
  uint8_t bytes[kMaxMessageBytes + 1] = {2, 3};
  const uint32_t most = kMaxMessageBytes - tinyol::kMessageHeaderBytes;
  bytes[12] = static_cast<uint8_t>(most);
  bytes[13] = static_cast<uint8_t>(most >> 8);
  TEST_ASSERT_TRUE(parse(bytes, kMaxMessageBytes));
  TEST_ASSERT_EQUAL_UINT32(most, payload.remaining());
  bytes[12] = static_cast<uint8_t>(most + 1);
  bytes[13] = static_cast<uint8_t>((most + 1) >> 8);
  TEST_ASSERT_FALSE(parse(bytes, kMaxMessageBytes + 1));
}

}  // namespace

void setUp() {
  header = MessageHeader();
  payload = ByteReader();
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_written);
  RUN_TEST(test_what_does_not_fit_is_no_message);
  RUN_TEST(test_parsed);
  RUN_TEST(test_a_reader_that_ran_out_stays_failed);
  RUN_TEST(test_every_other_length_is_refused);
  RUN_TEST(test_fields_that_no_message_has);
  RUN_TEST(test_a_trailer_is_no_payload);
  RUN_TEST(test_the_longest_message);
  return UNITY_END();
}
