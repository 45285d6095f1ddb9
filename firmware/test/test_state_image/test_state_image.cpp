// What a device has learned, as bytes: all of it comes back, and no damaged image changes any.
#include <string.h>
#include <unity.h>

#include "../hand_made_device.h"
#include "../status_asserts.h"
#include "tinyol/crc32.h"
#include "tinyol/image.h"

using tinyol::crc32;
using tinyol::Device;
using tinyol::Model;
using tinyol::Refusal;
using tinyol::WindowResult;

namespace {

HalvesNet net;
Device device;
uint8_t image[2048];
uint32_t length;

void export_again(uint8_t (&into)[sizeof(image)], const Device& from) {
  TEST_ASSERT_EQUAL_UINT32(length, from.export_state(into, sizeof(into)));
}

void check_untouched() {
  uint8_t now[sizeof(image)];
  export_again(now, device);
  TEST_ASSERT_EQUAL_MEMORY(image, now, length);
}

// As if whoever spoiled the image had put its CRC right.
void put_crc_right(uint8_t* bytes) {
  tinyol::ByteWriter out(bytes + length - tinyol::kImageCrcBytes, tinyol::kImageCrcBytes);
  out.u32(crc32(bytes, length - tinyol::kImageCrcBytes));
}

void test_a_device_takes_over_all_that_another_learned() {
  HalvesNet other_net;
  static Device other;
  ASSERT_STATUS(kOk, other.load(hand_made_model(), &other_net, nullptr));
  ASSERT_STATUS(kOk, other.import_state(image, length, nullptr));
  uint8_t again[sizeof(image)];
  export_again(again, other);
  TEST_ASSERT_EQUAL_MEMORY(image, again, length);
  TEST_ASSERT_EQUAL_STRING("fast", other.state().classes.names[1]);
  // ... and goes on as that one does, bit for bit.
  WindowResult ours;
  WindowResult theirs;
  for (int step = 100; step < 120; ++step) {
    push_window(&device, step % 2, step, &ours);
    push_window(&other, step % 2, step, &theirs);
    TEST_ASSERT_EQUAL_INT(ours.predicted, theirs.predicted);
    TEST_ASSERT_EQUAL_MEMORY(&ours.confidence, &theirs.confidence, sizeof(float));
  }
}

void test_its_size_is_known() {
  TEST_ASSERT_TRUE(length <= device.max_image_bytes());
  TEST_ASSERT_EQUAL_UINT32(0, length % 4);
  uint8_t small[64];
  TEST_ASSERT_EQUAL_UINT32(0, device.export_state(small, sizeof(small)));
}

void test_every_flipped_bit_is_refused_and_changes_nothing() {
  for (uint32_t bit = 0; bit < 8 * length; ++bit) {
    const uint8_t mask = static_cast<uint8_t>(1u << (bit % 8));
    image[bit / 8] ^= mask;
    const bool taken = device.import_state(image, length, nullptr) == tinyol::Status::kOk;
    image[bit / 8] ^= mask;
    TEST_ASSERT_FALSE(taken);
  }
  check_untouched();
}

void test_every_shorter_image_is_refused() {
  for (uint32_t n = 0; n < length; ++n) {
    TEST_ASSERT_FALSE(device.import_state(image, n, nullptr) == tinyol::Status::kOk);
  }
  check_untouched();
}

void test_an_image_of_another_model_is_refused() {
  HalvesNet other_net;
  static Device other;
  Model model = hand_made_model();
  model.id[7] = '2';
  ASSERT_STATUS(kOk, other.load(model, &other_net, nullptr));
  ASSERT_STATUS(kWrongModel, other.import_state(image, length, nullptr));
}

// The first weight of SOFT becomes NaN: behind the tag, the length and 24 bytes of shape.
void test_a_weight_that_is_not_finite_is_refused_under_a_right_crc() {
  uint8_t spoiled[sizeof(image)];
  memcpy(spoiled, image, length);
  uint32_t at = 0;
  while (at + 4 < length && memcmp(spoiled + at, "SOFT", 4) != 0) ++at;
  const uint8_t nan_bytes[4] = {0x00, 0x00, 0xC0, 0x7F};
  memcpy(spoiled + at + 8 + 24, nan_bytes, 4);
  put_crc_right(spoiled);
  Refusal refusal;
  device.import_state(spoiled, length, &refusal);
  ASSERT_REFUSED(kNotFinite, "SOFT", refusal);
  check_untouched();
}

void test_an_import_ends_what_is_under_way() {
  device.label(0, 10, nullptr);
  device.fine_tune(10, nullptr);
  ASSERT_STATUS(kOk, device.import_state(image, length, nullptr));
  TEST_ASSERT_EQUAL_INT(tinyol::kNoClass, device.current_label());
  TEST_ASSERT_EQUAL_UINT32(0, device.learner().fine_tune_left());
}

}  // namespace

// A device that knows two classes and has been fine-tuned.
void setUp() {
  net = HalvesNet();
  device.load(hand_made_model(), &net, nullptr);
  uint16_t index = 0;
  device.add_class("slow", 4, &index, nullptr);
  device.add_class("fast", 4, &index, nullptr);
  device.fine_tune(30, nullptr);
  WindowResult result;
  for (int step = 0; step < 60; ++step) {
    device.label(step % 2, 1, nullptr);
    push_window(&device, step % 2, step, &result);
  }
  length = device.export_state(image, sizeof(image));
  TEST_ASSERT_TRUE(length > 0);
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_a_device_takes_over_all_that_another_learned);
  RUN_TEST(test_its_size_is_known);
  RUN_TEST(test_every_flipped_bit_is_refused_and_changes_nothing);
  RUN_TEST(test_every_shorter_image_is_refused);
  RUN_TEST(test_an_image_of_another_model_is_refused);
  RUN_TEST(test_a_weight_that_is_not_finite_is_refused_under_a_right_crc);
  RUN_TEST(test_an_import_ends_what_is_under_way);
  return UNITY_END();
}
