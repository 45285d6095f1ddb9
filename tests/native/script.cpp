// Runs a recorded script of samples and commands on a Device and writes the state image that it
// ends in: the same script in every build must end in the same bytes (tests/test_compilers.py).
//
//   script MODEL_IMAGE SCRIPT STATE_IMAGE
//
// A script is a sequence of u8 operation and its arguments, little-endian; see run() below.
#include <stdio.h>
#include <string.h>

#include <vector>

#include "frozen/blob_net.h"
#include "tinyol.h"

namespace {

using tinyol::ByteReader;
using tinyol::Device;
using tinyol::Refusal;
using tinyol::Status;

std::vector<uint8_t> read_file(const char* path) {
  std::vector<uint8_t> bytes;
  FILE* file = fopen(path, "rb");
  if (file == nullptr) return bytes;
  uint8_t block[4096];
  for (size_t n = fread(block, 1, sizeof(block), file); n > 0;
       n = fread(block, 1, sizeof(block), file)) {
    bytes.insert(bytes.end(), block, block + n);
  }
  fclose(file);
  return bytes;
}

void push_samples(ByteReader* in, Device* device) {
  const uint32_t n = in->u32();
  tinyol::WindowResult result;
  for (uint32_t i = 0; i < n && in->ok(); ++i) {
    const float sample[3] = {in->f32(), in->f32(), in->f32()};
    device->push_sample(sample, &result);
  }
}

bool reload(Device* device) {
  std::vector<uint8_t> image(device->max_image_bytes());
  const uint32_t length = device->export_state(image.data(), device->max_image_bytes());
  return device->import_state(image.data(), length, nullptr) == Status::kOk;
}

// False when the script itself is broken; what the device refuses is part of the script.
bool run(ByteReader in, Device* device) {
  Refusal refusal;
  while (in.ok() && in.remaining() > 0) {
    const uint8_t operation = in.u8();
    const uint32_t first = operation == 0 || operation >= 8 ? 0 : in.u32();
    switch (operation) {
      case 0:
        push_samples(&in, device);
        break;
      case 1: {  // add the class "c<number>"
        char name[16];
        const int length = snprintf(name, sizeof(name), "c%u", static_cast<unsigned>(first));
        uint16_t index;
        device->add_class(name, static_cast<uint32_t>(length), &index, &refusal);
        break;
      }
      case 2: {  // rename class `first` to "r<number>"
        char name[16];
        const int length = snprintf(name, sizeof(name), "r%u", static_cast<unsigned>(in.u32()));
        device->rename_class(static_cast<uint16_t>(first), name, static_cast<uint32_t>(length),
                             &refusal);
        break;
      }
      case 3:
        device->remove_class(static_cast<uint16_t>(first), &refusal);
        break;
      case 4:  // label with class `first` for so many windows
        device->label(static_cast<int32_t>(first), in.u32(), &refusal);
        break;
      case 5: {  // the last so many windows were of class `first`
        uint16_t lessons;
        device->label_back(static_cast<int32_t>(first), static_cast<uint16_t>(in.u32()), &lessons,
                           &refusal);
        break;
      }
      case 6:
        device->fine_tune(first, &refusal);
        break;
      case 7:
        device->set(static_cast<uint16_t>(first), in.f32(), &refusal);
        break;
      case 8:
        device->reset(&refusal);
        break;
      case 9:
        device->gap();
        break;
      case 10:
        if (!reload(device)) return false;
        break;
      case 11:
        device->undo(nullptr, &refusal);
        break;
      default:
        return false;
    }
  }
  return in.ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::vector<uint8_t> model_bytes = read_file(argv[1]);
  const std::vector<uint8_t> script = read_file(argv[2]);
  model_bytes.resize((model_bytes.size() + 3) / 4 * 4);
  static uint32_t arena[4096];
  static Device device;
  tinyol::Model model;
  tinyol::frozen::BlobNet net;
  Refusal refusal;
  const uint32_t model_length = static_cast<uint32_t>(model_bytes.size());
  if (model.parse(model_bytes.data(), model_length, &refusal) != Status::kOk ||
      net.load(model.net, model.net_bytes, reinterpret_cast<uint8_t*>(arena), sizeof(arena),
               &refusal) != Status::kOk ||
      device.load(model, &net, &refusal) != Status::kOk) {
    fprintf(stderr, "refused: %s\n", refusal.where);
    return 1;
  }
  std::vector<uint8_t> undo(device.max_image_bytes());
  device.keep_undo(undo.data(), device.max_image_bytes());
  if (!run(ByteReader(script.data(), static_cast<uint32_t>(script.size())), &device)) return 3;

  std::vector<uint8_t> image(device.max_image_bytes());
  const uint32_t length = device.export_state(image.data(), device.max_image_bytes());
  FILE* out = fopen(argv[3], "wb");
  if (out == nullptr || fwrite(image.data(), 1, length, out) != length) return 4;
  fclose(out);
  return 0;
}
