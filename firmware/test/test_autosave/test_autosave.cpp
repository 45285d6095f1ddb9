// When a device saves by itself, and the credit that keeps it from wearing out its flash.
#include <unity.h>

#include "tinyol/autosave.h"

using tinyol::Autosave;

namespace {

constexpr uint32_t kHourMs = static_cast<uint32_t>(Autosave::kHourMs);

Autosave autosave;

// A peer teaches something and leaves.
bool leaves_after_a_lesson(uint32_t lesson, uint32_t now_ms) {
  autosave.peer_left();
  const bool due = autosave.due(lesson, now_ms);
  if (due) autosave.saved(lesson);
  return due;
}

void test_nothing_learned_is_never_saved() {
  autosave.saved(5);
  for (uint32_t hour = 0; hour < 100; ++hour) {
    autosave.peer_left();
    TEST_ASSERT_FALSE(autosave.due(5, hour * kHourMs));
  }
}

void test_a_peer_that_leaves_has_its_lesson_saved_at_once() {
  TEST_ASSERT_FALSE(autosave.due(1, 0));  // learned, but the peer is still there
  TEST_ASSERT_TRUE(autosave.unsaved(1));
  TEST_ASSERT_TRUE(leaves_after_a_lesson(1, 1000));
  TEST_ASSERT_FALSE(autosave.unsaved(1));
  TEST_ASSERT_FALSE(autosave.due(2, 2000));  // one departure, one save
}

void test_a_device_that_learns_alone_is_saved_every_hour() {
  autosave.due(0, 0);
  uint32_t saves = 0;
  for (uint32_t minute = 1; minute <= 600; ++minute) {
    if (!autosave.due(minute, minute * 60000)) continue;
    autosave.saved(minute);
    TEST_ASSERT_EQUAL_UINT32(0, minute % 60);
    ++saves;
  }
  TEST_ASSERT_EQUAL_UINT32(10, saves);
}

// 16 at boot; then one an hour, however often a peer comes and goes.
void test_the_credit() {
  uint32_t lesson = 0;
  for (int i = 0; i < Autosave::kMostCredit; ++i) {
    TEST_ASSERT_TRUE(leaves_after_a_lesson(++lesson, 1000));
  }
  TEST_ASSERT_FALSE(leaves_after_a_lesson(++lesson, 1000));
  uint32_t saves = 0;
  for (uint32_t ms = 1000; ms < 1000 + 10 * kHourMs; ms += 60000) {
    saves += leaves_after_a_lesson(++lesson, ms) ? 1 : 0;
  }
  TEST_ASSERT_EQUAL_UINT32(9, saves);  // the tenth hour is not over yet
}

// What a peer without credit taught waits for the next hour.
void test_an_unpaid_save_is_made_later() {
  uint32_t lesson = 0;
  while (lesson < 100 && leaves_after_a_lesson(lesson + 1, 0)) ++lesson;
  TEST_ASSERT_EQUAL_UINT32(Autosave::kMostCredit, lesson);
  TEST_ASSERT_FALSE(autosave.due(lesson + 1, kHourMs - 1));
  TEST_ASSERT_TRUE(autosave.due(lesson + 1, kHourMs));
}

void test_credit_does_not_grow_beyond_its_most() {
  for (uint32_t hour = 0; hour < 100; ++hour) autosave.due(0, hour * kHourMs);
  uint32_t lesson = 0;
  uint32_t saves = 0;
  while (saves < 100 && leaves_after_a_lesson(++lesson, 99 * kHourMs + 1)) ++saves;
  TEST_ASSERT_EQUAL_UINT32(Autosave::kMostCredit, saves);
}

void test_the_clock_may_wrap() {
  const uint32_t start = UINT32_MAX - kHourMs / 2;
  autosave.due(0, start);
  TEST_ASSERT_FALSE(autosave.due(1, start + kHourMs - 1));
  TEST_ASSERT_TRUE(autosave.due(1, start + kHourMs));
}

}  // namespace

void setUp() {
  autosave = Autosave();
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_nothing_learned_is_never_saved);
  RUN_TEST(test_a_peer_that_leaves_has_its_lesson_saved_at_once);
  RUN_TEST(test_a_device_that_learns_alone_is_saved_every_hour);
  RUN_TEST(test_the_credit);
  RUN_TEST(test_an_unpaid_save_is_made_later);
  RUN_TEST(test_credit_does_not_grow_beyond_its_most);
  RUN_TEST(test_the_clock_may_wrap);
  return UNITY_END();
}
