// A classifier that forgets nothing, and says so when it meets something new: a Gaussian for each
// class, alone, on features of your own. What one class learns touches no other, so you may teach
// them one after the other, however long each takes. No net, no model, 3.7 KB of RAM (0.5 KB with
// -D TINYOL_MAX_CLASSES=4 -D TINYOL_FULL_COVARIANCE=0 for the whole build); any 32-bit board, any
// analogue sensor on A0 (a microphone's envelope, a current clamp, an axis of an accelerometer).
//
// Every 128 readings become three features: the level, how far the readings spread about it, and
// how fast they change. In the serial monitor (115200 baud):
//   1 ... 4   what you hear now is class 1 ... 4: each block is one lesson; 20 are a beginning
//   0         stop teaching, only predict
//   r         the class taught last begins anew (the sensor was moved, the machine serviced)
// For each block a line comes back, such as
//   class 2, 97 %
//   class 1, 100 %, learned as 1
//   unknown: 3.4 times as far as any class reaches
#include <math.h>
#include <tinyol.h>

static const int kReadings = 128;
static const int kFeatures = 3;
static const int kClasses = 4;
static const unsigned long kReadingUs = 1000;

// How far each feature varies within one class, as a variance: where a class starts, and what
// counts for two lessons later on. A guess within a factor of ten does.
static const float kPrior[kFeatures] = {100.0f, 0.1f, 0.1f};

// A class remembers its last 4,096 lessons or so; 5 % of a class's own blocks may look unknown.
static const tinyol::GaussianRule kRule = {4096, 2.0f, 0.05f};

static tinyol::GaussianHead head;
static int label = -1;  // class that is being taught, from 0; -1 = none
static int last = 0;

// One block of readings: 128 ms at 1 kHz.
static void measure(float features[kFeatures]) {
  tinyol::RunningStats level;
  tinyol::RunningStats change;
  level.reset(1);
  change.reset(1);
  float before = 0.0f;
  unsigned long next_us = micros();
  for (int i = 0; i < kReadings; ++i) {
    while (micros() - next_us < kReadingUs) {
    }
    next_us += kReadingUs;
    const float x = static_cast<float>(analogRead(A0));
    const float step = i > 0 ? x - before : 0.0f;
    level.update(&x, kReadings);
    change.update(&step, kReadings);
    before = x;
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
    if (key >= '1' && key <= '0' + kClasses) last = label;
    if (key == 'r') head.restart_class(static_cast<uint16_t>(last));
  }
}

void setup() {
  Serial.begin(115200);
  head.reset(kFeatures, false, kPrior);  // false: a variance a feature, no correlations
  for (int k = 0; k < kClasses; ++k) head.add_class();
}

void loop() {
  read_commands();
  float features[kFeatures];
  measure(features);

  float probabilities[kClasses];
  float novelty;  // squared distance from the nearest class, as a share of the most it explains
  const int predicted = head.predict(features, probabilities, &novelty);
  if (predicted < 0) {
    Serial.print("nothing was taught yet");
  } else if (novelty > 1.0f && label < 0) {
    Serial.print("unknown: ");
    Serial.print(sqrtf(novelty), 1);
    Serial.print(" times as far as any class reaches");
  } else {
    Serial.print("class ");
    Serial.print(predicted + 1);
    Serial.print(", ");
    Serial.print(100.0f * probabilities[predicted], 0);
    Serial.print(" %");
  }
  if (label >= 0) {
    head.learn(features, static_cast<uint16_t>(label), kRule);
    Serial.print(", learned as ");
    Serial.print(label + 1);
  }
  Serial.println();
}
