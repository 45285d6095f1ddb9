// The fine-tuned layer: one step under each loss against numbers worked out by hand, and that it
// learns a linear map.
#include <unity.h>

#include "tinyol/reconstruction_head.h"

using tinyol::mean_squared_error;
using tinyol::ReconstructionHead;
using tinyol::ReconstructionLoss;
using tinyol::Schedule;
using tinyol::SgdRule;

namespace {

constexpr SgdRule kRule = {0.1f, Schedule::kConstant, 1000.0f, 0.0f, 0.0f, 1000.0f};

ReconstructionHead head;

// One input, h = 2, one output with W = 1/2, b = -1: z = 0, so a sigmoid gives 1/2.
void set_by_hand() {
  head.reset(1, 1, true);
  head.weights[0] = 0.5f;
  head.bias[0] = -1.0f;
}

// The step that delta = dL/dz makes: W -= 0.1 delta h, b -= 0.1 delta.
void check_step(ReconstructionLoss loss, float target, float output, float delta) {
  set_by_hand();
  const float hidden = 2.0f;
  float y = 0.0f;
  head.predict(&hidden, loss, &y);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, output, y);
  TEST_ASSERT_TRUE(head.learn(&hidden, &target, loss, kRule, &y));
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 0.5f - 0.2f * delta, head.weights[0]);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, -1.0f - 0.1f * delta, head.bias[0]);
}

void test_step_under_each_loss() {
  check_step(ReconstructionLoss::kLinearSquared, 3.0f, 0.0f, -3.0f);
  check_step(ReconstructionLoss::kSigmoidCrossEntropy, 0.25f, 0.5f, 0.25f);
  check_step(ReconstructionLoss::kSigmoidSquared, 0.25f, 0.5f, 0.25f * 0.25f);
  // s(1/2) = 0.6224593, times 1 - s: 0.2350037.
  check_step(ReconstructionLoss::kPaperEquation5, 0.25f, 0.5f, 0.25f * 0.2350037f);
  TEST_ASSERT_EQUAL_UINT32(0, head.clamped_targets);
}

void test_a_target_that_a_sigmoid_cannot_reach_is_clamped_and_counted() {
  check_step(ReconstructionLoss::kSigmoidCrossEntropy, 7.0f, 0.5f, 0.5f - 1.0f);
  TEST_ASSERT_EQUAL_UINT32(1, head.clamped_targets);
  check_step(ReconstructionLoss::kSigmoidCrossEntropy, -7.0f, 0.5f, 0.5f);
  TEST_ASSERT_EQUAL_UINT32(1, head.clamped_targets);
}

void test_without_a_bias_none_is_learned() {
  head.reset(1, 1, false);
  const float hidden = 1.0f;
  const float target = 1.0f;
  float y = 0.0f;
  head.predict(&hidden, ReconstructionLoss::kLinearSquared, &y);
  TEST_ASSERT_TRUE(head.learn(&hidden, &target, ReconstructionLoss::kLinearSquared, kRule, &y));
  TEST_ASSERT_EQUAL_FLOAT(0.1f, head.weights[0]);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, head.bias[0]);
}

void test_it_learns_a_linear_map() {
  head.reset(2, 3, true);
  const float map[3][2] = {{1.0f, -2.0f}, {0.5f, 0.0f}, {3.0f, 1.0f}};
  const float offset[3] = {0.1f, -0.2f, 0.3f};
  float first = 0.0f;
  float error = 0.0f;
  for (int t = 0; t < 2000; ++t) {
    // Points that go round a square of side 2.
    const float hidden[2] = {t % 4 < 2 ? 1.0f : -1.0f, t % 4 % 3 == 0 ? 1.0f : -1.0f};
    float target[3];
    for (int i = 0; i < 3; ++i) {
      target[i] = map[i][0] * hidden[0] + map[i][1] * hidden[1] + offset[i];
    }
    float y[3];
    head.predict(hidden, ReconstructionLoss::kLinearSquared, y);
    error = mean_squared_error(y, target, 3);
    if (t == 0) first = error;
    TEST_ASSERT_TRUE(head.learn(hidden, target, ReconstructionLoss::kLinearSquared, kRule, y));
  }
  TEST_ASSERT_TRUE(first > 1.0f);
  TEST_ASSERT_FLOAT_WITHIN(1e-8f, 0.0f, error);
  TEST_ASSERT_FLOAT_WITHIN(1e-4f, -2.0f, head.weights[1]);
  TEST_ASSERT_FLOAT_WITHIN(1e-4f, 0.3f, head.bias[2]);
}

// ((1 - 0)^2 + (2 - 4)^2 + (3 - 3)^2) / 3
void test_mean_squared_error() {
  const float a[3] = {1.0f, 2.0f, 3.0f};
  const float b[3] = {0.0f, 4.0f, 3.0f};
  TEST_ASSERT_EQUAL_FLOAT(5.0f / 3.0f, mean_squared_error(a, b, 3));
}

}  // namespace

void setUp() {}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_step_under_each_loss);
  RUN_TEST(test_a_target_that_a_sigmoid_cannot_reach_is_clamped_and_counted);
  RUN_TEST(test_without_a_bias_none_is_learned);
  RUN_TEST(test_it_learns_a_linear_map);
  RUN_TEST(test_mean_squared_error);
  return UNITY_END();
}
