// A classifier that you teach over Serial, on features of your own: running statistics and the
// softmax head alone. No net, no model, 0.75 KB of RAM; any 32-bit board, any analogue sensor on
// A0 (a microphone's envelope, a current clamp, an axis of an accelerometer).
//
// Every 128 readings become three features: the level, how far the readings spread about it, and
// how fast they change. In the serial monitor (115200 baud):
//   1 ... 4   what you hear now is class 1 ... 4: each block is one lesson
//   0         stop teaching, only predict
// For each block a line comes back, such as
//   class 2, 97 %
//   class 1, 64 %, learned as 2
#include <math.h>
#include <tinyol.h>

static const int kReadings = 128;
static const int kFeatures = 3;
static const int kClasses = 4;
static const unsigned long kReadingUs = 1000;

// The mean and the variance forget with a horizon of about 1,000 blocks.
static const uint32_t kHorizon = 1000;

static tinyol::RunningStats stats;
static tinyol::SoftmaxHead head;
static int label = -1;  // class that is being taught, from 0; -1 = none

// One block of readings: 128 ms at 1 kHz.
static void measure(float features[kFeatures]) {
  tinyol::RunningStats level;
  tinyol::RunningStats change;
  level.reset(1);
  change.reset(1);
  float last = 0.0f;
  unsigned long next_us = micros();
  for (int i = 0; i < kReadings; ++i) {
    while (micros() - next_us < kReadingUs) {
    }
    next_us += kReadingUs;
    const float x = static_cast<float>(analogRead(A0));
    const float step = i > 0 ? x - last : 0.0f;
    level.update(&x, kReadings);
    change.update(&step, kReadings);
    last = x;
  }
  // Logarithms: what is ten times as loud is as far from "loud" as that is from "quiet".
  features[0] = level.mean[0];
  features[1] = logf(level.variance[0] + 0.1f);
  features[2] = logf(change.variance[0] + 0.1f) - features[1];
}

static void read_commands() {
  while (Serial.available() > 0) {
    const int key = Serial.read();
    if (key >= '0' && key <= '0' + kClasses) label = key - '1';
  }
}

void setup() {
  Serial.begin(115200);
  stats.reset(kFeatures);
  head.reset(kFeatures);
  for (int k = 0; k < kClasses; ++k) head.add_class();
}

void loop() {
  read_commands();
  float features[kFeatures];
  measure(features);

  // Algorithm 1 of the paper: statistics, standardise, predict, and learn if there is a label.
  float scaled[kFeatures];
  stats.update(features, kHorizon);
  tinyol::standardise(stats, features, scaled);
  float probabilities[kClasses];
  const int predicted = head.predict(scaled, probabilities);
  Serial.print("class ");
  Serial.print(predicted + 1);
  Serial.print(", ");
  Serial.print(100.0f * probabilities[predicted], 0);
  Serial.print(" %");
  if (label >= 0) {
    // A step that would make a weight infinite, or larger than 1,000, is skipped whole.
    // Classes that were shown less often learn in larger steps.
    const tinyol::SgdRule sgd = {0.1f, tinyol::Schedule::kConstant, 1.0f, 0.0f, 0.0f, 1000.0f};
    const tinyol::SoftmaxRule rule = {sgd, true, true};
    const uint16_t truth = static_cast<uint16_t>(label);
    Serial.print(head.learn(scaled, probabilities, truth, rule) ? ", learned as "
                                                                : ", refused as ");
    Serial.print(label + 1);
  }
  Serial.println();
}
