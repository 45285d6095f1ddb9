// The Gaussian head against numbers worked out by hand, and that it tells what it has not seen.
#include <unity.h>

#include "../status_asserts.h"
#include "tinyol/gaussian_head.h"

using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::GaussianHead;
using tinyol::GaussianRule;
using tinyol::Refusal;

namespace {

constexpr GaussianRule kRule = {4096, 2.0f, 0.05f};
constexpr float kPrior[2] = {1.0f, 4.0f};

GaussianHead head;

void begin(bool full, int classes) {
  head.reset(2, full, kPrior);
  for (int i = 0; i < classes; ++i) head.add_class();
}

void teach(float x, float y, uint16_t truth) {
  const float row[2] = {x, y};
  head.learn(row, truth, kRule);
}

void test_without_lessons_nothing_is_predicted() {
  begin(false, 2);
  const float row[2] = {1.0f, 2.0f};
  float p[2] = {9.0f, 9.0f};
  float novelty = 9.0f;
  TEST_ASSERT_EQUAL_INT(-1, head.predict(row, p, &novelty));
  for (const float each : p) TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, each);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, novelty);
}

// (0, 0) and (2, 4): mean (1, 2), sample variances (1, 4), covariance 2; with the prior twice:
// (2 S + 2 P) / 4 = ((1, 1), (1, 4)).
void test_two_lessons_diagonal() {
  begin(false, 1);
  teach(0.0f, 0.0f, 0);
  teach(2.0f, 4.0f, 0);
  TEST_ASSERT_EQUAL_FLOAT(1.0f, head.mean[0]);
  TEST_ASSERT_EQUAL_FLOAT(2.0f, head.mean[1]);
  TEST_ASSERT_EQUAL_FLOAT(1.0f, head.spread[0]);
  TEST_ASSERT_EQUAL_FLOAT(4.0f, head.spread[1]);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 1.3862944f, head.log_det[0]);  // ln 4
  const float row[2] = {4.0f, 4.0f};
  TEST_ASSERT_EQUAL_FLOAT(9.0f + 1.0f, head.squared_distance(row, 0));
}

// L = ((1, 0), (1, sqrt 3)); S^-1 = ((4, -1), (-1, 1)) / 3.
void test_two_lessons_full() {
  begin(true, 1);
  teach(0.0f, 0.0f, 0);
  teach(2.0f, 4.0f, 0);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 1.0f, head.spread[0]);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 1.0f, head.spread[1]);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 1.7320508f, head.spread[2]);
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 1.0986123f, head.log_det[0]);  // ln 3
  const float row[2] = {4.0f, 4.0f};                             // b = (3, 2)
  TEST_ASSERT_FLOAT_WITHIN(1e-5f, (36.0f - 12.0f + 4.0f) / 3.0f, head.squared_distance(row, 0));
}

void test_the_nearer_class_wins_and_its_weight_counts() {
  begin(false, 2);
  for (int i = 0; i < 4; ++i) {
    teach(i % 2 == 0 ? -1.0f : 1.0f, 0.0f, 0);
    teach(i % 2 == 0 ? 3.0f : 5.0f, 0.0f, 1);
  }
  float p[2];
  float novelty;
  const float half_way[2] = {2.0f, 0.0f};
  TEST_ASSERT_EQUAL_INT(0, head.predict(half_way, p, &novelty));
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 0.5f, p[0]);
  head.weight[1] = 3.0f;
  TEST_ASSERT_EQUAL_INT(1, head.predict(half_way, p, &novelty));
  TEST_ASSERT_FLOAT_WITHIN(1e-6f, 0.75f, p[1]);
}

void test_what_no_class_explains_is_novel() {
  begin(false, 1);
  const float near[2] = {0.5f, 0.5f};
  const float far[2] = {40.0f, 0.0f};
  float p[1];
  float novelty;
  for (int i = 0; i < 100; ++i) {
    head.predict(far, p, &novelty);
    if (i < 10) {
      TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, novelty);
    } else {
      TEST_ASSERT_TRUE(novelty > 1.0f);
    }
    teach(i % 2 == 0 ? 1.0f : -1.0f, i % 4 < 2 ? 2.0f : -2.0f, 0);
  }
  head.predict(near, p, &novelty);
  TEST_ASSERT_TRUE(novelty > 0.0f);
  TEST_ASSERT_TRUE(novelty < 1.0f);
  head.restart_class(0);
  head.predict(far, p, &novelty);
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, novelty);
}

void test_written_and_read_again() {
  begin(true, 3);
  for (int i = 0; i < 40; ++i) teach(static_cast<float>(i % 7), static_cast<float>(i % 5), 1);
  head.weight[2] = 0.5f;
  uint8_t bytes[256];
  ByteWriter out(bytes, sizeof(bytes));
  head.write(&out);
  TEST_ASSERT_TRUE(out.ok());

  GaussianHead again;
  again.reset(2, true, kPrior);
  Refusal refusal;
  ByteReader in(bytes, out.length());
  ASSERT_STATUS(kOk, GaussianHead::read(&in, again, 3, &again, &refusal));
  TEST_ASSERT_EQUAL_UINT32(0, in.remaining());
  TEST_ASSERT_EQUAL_MEMORY(head.mean, again.mean, sizeof(head.mean));
  TEST_ASSERT_EQUAL_MEMORY(head.spread, again.spread, sizeof(head.spread));
  TEST_ASSERT_EQUAL_MEMORY(head.log_det, again.log_det, 3 * sizeof(float));
  TEST_ASSERT_EQUAL_FLOAT(head.limit(1), again.limit(1));

  ByteReader other(bytes, out.length());
  again.full = false;
  ASSERT_STATUS(kMalformed, GaussianHead::read(&other, again, 3, nullptr, &refusal));
}

}  // namespace

void setUp() {}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_without_lessons_nothing_is_predicted);
  RUN_TEST(test_two_lessons_diagonal);
  RUN_TEST(test_two_lessons_full);
  RUN_TEST(test_the_nearer_class_wins_and_its_weight_counts);
  RUN_TEST(test_what_no_class_explains_is_novel);
  RUN_TEST(test_written_and_read_again);
  return UNITY_END();
}
