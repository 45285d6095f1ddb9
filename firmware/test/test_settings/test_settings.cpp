// Settings: start values, ranges, whole numbers, and what is written of them.
#include <math.h>
#include <string.h>
#include <unity.h>

#include "../status_asserts.h"
#include "tinyol/settings.h"

using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::find_setting;
using tinyol::kSettingCount;
using tinyol::Refusal;
using tinyol::Setting;
using tinyol::setting_info;
using tinyol::Settings;

namespace {

constexpr int kRate = static_cast<int>(Setting::kClassifierRate);
constexpr int kHorizon = static_cast<int>(Setting::kStatisticsHorizon);

void test_start_values_are_the_tables() {
  const Settings settings;
  for (int i = 0; i < kSettingCount; ++i) {
    TEST_ASSERT_EQUAL_FLOAT(setting_info(i).initial, settings.value[i]);
  }
  TEST_ASSERT_EQUAL_FLOAT(0.05f, settings[Setting::kClassifierRate]);
  TEST_ASSERT_EQUAL_FLOAT(16384.0f, settings[Setting::kStatisticsHorizon]);
}

void test_every_setting_takes_its_bounds_and_nothing_beyond() {
  for (int i = 0; i < kSettingCount; ++i) {
    const tinyol::SettingInfo& info = setting_info(i);
    Settings settings;
    TEST_ASSERT_TRUE_MESSAGE(find_setting(info.id) == i, info.name);
    ASSERT_STATUS(kOk, settings.set(i, info.minimum));
    TEST_ASSERT_EQUAL_FLOAT(info.minimum, settings.value[i]);
    ASSERT_STATUS(kBadValue, settings.set(i, nextafterf(info.maximum, INFINITY)));
    ASSERT_STATUS(kBadValue, settings.set(i, nextafterf(info.minimum, -INFINITY)));
    ASSERT_STATUS(kNotFinite, settings.set(i, NAN));
    TEST_ASSERT_EQUAL_FLOAT(info.minimum, settings.value[i]);
    ASSERT_STATUS(kOk, settings.set(i, info.maximum));
  }
}

void test_a_refusal_names_the_setting() {
  Settings settings;
  Refusal refusal;
  settings.set(kRate, -1.0f, &refusal);
  ASSERT_REFUSED(kBadValue, "classifier.learning_rate", refusal);
}

void test_whole_numbers_only_where_the_table_says_so() {
  Settings settings;
  ASSERT_STATUS(kBadValue, settings.set(kHorizon, 16.5f));
  ASSERT_STATUS(kOk, settings.set(kHorizon, 17.0f));
  ASSERT_STATUS(kOk, settings.set(kRate, 0.125f));
}

void test_an_unknown_id_or_index_is_not_found() {
  Settings settings;
  TEST_ASSERT_EQUAL_INT(-1, find_setting(0));
  ASSERT_STATUS(kNotFound, settings.set(find_setting(999), 1.0f));
  ASSERT_STATUS(kNotFound, settings.set(kSettingCount, 1.0f));
}

void test_written_and_read_again() {
  Settings settings;
  settings.set(kRate, 0.25f);
  uint8_t bytes[4 + kSettingCount * 8];
  ByteWriter out(bytes, sizeof(bytes));
  settings.write(&out);
  TEST_ASSERT_TRUE(out.ok());
  TEST_ASSERT_EQUAL_UINT32(sizeof(bytes), out.length());
  Settings again;
  ByteReader in(bytes, sizeof(bytes));
  ASSERT_STATUS(kOk, Settings::read(&in, Settings::Which::kAll, &again, nullptr));
  TEST_ASSERT_EQUAL_MEMORY(settings.value, again.value, sizeof(settings.value));
}

// One entry, the rate as 64, as a model image may carry it: the others stay.
void test_a_part_of_them_leaves_the_rest() {
  const uint8_t bytes[12] = {1, 0, 0, 0, 1, 0, 0, 0, 0x00, 0x00, 0x80, 0x42};
  Settings settings;
  settings.set(kHorizon, 64.0f);
  ByteReader in(bytes, sizeof(bytes));
  ASSERT_STATUS(kOk, Settings::read(&in, Settings::Which::kSome, &settings, nullptr));
  TEST_ASSERT_EQUAL_FLOAT(64.0f, settings[Setting::kClassifierRate]);
  TEST_ASSERT_EQUAL_FLOAT(64.0f, settings[Setting::kStatisticsHorizon]);
  ByteReader whole(bytes, sizeof(bytes));
  ASSERT_STATUS(kMalformed, Settings::read(&whole, Settings::Which::kAll, &settings, nullptr));
}

void test_one_bad_value_changes_none() {
  uint8_t bytes[4 + 2 * 8] = {2, 0, 0, 0};
  const uint8_t rate[8] = {1, 0, 0, 0, 0x00, 0x00, 0x00, 0x3F};      // 0.5
  const uint8_t horizon[8] = {32, 0, 0, 0, 0x00, 0x00, 0x00, 0x3F};  // 0.5: too small
  memcpy(bytes + 4, rate, 8);
  memcpy(bytes + 12, horizon, 8);
  Settings settings;
  Refusal refusal;
  ByteReader in(bytes, sizeof(bytes));
  Settings::read(&in, Settings::Which::kSome, &settings, &refusal);
  ASSERT_REFUSED(kBadValue, "statistics.horizon", refusal);
  TEST_ASSERT_EQUAL_FLOAT(0.05f, settings[Setting::kClassifierRate]);
}

}  // namespace

void setUp() {}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_start_values_are_the_tables);
  RUN_TEST(test_every_setting_takes_its_bounds_and_nothing_beyond);
  RUN_TEST(test_a_refusal_names_the_setting);
  RUN_TEST(test_whole_numbers_only_where_the_table_says_so);
  RUN_TEST(test_an_unknown_id_or_index_is_not_found);
  RUN_TEST(test_written_and_read_again);
  RUN_TEST(test_a_part_of_them_leaves_the_rest);
  RUN_TEST(test_one_bad_value_changes_none);
  return UNITY_END();
}
