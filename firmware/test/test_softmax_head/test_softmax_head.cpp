// The classifier against numbers worked out by hand.
#include <unity.h>

#include "../status_asserts.h"
#include "tinyol/softmax_head.h"

using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::cross_entropy;
using tinyol::Refusal;
using tinyol::Schedule;
using tinyol::SoftmaxHead;
using tinyol::SoftmaxRule;

namespace {

constexpr SoftmaxRule kPaper = {
    {0.1f, Schedule::kConstant, 1000.0f, 0.0f, 0.0f, 1000.0f}, false, false};
constexpr SoftmaxRule kBalanced = {
    {0.1f, Schedule::kConstant, 1000.0f, 0.0f, 0.0f, 1000.0f}, true, true};

SoftmaxHead head;

void add_classes(int n) {
  for (int i = 0; i < n; ++i) head.add_class();
}

void test_without_classes_nothing_is_predicted() {
  const float features[2] = {1.0f, 2.0f};
  float p[tinyol::kMaxClasses] = {};
  TEST_ASSERT_EQUAL_INT(-1, head.predict(features, p));
}

void test_new_classes_are_equally_likely_and_the_first_wins() {
  add_classes(3);
  const float features[2] = {1.0f, 2.0f};
  float p[3] = {};
  TEST_ASSERT_EQUAL_INT(0, head.predict(features, p));
  for (const float each : p) TEST_ASSERT_EQUAL_FLOAT(1.0f / 3.0f, each);
}

// z = (ln 2, 0), so p = (2/3, 1/3).
void test_prediction() {
  add_classes(2);
  head.weights[0] = 0.69314718f;
  const float features[2] = {1.0f, 0.0f};
  float p[2] = {};
  TEST_ASSERT_EQUAL_INT(0, head.predict(features, p));
  TEST_ASSERT_EQUAL_FLOAT(2.0f / 3.0f, p[0]);
  TEST_ASSERT_EQUAL_FLOAT(1.0f / 3.0f, p[1]);
  TEST_ASSERT_EQUAL_FLOAT(0.40546511f, cross_entropy(p, 0));  // ln 1.5
}

// p = (1/2, 1/2); the truth is class 1: delta = (1/2, -1/2), and w -= 0.1 delta a^T.
void test_one_step() {
  add_classes(2);
  const float features[2] = {1.0f, -2.0f};
  float p[2] = {};
  head.predict(features, p);
  TEST_ASSERT_TRUE(head.learn(features, p, 1, kPaper));
  TEST_ASSERT_EQUAL_FLOAT(-0.05f, head.weights[0]);
  TEST_ASSERT_EQUAL_FLOAT(0.1f, head.weights[1]);
  TEST_ASSERT_EQUAL_FLOAT(0.05f, head.weights[2]);
  TEST_ASSERT_EQUAL_FLOAT(-0.1f, head.weights[3]);
  TEST_ASSERT_EQUAL_UINT32(1, head.steps.applied);
  // z = +-(0.05 + 0.2), so p_1 = 1 / (1 + e^-0.5).
  TEST_ASSERT_EQUAL_INT(1, head.predict(features, p));
  TEST_ASSERT_EQUAL_FLOAT(0.62245933f, p[1]);
}

// One lesson of class 0 in 4: weight 4 / (2 * 1) = 2, so delta = 2 (-1/2, 1/2).
void test_a_balanced_step_moves_the_biases_too() {
  add_classes(2);
  head.lessons[1] = 3;
  const float features[2] = {1.0f, 2.0f};
  float p[2] = {};
  head.predict(features, p);
  TEST_ASSERT_TRUE(head.learn(features, p, 0, kBalanced));
  TEST_ASSERT_EQUAL_UINT32(1, head.lessons[0]);
  TEST_ASSERT_EQUAL_FLOAT(0.1f, head.weights[0]);
  TEST_ASSERT_EQUAL_FLOAT(0.2f, head.weights[1]);
  TEST_ASSERT_EQUAL_FLOAT(0.1f, head.bias[0]);
  TEST_ASSERT_EQUAL_FLOAT(-0.1f, head.bias[1]);
  // z = +-(0.1 + 0.4 + 0.1), so p_0 = 1 / (1 + e^-1.2).
  TEST_ASSERT_EQUAL_INT(0, head.predict(features, p));
  TEST_ASSERT_EQUAL_FLOAT(0.76852478f, p[0]);
}

// Neither counted nor weighted: delta = (-1/2, 1/2).
void test_a_rehearsed_lesson() {
  add_classes(2);
  head.lessons[0] = 1;
  head.lessons[1] = 3;
  const float features[2] = {1.0f, 2.0f};
  float p[2] = {};
  head.predict(features, p);
  TEST_ASSERT_TRUE(head.learn(features, p, 0, kBalanced, false));
  TEST_ASSERT_EQUAL_UINT32(1, head.lessons[0]);
  TEST_ASSERT_EQUAL_FLOAT(0.05f, head.weights[0]);
  TEST_ASSERT_EQUAL_FLOAT(0.05f, head.bias[0]);
}

void test_large_scores_stay_finite() {
  add_classes(2);
  head.weights[0] = 1000.0f;
  head.weights[2] = -1000.0f;
  const float features[2] = {1000.0f, 0.0f};
  float p[2] = {};
  TEST_ASSERT_EQUAL_INT(0, head.predict(features, p));
  TEST_ASSERT_EQUAL_FLOAT(1.0f, p[0]);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, p[1]);
  TEST_ASSERT_EQUAL_FLOAT(16.118096f, cross_entropy(p, 1));  // -ln 1e-7: held there
}

