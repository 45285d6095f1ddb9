// The TinyOL layer behind a net of your own (haar_net.h): classes that you name while it runs.
// Arduino Nano 33 BLE Sense with the library Arduino_LSM9DS1; revision 2 has another sensor:
// Arduino_BMI270_BMM150, and kRateHz 100. 21 KB of RAM.
//
// In the serial monitor (115200 baud, line ending: newline) type
//   still     a name: from now on it is "still"; a name that is new is a new class
//   ?         stop teaching, only predict
//   undo      forget all classes
// For each window, every 0.13 s, a line comes back: how much the net misses, and what this is:
//   error 1.9 mg, still 98 %
//   error 214.3 mg, shaken 71 %, learned as shaken
//   error 96.0 mg, unknown
#include <Arduino_LSM9DS1.h>
#include <tinyol.h>

#include "haar_net.h"

static const float kRateHz = 119.0f;

static HaarNet net;
static tinyol::Device device;
static char line[32];
static unsigned line_length = 0;

// What is otherwise read from a model image: the windows, the features, the limits. The id tells
// states apart that were learned behind different nets: change it when you change the net.
static tinyol::Model describe() {
  tinyol::Model model;
  memcpy(model.id, "haar  v1", sizeof(model.id));
  model.pipeline.rate_hz = kRateHz;
  model.pipeline.window_len = HaarNet::kInputs;
  model.pipeline.hop = HaarNet::kInputs / 2;
  model.pipeline.features = tinyol::kFeatureEmbedding | tinyol::kFeatureLogError;
  model.pipeline.projection[2] = 1.0f;  // z alone
  model.pipeline.scale[0] = 1.0f;       // the net takes g, less the window's mean
  model.max_classes = 8;
  model.ring_len = 32;  // windows that can still be named afterwards: device.label_back()
  model.n_hidden = HaarNet::kMeans;
  model.n_outputs = HaarNet::kInputs;
  return model;
}

static void complain(const tinyol::Refusal& refusal) {
  Serial.print("refused: ");
  Serial.print(refusal.where);
  Serial.print(", status ");
  Serial.println(static_cast<int>(refusal.status));
}

static void obey() {
  tinyol::Refusal refusal;
  if (strcmp(line, "undo") == 0) {
    device.reset(&refusal);
  } else if (strcmp(line, "?") == 0) {
    device.label(tinyol::kNoClass, 0, &refusal);
  } else if (line_length > 0) {
    int index = device.state().classes.find(line, line_length);
    uint16_t added = 0;
    if (index < 0 && device.add_class(line, line_length, &added, &refusal) == tinyol::Status::kOk) {
      index = added;
    }
    if (index >= 0) device.label(index, tinyol::kUntilStopped, &refusal);
  }
  if (refusal.status != tinyol::Status::kOk) complain(refusal);
}

static void read_commands() {
  while (Serial.available() > 0) {
    const char c = static_cast<char>(Serial.read());
    if (c == '\n') {
      line[line_length] = '\0';
      obey();
      line_length = 0;
    } else if (c != '\r' && line_length + 1 < sizeof(line)) {
      line[line_length++] = c;
    }
  }
}

static void print(const tinyol::WindowResult& result) {
  Serial.print("error ");
  Serial.print(1000.0f * sqrtf(result.error), 1);
  Serial.print(" mg");
  if (result.unknown) {
    Serial.print(", unknown");  // no class explains it
  } else if (result.predicted != tinyol::kNoClass) {
    Serial.print(", ");
    Serial.print(device.state().classes.names[result.predicted]);
    Serial.print(" ");
    Serial.print(100.0f * result.confidence, 0);
    Serial.print(" %");
  }
  if (result.learned) {
    Serial.print(", learned as ");
    Serial.print(device.state().classes.names[result.label]);
  }
  Serial.println();
}

void setup() {
  Serial.begin(115200);
  while (!IMU.begin()) {
    Serial.println("no sensor: a board of revision 2 needs Arduino_BMI270_BMM150");
    delay(1000);
  }
  tinyol::Refusal refusal;
  if (device.load(describe(), &net, &refusal) != tinyol::Status::kOk) complain(refusal);
}

void loop() {
  read_commands();
  float sample[3];  // x y z in g
  tinyol::WindowResult result;
  if (IMU.accelerationAvailable() && IMU.readAcceleration(sample[0], sample[1], sample[2]) &&
      device.push_sample(sample, &result)) {
    print(result);
  }
}
