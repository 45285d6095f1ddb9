// A model that `tinyol` trained on recordings, or took in from your .tflite, in a sketch of your
// own. Arduino Nano 33 BLE Sense with the library Arduino_LSM9DS1 (revision 2:
// Arduino_BMI270_BMM150, and a model for 100 Hz).
//
// On the computer, first:
//   tinyol train normal.csv --normal normal -o pump.tinyol       (or: tinyol model import ...)
//   tinyol model export pump.tinyol --to exported
// Then put model_data.h and model_data.cpp from there beside this file, and give the compiler the
// options in model_flags.txt for every file, which make the library's arrays fit the model:
//   arduino-cli compile --build-property "compiler.cpp.extra_flags=$(xargs < model_flags.txt)" ...
// or, with PlatformIO, as build_flags.
//
// In the serial monitor (115200 baud) type t, and the next 300 windows fine-tune the model's last
// layer to the machine that the board is on. For each window a line comes back, such as
//   error 0.07104
//   error 0.02213, before fine-tuning 0.07012
//   error 0.91220, anomaly
#include <Arduino_LSM9DS1.h>
#include <frozen/blob_net.h>
#include <tinyol.h>

#include "model_data.h"

static const uint32_t kSteps = 300;

static tinyol::frozen::BlobNet net;
static tinyol::Device device;

static bool load(tinyol::Refusal* refusal) {
  tinyol::Model model;
  return model.parse(tinyol::kModelImage, tinyol::kModelImageBytes, refusal) ==
             tinyol::Status::kOk &&
         net.load(model.net, model.net_bytes, tinyol::model_arena, tinyol::kModelArenaBytes,
                  refusal) == tinyol::Status::kOk &&
         device.load(model, &net, refusal) == tinyol::Status::kOk;
}

void setup() {
  Serial.begin(115200);
  while (!IMU.begin()) {
    Serial.println("no sensor: a board of revision 2 needs Arduino_BMI270_BMM150");
    delay(1000);
  }
  tinyol::Refusal refusal;
  while (!load(&refusal)) {
    Serial.print("the model was refused: ");
    Serial.println(refusal.where);
    delay(1000);
  }
}

void loop() {
  if (Serial.read() == 't') device.fine_tune(kSteps, nullptr);

  float sample[3];  // x y z in g
  tinyol::WindowResult result;
  if (!IMU.accelerationAvailable() || !IMU.readAcceleration(sample[0], sample[1], sample[2]) ||
      !device.push_sample(sample, &result)) {
    return;
  }
  Serial.print("error ");
  Serial.print(result.tuned_error, 5);
  if (device.state().reconstruction.steps.applied > 0) {
    Serial.print(", before fine-tuning ");
    Serial.print(result.error, 5);
  }
  if (result.anomaly) Serial.print(", anomaly");
  Serial.println();
}