// z = (1000, 1000 - ln 2): e^1000 is no float, but their ratio is 2.
void test_only_differences_of_scores_count() {
  add_classes(2);
  head.weights[0] = 1000.0f;
  head.weights[2] = 1000.0f - 0.69314718f;
  const float features[2] = {1.0f, 0.0f};
  float p[2] = {};
  head.predict(features, p);
  TEST_ASSERT_FLOAT_WITHIN(1e-4f, 2.0f / 3.0f, p[0]);
  TEST_ASSERT_FLOAT_WITHIN(1e-4f, 1.0f / 3.0f, p[1]);
}

void test_a_removed_class_takes_its_row_along() {
  add_classes(3);
  for (int i = 0; i < 6; ++i) head.weights[i] = static_cast<float>(i);
  for (int i = 0; i < 3; ++i) head.bias[i] = static_cast<float>(10 + i);
  for (int i = 0; i < 3; ++i) head.lessons[i] = static_cast<uint32_t>(20 + i);
  head.remove_class(1);
  TEST_ASSERT_EQUAL_INT(2, head.n_classes);
  const float left[6] = {0, 1, 4, 5, 0, 0};
  TEST_ASSERT_EQUAL_MEMORY(left, head.weights, sizeof(left));
  const float left_bias[3] = {10, 12, 0};
  TEST_ASSERT_EQUAL_MEMORY(left_bias, head.bias, sizeof(left_bias));
  const uint32_t left_lessons[3] = {20, 22, 0};
  TEST_ASSERT_EQUAL_MEMORY(left_lessons, head.lessons, sizeof(left_lessons));
}

void test_written_and_read_again() {
  add_classes(2);
  const float features[2] = {0.3f, -0.7f};
  float p[2] = {};
  head.predict(features, p);
  head.learn(features, p, 0, kBalanced);
  uint8_t bytes[80];
  ByteWriter out(bytes, sizeof(bytes));
  head.write(&out);
  TEST_ASSERT_TRUE(out.ok());

  SoftmaxHead again;
  Refusal refusal;
  ByteReader in(bytes, out.length());
  ASSERT_STATUS(kOk, SoftmaxHead::read(&in, 2, 2, &again, &refusal));
  TEST_ASSERT_EQUAL_MEMORY(head.weights, again.weights, sizeof(head.weights));
  TEST_ASSERT_EQUAL_MEMORY(head.bias, again.bias, sizeof(head.bias));
  TEST_ASSERT_EQUAL_MEMORY(head.lessons, again.lessons, sizeof(head.lessons));
  TEST_ASSERT_EQUAL_UINT32(1, again.steps.applied);

  ByteReader other(bytes, out.length());
  ASSERT_STATUS(kMalformed, SoftmaxHead::read(&other, 2, 3, nullptr, &refusal));
}

}  // namespace

void setUp() {
  head.reset(2);
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_without_classes_nothing_is_predicted);
  RUN_TEST(test_new_classes_are_equally_likely_and_the_first_wins);
  RUN_TEST(test_prediction);
  RUN_TEST(test_one_step);
  RUN_TEST(test_a_balanced_step_moves_the_biases_too);
  RUN_TEST(test_a_rehearsed_lesson);
  RUN_TEST(test_large_scores_stay_finite);
  RUN_TEST(test_only_differences_of_scores_count);
  RUN_TEST(test_a_removed_class_takes_its_row_along);
  RUN_TEST(test_written_and_read_again);
  return UNITY_END();
}
