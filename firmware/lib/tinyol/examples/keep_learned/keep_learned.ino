// What was learned survives a power cut at any moment: a state image goes to flash, and at boot it
// comes back. Arduino Nano 33 BLE Sense with the library Arduino_LSM9DS1 (revision 2:
// Arduino_BMI270_BMM150). 27 KB of RAM.
//
// In the serial monitor (115200 baud) type a digit, 0 to 9: the next 20 windows (two seconds) are
// that class, and a class that is new is added. When they are learned the state is saved; a page
// of flash endures 10,000 erases, so Autosave allows 16 saves in a row and then one an hour.
// At boot:         restored: 3 classes, 140 lessons
//                  nothing restored: saved state        (the first time)
// When it saves:   saved: 612 bytes
// Once a second:   class 2, 91 %
#include <Arduino_LSM9DS1.h>
#include <tinyol.h>

#include "level_net.h"
#include "nano_flash.h"

static const uint32_t kMaxImageBytes = 6144;  // device.max_image_bytes() is 5.0 KB here
static const uint32_t kLessons = 20;

static LevelNet net;
static NanoFlash flash;
static tinyol::Device device;
static tinyol::StateStore store;
static tinyol::Autosave autosave;
alignas(4) static uint8_t image[kMaxImageBytes];
static bool teaching = false;

static tinyol::Model describe() {
  tinyol::Model model;
  memcpy(model.id, "level v1", sizeof(model.id));  // a state of another id is not restored
  model.pipeline.rate_hz = 119.0f;
  model.pipeline.window_len = LevelNet::kSamples;
  model.pipeline.hop = LevelNet::kSamples;
  model.pipeline.axes = tinyol::Axes::kAll;
  model.pipeline.features = tinyol::kFeatureEmbedding;
  for (float& scale : model.pipeline.scale) scale = 1.0f;
  model.max_classes = 10;
  model.n_hidden = LevelNet::kFeatures;
  model.n_outputs = LevelNet::kInputs;
  return model;
}

static void tell(const char* what, const tinyol::Refusal& refusal) {
  Serial.print(what);
  Serial.println(refusal.where);
}

static void save() {
  tinyol::Refusal refusal;
  const uint32_t length = device.export_state(image, sizeof(image));
  autosave.saved(device.changes());  // one that fails is not tried again without end
  if (store.save(image, length, &refusal) != tinyol::Status::kOk)
    return tell("not saved: ", refusal);
  Serial.print("saved: ");
  Serial.print(length);
  Serial.println(" bytes");
}

static void teach(char digit) {
  tinyol::Refusal refusal;
  int index = device.state().classes.find(&digit, 1);
  uint16_t added = 0;
  if (index < 0 && device.add_class(&digit, 1, &added, &refusal) == tinyol::Status::kOk) {
    index = added;
  }
  if (index < 0) return tell("refused: ", refusal);
  device.label(index, kLessons, &refusal);
  teaching = true;
}

void setup() {
  Serial.begin(115200);
  for (int i = 0; i < 30 && !Serial; ++i) delay(100);  // it works without a computer too
  while (!IMU.begin() || !flash.begin()) delay(1000);
  tinyol::Refusal refusal;
  device.load(describe(), &net, &refusal);
  store.begin(&flash, device.model().id, device.max_image_bytes(), &refusal);
  if (tinyol::restore(store, &device, image, sizeof(image), &refusal) == tinyol::Status::kOk) {
    Serial.print("restored: ");
    Serial.print(device.state().classes.size);
    Serial.print(" classes, ");
    Serial.print(device.state().classifier.lessons);
    Serial.println(" lessons");
  } else {
    tell("nothing restored: ", refusal);
  }
  autosave.saved(device.changes());
}

void loop() {
  const int key = Serial.read();
  if (key >= '0' && key <= '9') teach(static_cast<char>(key));

  float sample[3];
  tinyol::WindowResult result;
  if (IMU.accelerationAvailable() && IMU.readAcceleration(sample[0], sample[1], sample[2]) &&
      device.push_sample(sample, &result) && result.window_index % 10 == 0 &&
      result.predicted != tinyol::kNoClass) {
    Serial.print("class ");
    Serial.print(device.state().classes.names[result.predicted]);
    Serial.print(", ");
    Serial.print(100.0f * result.confidence, 0);
    Serial.println(" %");
  }

  if (teaching && device.label_left() == 0) {
    teaching = false;
    autosave.peer_left();  // now is a good moment
  }
  if (autosave.due(device.changes(), millis())) save();
}
