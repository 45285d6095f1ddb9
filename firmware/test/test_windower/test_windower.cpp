// Samples to windows: length, hop, projection, centring, and the logarithm of the variance.
#include <math.h>
#include <unity.h>

#include "tinyol/windower.h"

using tinyol::Axes;
using tinyol::Centring;
using tinyol::Pipeline;
using tinyol::Window;
using tinyol::Windower;

namespace {

Pipeline pipeline;
Windower windower;
Window window;

bool push(float x, float y, float z) {
  const float sample[3] = {x, y, z};
  return windower.push(sample);
}

void test_the_first_window_and_then_every_hop() {
  int completed_at[3] = {};
  int n = 0;
  for (int i = 1; i <= 9 && n < 3; ++i) {
    if (push(0.0f, 0.0f, static_cast<float>(i))) completed_at[n++] = i;
  }
  TEST_ASSERT_EQUAL_INT(4, completed_at[0]);
  TEST_ASSERT_EQUAL_INT(6, completed_at[1]);
  TEST_ASSERT_EQUAL_INT(8, completed_at[2]);
}

// Samples 3, 4, 5, 6: mean 4.5, variance 1.25; scaled by 2 about the mean, plus 10.
void test_a_window_is_centred_and_scaled_oldest_sample_first() {
  for (int i = 1; i <= 6; ++i) push(0.0f, 0.0f, static_cast<float>(i));
  windower.take(&window);
  const float expected[4] = {7.0f, 9.0f, 11.0f, 13.0f};
  for (int i = 0; i < 4; ++i) TEST_ASSERT_EQUAL_FLOAT(expected[i], window.input[i]);
  TEST_ASSERT_EQUAL_FLOAT(logf(1.25f), window.log_variance);
}

// About the training mean 1 instead: (4.5 - 1) * 2 + 10 is now the middle. The variance stays.
void test_centring_on_the_training_mean() {
  pipeline.centring = Centring::kTraining;
  pipeline.centre[0] = 1.0f;
  for (int i = 1; i <= 6; ++i) push(0.0f, 0.0f, static_cast<float>(i));
  windower.take(&window);
  const float expected[4] = {14.0f, 16.0f, 18.0f, 20.0f};
  for (int i = 0; i < 4; ++i) TEST_ASSERT_EQUAL_FLOAT(expected[i], window.input[i]);
  TEST_ASSERT_EQUAL_FLOAT(logf(1.25f), window.log_variance);
}

// 0.6 x + 0.8 z of (1, 9, 2) is 2.2.
void test_projection() {
  pipeline.projection[0] = 0.6f;
  pipeline.projection[2] = 0.8f;
  pipeline.centring = Centring::kTraining;
  pipeline.scale[0] = 1.0f;
  pipeline.offset = 0.0f;
  for (int i = 0; i < 4; ++i) push(1.0f, 9.0f, 2.0f);
  windower.take(&window);
  TEST_ASSERT_EQUAL_FLOAT(2.2f, window.input[3]);
}

// Each channel has its own mean and scale; the variances 1, 4, 0 add up to 5.
void test_all_axes_are_interleaved() {
  pipeline.axes = Axes::kAll;
  pipeline.scale[1] = 0.5f;
  pipeline.scale[2] = 1.0f;
  pipeline.offset = 0.0f;
  for (int i = 0; i < 4; ++i) {
    const float sign = i % 2 == 0 ? 1.0f : -1.0f;
    push(5.0f + sign, 7.0f - 2.0f * sign, 9.0f);
  }
  windower.take(&window);
  const float expected[6] = {2.0f, -1.0f, 0.0f, -2.0f, 1.0f, 0.0f};
  for (int i = 0; i < 6; ++i) TEST_ASSERT_FLOAT_WITHIN(1e-6f, expected[i], window.input[i]);
  TEST_ASSERT_EQUAL_FLOAT(logf(5.0f), window.log_variance);
}

void test_silence_has_a_floor() {
  for (int i = 0; i < 4; ++i) push(0.0f, 0.0f, 1.0f);
  windower.take(&window);
  TEST_ASSERT_EQUAL_FLOAT(logf(1e-12f), window.log_variance);
}

void test_after_a_restart_a_whole_window_is_needed() {
  for (int i = 0; i < 3; ++i) push(0.0f, 0.0f, 50.0f);
  windower.restart();
  for (int i = 1; i <= 3; ++i) TEST_ASSERT_FALSE(push(0.0f, 0.0f, static_cast<float>(i)));
  TEST_ASSERT_TRUE(push(0.0f, 0.0f, 4.0f));
  windower.take(&window);
  TEST_ASSERT_EQUAL_FLOAT(logf(1.25f), window.log_variance);  // of 1, 2, 3, 4
}

}  // namespace

// Windows of 4 samples, 2 apart, of z alone.
void setUp() {
  pipeline = Pipeline();
  pipeline.window_len = 4;
  pipeline.hop = 2;
  pipeline.projection[2] = 1.0f;
  pipeline.scale[0] = 2.0f;
  pipeline.offset = 10.0f;
  windower.begin(pipeline);
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_the_first_window_and_then_every_hop);
  RUN_TEST(test_a_window_is_centred_and_scaled_oldest_sample_first);
  RUN_TEST(test_centring_on_the_training_mean);
  RUN_TEST(test_projection);
  RUN_TEST(test_all_axes_are_interleaved);
  RUN_TEST(test_silence_has_a_floor);
  RUN_TEST(test_after_a_restart_a_whole_window_is_needed);
  return UNITY_END();
}
