// A step of gradient descent, and what keeps a bad one from the weights.
#include <math.h>
#include <string.h>
#include <unity.h>

#include "tinyol/sgd.h"

using tinyol::learning_rate_at;
using tinyol::linear_forward;
using tinyol::LinearLayer;
using tinyol::Schedule;
using tinyol::sgd_step;
using tinyol::SgdRule;
using tinyol::StepCounts;

namespace {

float weights[4];
float bias[2];
const LinearLayer layer = {weights, bias, 2, 2};
const float input[2] = {3.0f, 4.0f};
const float delta[2] = {1.0f, -1.0f};
StepCounts counts;

SgdRule rule() {
  return {0.1f, Schedule::kConstant, 1000.0f, 0.0f, 0.0f, 1000.0f};
}

void check_refused(const float* with_delta, const SgdRule& with_rule) {
  const float before[4] = {weights[0], weights[1], weights[2], weights[3]};
  const float bias_before[2] = {bias[0], bias[1]};
  TEST_ASSERT_FALSE(sgd_step(layer, input, with_delta, with_rule, &counts));
  TEST_ASSERT_EQUAL_MEMORY(before, weights, sizeof(before));
  TEST_ASSERT_EQUAL_MEMORY(bias_before, bias, sizeof(bias_before));
  TEST_ASSERT_EQUAL_UINT32(0, counts.applied);
}

// y = W a + b
void test_forward() {
  float y[2];
  linear_forward(layer, input, y);
  TEST_ASSERT_EQUAL_FLOAT(1 * 3.0f + 2 * 4.0f + 0.5f, y[0]);
  TEST_ASSERT_EQUAL_FLOAT(-1 * 3.0f + 0 * 4.0f - 0.5f, y[1]);
}

// W -= 0.1 delta a^T, b -= 0.1 delta
void test_step() {
  TEST_ASSERT_TRUE(sgd_step(layer, input, delta, rule(), &counts));
  TEST_ASSERT_EQUAL_FLOAT(1.0f - 0.3f, weights[0]);
  TEST_ASSERT_EQUAL_FLOAT(2.0f - 0.4f, weights[1]);
  TEST_ASSERT_EQUAL_FLOAT(-1.0f + 0.3f, weights[2]);
  TEST_ASSERT_EQUAL_FLOAT(0.4f, weights[3]);
  TEST_ASSERT_EQUAL_FLOAT(0.5f - 0.1f, bias[0]);
  TEST_ASSERT_EQUAL_FLOAT(-0.5f + 0.1f, bias[1]);
  TEST_ASSERT_EQUAL_UINT32(1, counts.applied);
}

// l2 = 0.5 adds 0.5 w to a weight's gradient, and nothing to a bias's.
void test_weight_decay() {
  SgdRule decaying = rule();
  decaying.l2 = 0.5f;
  const float none[2] = {0.0f, 0.0f};
  TEST_ASSERT_TRUE(sgd_step(layer, input, none, decaying, &counts));
  TEST_ASSERT_EQUAL_FLOAT(0.95f, weights[0]);
  TEST_ASSERT_EQUAL_FLOAT(1.9f, weights[1]);
  TEST_ASSERT_EQUAL_FLOAT(0.5f, bias[0]);
}

// The gradient's norm is |delta| |(a, 1)| = sqrt(2) sqrt(26) = sqrt(52), cut to 1.
void test_clipping() {
  SgdRule clipped = rule();
  clipped.clip_norm = 1.0f;
  TEST_ASSERT_TRUE(sgd_step(layer, input, delta, clipped, &counts));
  TEST_ASSERT_EQUAL_FLOAT(1.0f - 0.3f / sqrtf(52.0f), weights[0]);
  TEST_ASSERT_EQUAL_FLOAT(0.5f - 0.1f / sqrtf(52.0f), bias[0]);
  bias[0] = 0.5f;
  clipped.clip_norm = 7.0f;  // sqrt(52) = 7.21: just above it
  TEST_ASSERT_TRUE(sgd_step(layer, input, delta, clipped, &counts));
  TEST_ASSERT_EQUAL_FLOAT(0.5f - 0.7f / sqrtf(52.0f), bias[0]);
}

void test_a_gradient_within_the_norm_is_not_cut() {
  SgdRule clipped = rule();
  clipped.clip_norm = 7.3f;  // sqrt(52) = 7.21
  TEST_ASSERT_TRUE(sgd_step(layer, input, delta, clipped, &counts));
  TEST_ASSERT_EQUAL_FLOAT(0.7f, weights[0]);
}

void test_a_step_to_a_nan_or_an_infinity_is_skipped_whole() {
  const float nan_last[2] = {1.0f, NAN};
  check_refused(nan_last, rule());
  const float infinite[2] = {INFINITY, 0.0f};
  check_refused(infinite, rule());
  TEST_ASSERT_EQUAL_UINT32(2, counts.not_finite);
  TEST_ASSERT_EQUAL_UINT32(0, counts.over_limit);
}

// W[1][0] would become -1 + 0.3 = -0.7 and W[0][1] 1.6: one over the limit is enough.
void test_a_step_over_the_weight_limit_is_skipped_whole() {
  SgdRule limited = rule();
  limited.weight_limit = 1.5f;
  check_refused(delta, limited);
  TEST_ASSERT_EQUAL_UINT32(1, counts.over_limit);
  TEST_ASSERT_EQUAL_UINT32(0, counts.not_finite);
  limited.weight_limit = 1.7f;
  TEST_ASSERT_TRUE(sgd_step(layer, input, delta, limited, &counts));
}

void test_schedules() {
  SgdRule slowing = rule();
  slowing.schedule_steps = 100.0f;
  TEST_ASSERT_EQUAL_FLOAT(0.1f, learning_rate_at(slowing, 300));
  slowing.schedule = Schedule::kInverseTime;
  TEST_ASSERT_EQUAL_FLOAT(0.1f, learning_rate_at(slowing, 0));
  TEST_ASSERT_EQUAL_FLOAT(0.025f, learning_rate_at(slowing, 300));  // 0.1 / (1 + 3)
  slowing.schedule = Schedule::kInverseSquareRoot;
  TEST_ASSERT_EQUAL_FLOAT(0.05f, learning_rate_at(slowing, 300));
}

void test_counters_stop_at_their_end() {
  counts.applied = UINT32_MAX;
  TEST_ASSERT_TRUE(sgd_step(layer, input, delta, rule(), &counts));
  TEST_ASSERT_EQUAL_UINT32(UINT32_MAX, counts.applied);
}

}  // namespace

void setUp() {
  const float start[4] = {1.0f, 2.0f, -1.0f, 0.0f};
  memcpy(weights, start, sizeof(weights));
  bias[0] = 0.5f;
  bias[1] = -0.5f;
  counts = StepCounts();
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_forward);
  RUN_TEST(test_step);
  RUN_TEST(test_weight_decay);
  RUN_TEST(test_clipping);
  RUN_TEST(test_a_gradient_within_the_norm_is_not_cut);
  RUN_TEST(test_a_step_to_a_nan_or_an_infinity_is_skipped_whole);
  RUN_TEST(test_a_step_over_the_weight_limit_is_skipped_whole);
  RUN_TEST(test_schedules);
  RUN_TEST(test_counters_stop_at_their_end);
  return UNITY_END();
}
