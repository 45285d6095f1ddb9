// Running mean and variance against their closed forms.
#include <unity.h>

#include "tinyol/running_stats.h"

using tinyol::RunningMean;
using tinyol::RunningStats;
using tinyol::standardise;

namespace {

constexpr uint32_t kNoHorizon = 65536;

void test_first_sample_is_the_mean_without_variance() {
  RunningStats stats;
  stats.reset(2);
  const float first[2] = {3.0f, -7.0f};
  stats.update(first, kNoHorizon);
  TEST_ASSERT_EQUAL_UINT32(1, stats.count);
  TEST_ASSERT_EQUAL_FLOAT(3.0f, stats.mean[0]);
  TEST_ASSERT_EQUAL_FLOAT(-7.0f, stats.mean[1]);
  float scaled[2] = {1.0f, 1.0f};
  standardise(stats, first, scaled);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, scaled[0]);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, scaled[1]);
}

// 1, 2, ..., n: the mean is (n + 1) / 2, the population variance (n^2 - 1) / 12.
void test_whole_numbers() {
  RunningStats stats;
  stats.reset(1);
  for (int i = 1; i <= 1000; ++i) {
    const float x = static_cast<float>(i);
    stats.update(&x, kNoHorizon);
  }
  TEST_ASSERT_FLOAT_WITHIN(0.01f, 500.5f, stats.mean[0]);
  TEST_ASSERT_FLOAT_WITHIN(1.0f, 999999.0f / 12.0f, stats.variance[0]);
}

// 2, 4, 4, 4, 5, 5, 7, 9 have mean 5 and variance 4, so 9 lies two standard deviations above.
void test_standardise() {
  RunningStats stats;
  stats.reset(1);
  const float samples[8] = {2, 4, 4, 4, 5, 5, 7, 9};
  for (const float& x : samples) stats.update(&x, kNoHorizon);
  TEST_ASSERT_EQUAL_FLOAT(5.0f, stats.mean[0]);
  TEST_ASSERT_EQUAL_FLOAT(4.0f, stats.variance[0]);
  const float nine = 9.0f;
  float scaled = 0.0f;
  standardise(stats, &nine, &scaled);
  TEST_ASSERT_EQUAL_FLOAT(2.0f, scaled);
}

void test_a_constant_feature_is_scaled_to_zero() {
  RunningStats stats;
  stats.reset(1);
  const float same = 0.1f;
  for (int i = 0; i < 100; ++i) stats.update(&same, kNoHorizon);
  float scaled = 1.0f;
  standardise(stats, &same, &scaled);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, scaled);
}

// The mean has come to rest at 0 when the input steps to 1: then each sample takes 1/H of what is
// left, which after k of them is (1 - 1/H)^k.
void test_beyond_the_horizon_the_old_is_forgotten() {
  constexpr uint32_t kHorizon = 16;
  RunningStats stats;
  stats.reset(1);
  const float before = 0.0f;
  const float after = 1.0f;
  for (int i = 0; i < 100; ++i) stats.update(&before, kHorizon);
  double left = 1.0;
  for (int k = 0; k < 20; ++k) {
    stats.update(&after, kHorizon);
    left *= 1.0 - 1.0 / kHorizon;
  }
  TEST_ASSERT_FLOAT_WITHIN(1e-5f, static_cast<float>(1.0 - left), stats.mean[0]);
  TEST_ASSERT_EQUAL_UINT32(120, stats.count);
}

// Where sums of squares in float32 have no digit left: 10,000 +- 1.
void test_a_large_offset_costs_no_variance() {
  RunningStats stats;
  stats.reset(1);
  for (int i = 0; i < 10000; ++i) {
    const float x = i % 2 == 0 ? 10001.0f : 9999.0f;
    stats.update(&x, kNoHorizon);
  }
  TEST_ASSERT_FLOAT_WITHIN(0.01f, 10000.0f, stats.mean[0]);
  TEST_ASSERT_FLOAT_WITHIN(0.01f, 1.0f, stats.variance[0]);
}

void test_mean_of_one_number() {
  RunningMean mean;
  for (int i = 1; i <= 4; ++i) mean.update(static_cast<float>(i), kNoHorizon);
  TEST_ASSERT_EQUAL_FLOAT(2.5f, mean.mean);
  TEST_ASSERT_EQUAL_UINT32(4, mean.count);
}

}  // namespace

void setUp() {}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_first_sample_is_the_mean_without_variance);
  RUN_TEST(test_whole_numbers);
  RUN_TEST(test_standardise);
  RUN_TEST(test_a_constant_feature_is_scaled_to_zero);
  RUN_TEST(test_beyond_the_horizon_the_old_is_forgotten);
  RUN_TEST(test_a_large_offset_costs_no_variance);
  RUN_TEST(test_mean_of_one_number);
  return UNITY_END();
}
