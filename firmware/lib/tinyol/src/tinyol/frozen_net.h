// What the learner needs of a frozen, pre-trained network. Fulfilled by our own kernels
// (lib/frozen) or by TFLM's interpreter; the learner cannot tell which.
#pragma once

#include <stdint.h>

namespace tinyol {

enum class TensorType : uint8_t { kInt8 = 0, kFloat32 = 1 };

// A tensor where the net keeps it. real = (quantised - zero_point) * scale for kInt8.
struct TensorView {
  void* data = nullptr;  // int8_t[length] or float[length]; valid until the next invoke()
  uint16_t length = 0;   // values
  TensorType type = TensorType::kInt8;
  float scale = 1.0f;
  int32_t zero_point = 0;
};

// The tensors that TinyOL reads. All are graph outputs of the exported model, since TFLM
// reuses the memory of inner tensors.
enum class Tap : uint8_t {
  kEmbedding = 0,       // the bottleneck
  kHidden = 1,          // input of the decoder's last layer, which ReconstructionHead replaces
  kReconstruction = 2,  // the net's own output
};
constexpr int kTapCount = 3;

class FrozenNet {
 public:
  virtual TensorView input() = 0;          // written by the caller before invoke()
  virtual TensorView output(Tap tap) = 0;  // read by the caller after invoke()
  virtual bool invoke() = 0;               // false: the net could not run; outputs are undefined

 protected:
  ~FrozenNet() = default;
};

}  // namespace tinyol
