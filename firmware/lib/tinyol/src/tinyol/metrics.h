// How well the device does, measured before each lesson is learned (prequential: test, then
// train; Gama, Sebastiao, Rodrigues 2013).
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/p2_quantile.h"
#include "tinyol/running_stats.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr int kErrorQuantiles = 3;
extern const float kErrorProbability[kErrorQuantiles];  // 0.5, 0.9, 0.99

struct Metrics {
  uint16_t n_classes = 0;
  uint32_t confusion[kMaxClasses * kMaxClasses] = {};  // [truth * kMaxClasses + predicted]
  RunningMean loss;   // classifier's cross-entropy, over labelled windows
  RunningMean error;  // reconstruction error in force, over all windows
  P2Quantile error_quantile[kErrorQuantiles];

  void reset(uint16_t classes);
  void add_class();
  void remove_class(uint16_t index);

  void add_prediction(uint16_t truth, uint16_t predicted, float loss_value, uint32_t horizon);
  void add_error(float value, uint32_t horizon);

  // Share of labelled windows predicted rightly; 0 before the first.
  float accuracy() const;
  // 2 TP / (2 TP + FP + FN); 0 for a class neither seen nor predicted.
  float f1(uint16_t index) const;
  // Mean of f1 over the classes that were seen or predicted; 0 without any.
  float macro_f1() const;

  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t n_classes, Metrics* into, Refusal* refusal);
};

}  // namespace tinyol
