// What is saved in flash survives a power cut at any operation: the last image, or the one before.
#include <string.h>
#include <unity.h>

#include "../ram_flash.h"
#include "../status_asserts.h"
#include "tinyol/state_store.h"

using tinyol::Refusal;
using tinyol::StateStore;

namespace {

constexpr uint32_t kImageBytes = 400;  // with a record's header two pages: four slots
const uint8_t kModel[8] = {'m', 'o', 'd', 'e', 'l', ' ', ' ', '1'};
const uint8_t kOther[8] = {'m', 'o', 'd', 'e', 'l', ' ', ' ', '2'};

RamFlash flash;
uint8_t image[kImageBytes];

// An image that is not another's.
const uint8_t* image_of(uint32_t number) {
  for (uint32_t i = 0; i < kImageBytes; ++i) image[i] = static_cast<uint8_t>(number * 31 + i);
  return image;
}

StateStore booted(const uint8_t* model = kModel) {
  flash.power_on();
  StateStore store;
  ASSERT_STATUS(kOk, store.begin(&flash, model, kImageBytes, nullptr));
  return store;
}

// The number of the image that a boot finds; -1 for none.
int found(const uint8_t* model = kModel) {
  const StateStore store = booted(model);
  uint8_t out[kImageBytes];
  uint32_t length = 0;
  if (store.load(out, sizeof(out), &length, nullptr) != tinyol::Status::kOk) return -1;
  TEST_ASSERT_EQUAL_UINT32(kImageBytes, length);
  for (int number = 0; number < 64; ++number) {
    if (memcmp(out, image_of(static_cast<uint32_t>(number)), kImageBytes) == 0) return number;
  }
  TEST_FAIL_MESSAGE("an image that nobody saved");
  return -2;
}

void test_an_empty_flash_holds_nothing() {
  const StateStore store = booted();
  uint32_t length = 1;
  Refusal refusal;
  store.load(image, sizeof(image), &length, &refusal);
  ASSERT_REFUSED(kNotFound, "saved state", refusal);
  TEST_ASSERT_EQUAL_UINT32(0, length);
}

void test_the_last_one_saved_is_found_and_all_pages_wear_alike() {
  StateStore store = booted();
  for (uint32_t number = 0; number < 40; ++number) {
    ASSERT_STATUS(kOk, store.save(image_of(number), kImageBytes, nullptr));
  }
  TEST_ASSERT_EQUAL_UINT32(40, store.saves());
  TEST_ASSERT_EQUAL_UINT32(10, store.wear());
  for (const uint32_t erases : flash.erases) TEST_ASSERT_EQUAL_UINT32(10, erases);
  TEST_ASSERT_EQUAL_INT(39, found());
}

// A save takes two erases and 110 words: 10 of a record's header, 100 of the image. The last word
// makes it count, so at every cut before that the older image is found.
void test_a_cut_at_any_operation_of_a_save() {
  constexpr uint32_t kOperations = 2 + 110;
  for (uint32_t cut = 1; cut <= kOperations + 1; ++cut) {
    flash.wipe();
    StateStore store = booted();
    for (uint32_t number = 1; number <= 5; ++number) {
      ASSERT_STATUS(kOk, store.save(image_of(number), kImageBytes, nullptr));
    }
    flash.cut_after(cut);
    const bool saved = store.save(image_of(6), kImageBytes, nullptr) == tinyol::Status::kOk;
    TEST_ASSERT_TRUE(saved == (cut > kOperations));
    TEST_ASSERT_EQUAL_INT(saved ? 6 : 5, found());
    // ... and saving goes on.
    StateStore after = booted();
    ASSERT_STATUS(kOk, after.save(image_of(7), kImageBytes, nullptr));
    TEST_ASSERT_EQUAL_INT(7, found());
  }
}

// Five cuts one after the other, each at another place, and still the only whole image is there.
void test_cut_after_cut() {
  StateStore first = booted();
  ASSERT_STATUS(kOk, first.save(image_of(1), kImageBytes, nullptr));
  const uint32_t cuts[] = {1, 2, 5, 60, 112};
  for (const uint32_t cut : cuts) {
    StateStore store = booted();
    flash.cut_after(cut);
    ASSERT_STATUS(kFlash, store.save(image_of(2), kImageBytes, nullptr));
    TEST_ASSERT_EQUAL_INT(1, found());
  }
}

void test_a_bit_that_was_lost_since_costs_that_record_alone() {
  StateStore store = booted();
  ASSERT_STATUS(kOk, store.save(image_of(1), kImageBytes, nullptr));
  ASSERT_STATUS(kOk, store.save(image_of(2), kImageBytes, nullptr));
  const uint32_t second_slot = 2 * RamFlash::kPageBytes;
  flash.bytes[second_slot + 300] ^= 0x04;
  TEST_ASSERT_EQUAL_INT(1, found());
}

void test_a_worn_out_slot_is_passed_over() {
  StateStore store = booted();
  ASSERT_STATUS(kOk, store.save(image_of(1), kImageBytes, nullptr));
  flash.worn_out[2] = true;  // of the second slot
  ASSERT_STATUS(kOk, store.save(image_of(2), kImageBytes, nullptr));
  TEST_ASSERT_EQUAL_INT(2, found());
  TEST_ASSERT_EQUAL_UINT32(1, flash.erases[4]);
}

// Where no other slot is left, the newest record stays.
void test_the_newest_is_never_written_over() {
  StateStore store = booted();
  ASSERT_STATUS(kOk, store.save(image_of(1), kImageBytes, nullptr));
  for (uint32_t page = 2; page < RamFlash::kPages; ++page) flash.worn_out[page] = true;
  Refusal refusal;
  store.save(image_of(2), kImageBytes, &refusal);
  ASSERT_REFUSED(kFlash, "flash", refusal);
  TEST_ASSERT_EQUAL_INT(1, found());
}

void test_each_model_has_its_own() {
  StateStore store = booted();
  ASSERT_STATUS(kOk, store.save(image_of(1), kImageBytes, nullptr));
  TEST_ASSERT_EQUAL_INT(-1, found(kOther));
  StateStore other = booted(kOther);
  ASSERT_STATUS(kOk, other.save(image_of(2), kImageBytes, nullptr));
  TEST_ASSERT_EQUAL_INT(1, found());
  TEST_ASSERT_EQUAL_INT(2, found(kOther));
}

void test_what_cannot_be_kept_is_refused() {
  StateStore store;
  Refusal refusal;
  store.begin(&flash, kModel, RamFlash::kPages / 2 * RamFlash::kPageBytes, &refusal);
  ASSERT_REFUSED(kTooSmall, "flash", refusal);
  TEST_ASSERT_EQUAL_UINT32(RamFlash::kPages * RamFlash::kPageBytes, refusal.have);

  store = booted();
  ASSERT_STATUS(kBadValue, store.save(image_of(1), kImageBytes - 1, nullptr));
  ASSERT_STATUS(kBadValue, store.save(image_of(1), 2 * RamFlash::kPageBytes, nullptr));
  ASSERT_STATUS(kOk, store.save(image_of(1), kImageBytes, nullptr));
  uint32_t length = 0;
  ASSERT_STATUS(kTooSmall, store.load(image, kImageBytes - 1, &length, nullptr));
}

}  // namespace

void setUp() {
  flash.wipe();
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_an_empty_flash_holds_nothing);
  RUN_TEST(test_the_last_one_saved_is_found_and_all_pages_wear_alike);
  RUN_TEST(test_a_cut_at_any_operation_of_a_save);
  RUN_TEST(test_cut_after_cut);
  RUN_TEST(test_a_bit_that_was_lost_since_costs_that_record_alone);
  RUN_TEST(test_a_worn_out_slot_is_passed_over);
  RUN_TEST(test_the_newest_is_never_written_over);
  RUN_TEST(test_each_model_has_its_own);
  RUN_TEST(test_what_cannot_be_kept_is_refused);
  return UNITY_END();
}
