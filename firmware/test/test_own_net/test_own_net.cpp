// A device around a net of one's own, its model filled in by hand.
#include <math.h>
#include <unity.h>

#include "../hand_made_device.h"
#include "../status_asserts.h"

using tinyol::Device;
using tinyol::kNoClass;
using tinyol::kUntilStopped;
using tinyol::Model;
using tinyol::Refusal;
using tinyol::Setting;
using tinyol::setting_info;
using tinyol::WindowResult;

namespace {

HalvesNet net;
Device device;
WindowResult result;

void add_two_classes() {
  uint16_t index = 0;
  ASSERT_STATUS(kOk, device.add_class("slow", 4, &index, nullptr));
  ASSERT_STATUS(kOk, device.add_class("fast", 4, &index, nullptr));
}

int right_of_20(int from) {
  int right = 0;
  for (int step = from; step < from + 20; ++step) {
    push_window(&device, step % 2, step, &result);
    right += result.predicted == step % 2 ? 1 : 0;
  }
  return right;
}

void test_it_learns_two_classes_as_they_are_shown() {
  add_two_classes();
  for (int step = 0; step < 80; ++step) {
    ASSERT_STATUS(kOk, device.label(step % 2, 1, nullptr));
    push_window(&device, step % 2, step, &result);
    TEST_ASSERT_EQUAL_INT(step % 2, result.label);
    TEST_ASSERT_TRUE(result.learned);
  }
  TEST_ASSERT_EQUAL_INT(kNoClass, device.current_label());
  TEST_ASSERT_EQUAL_INT(20, right_of_20(80));
  TEST_ASSERT_FALSE(result.learned);
}

// What passed is kept for a while, so that it can be named afterwards; each window once.
void test_late_labels() {
  add_two_classes();
  for (int step = 0; step < 5; ++step) push_window(&device, 1, step, &result);
  uint16_t lessons = 0;
  ASSERT_STATUS(kOk, device.label_back(1, 3, &lessons, nullptr));
  TEST_ASSERT_EQUAL_INT(3, lessons);
  ASSERT_STATUS(kOk, device.label_back(1, 100, &lessons, nullptr));
  TEST_ASSERT_EQUAL_INT(2, lessons);
  TEST_ASSERT_EQUAL_UINT32(5, device.state().classifier.lessons);
}

// The net's error of a window (z with its mean removed) is its distance from its halves' means.
void test_the_error_is_the_nets() {
  const float z[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (const float each : z) {
    const float sample[3] = {0.0f, 0.0f, each};
    device.push_sample(sample, &result);
  }
  TEST_ASSERT_EQUAL_FLOAT(1.25f, result.error);  // of 1, 2, 3, 4 about 2.5, and so again
  TEST_ASSERT_EQUAL_FLOAT(1.25f, result.tuned_error);
}

// Without start values the layer begins at zero: then its error is the window's own variance, and
// fine-tuning brings it to the net's.
void test_fine_tuning_starts_from_nothing() {
  TEST_ASSERT_FLOAT_WITHIN(0.0f, 0.0f, device.state().reconstruction.weights[0]);
  const uint16_t rate = setting_info(static_cast<int>(Setting::kReconstructionRate)).id;
  ASSERT_STATUS(kOk, device.set(rate, 0.3f, nullptr));
  ASSERT_STATUS(kOk, device.fine_tune(kUntilStopped, nullptr));
  push_window(&device, 0, 0, &result);
  TEST_ASSERT_TRUE(result.fine_tuned);
  TEST_ASSERT_FLOAT_WITHIN(1e-4f, expf(result.log_variance), result.tuned_error);
  for (int step = 1; step < 200; ++step) push_window(&device, 0, step, &result);
  TEST_ASSERT_TRUE(result.tuned_error < 1.5f * result.error);
}

void test_a_sample_that_is_not_finite_makes_a_gap() {
  const float bad[3] = {0.0f, NAN, 0.0f};
  const float good[3] = {0.0f, 0.0f, 1.0f};
  for (int i = 0; i < 7; ++i) TEST_ASSERT_FALSE(device.push_sample(good, &result));
  TEST_ASSERT_FALSE(device.push_sample(bad, &result));
  for (int i = 0; i < 7; ++i) TEST_ASSERT_FALSE(device.push_sample(good, &result));
  TEST_ASSERT_TRUE(device.push_sample(good, &result));
  TEST_ASSERT_EQUAL_UINT32(1, device.state().counters.refused_samples);
  TEST_ASSERT_EQUAL_UINT32(1, device.state().counters.gaps);
}

void test_a_net_that_does_not_run_teaches_nothing() {
  add_two_classes();
  device.label(0, kUntilStopped, nullptr);
  net.runs = false;
  push_window(&device, 0, 0, &result);
  TEST_ASSERT_EQUAL_UINT32(1, device.state().counters.refused_windows);
  TEST_ASSERT_EQUAL_UINT32(0, device.state().classifier.lessons);
  TEST_ASSERT_EQUAL_UINT32(0, device.state().statistics.count);
}

void test_a_net_of_another_shape_is_refused() {
  Model model = hand_made_model();
  model.n_hidden = 3;
  Refusal refusal;
  device.load(model, &net, &refusal);
  ASSERT_REFUSED(kMalformed, "net hidden layer", refusal);
  TEST_ASSERT_FALSE(device.loaded());
}

void test_a_model_larger_than_the_build_says_what_it_needs() {
  Model model = hand_made_model();
  model.max_classes = tinyol::kMaxClasses + 1;
  Refusal refusal;
  device.load(model, &net, &refusal);
  ASSERT_REFUSED(kTooSmall, "TINYOL_MAX_CLASSES", refusal);
  TEST_ASSERT_EQUAL_UINT32(tinyol::kMaxClasses + 1u, refusal.need);
  TEST_ASSERT_EQUAL_UINT32(tinyol::kMaxClasses, refusal.have);
}

}  // namespace

void setUp() {
  net = HalvesNet();
  ASSERT_STATUS(kOk, device.load(hand_made_model(), &net, nullptr));
}
void tearDown() {}

int main() {
  UNITY_BEGIN();
  RUN_TEST(test_it_learns_two_classes_as_they_are_shown);
  RUN_TEST(test_late_labels);
  RUN_TEST(test_the_error_is_the_nets);
  RUN_TEST(test_fine_tuning_starts_from_nothing);
  RUN_TEST(test_a_sample_that_is_not_finite_makes_a_gap);
  RUN_TEST(test_a_net_that_does_not_run_teaches_nothing);
  RUN_TEST(test_a_net_of_another_shape_is_refused);
  RUN_TEST(test_a_model_larger_than_the_build_says_what_it_needs);
  return UNITY_END();
}
