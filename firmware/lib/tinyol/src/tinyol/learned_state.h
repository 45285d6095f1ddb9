// Everything that a device has learned, as one plain struct: what a state image holds.
#pragma once

#include <stdint.h>

#include "tinyol/anomaly_detector.h"
#include "tinyol/class_table.h"
#include "tinyol/classifier.h"
#include "tinyol/drift_monitor.h"
#include "tinyol/metrics.h"
#include "tinyol/model.h"
#include "tinyol/reconstruction_head.h"
#include "tinyol/recursive_least_squares.h"
#include "tinyol/running_stats.h"
#include "tinyol/settings.h"
#include "tinyol/unknown_events.h"
#include "tinyol/window_rehearsal.h"

namespace tinyol {

constexpr uint64_t kMostSamples = uint64_t{1} << 60;  // 300 million years at 119 Hz

// Since the state began. The 32-bit ones stop at 2^32 - 1, the others at kMostSamples.
struct Counters {
  uint64_t samples = 0;          // presented, refused ones included: the time base of learning
  uint64_t windows = 0;          // completed
  uint32_t gaps = 0;             // the next sample did not follow the last one
  uint32_t refused_samples = 0;  // not finite, or beyond kMaxSampleG
  uint32_t refused_windows = 0;  // the net could not run or gave an error that is not finite
};

struct LearnedState {
  Counters counters;
  Settings settings;
  ClassTable classes;
  RunningStats statistics;
  Classifier classifier;
  ReconstructionHead reconstruction;
  RecursiveLeastSquares least_squares;  // of the reconstruction layer, where the rule asks for it
  WindowRehearsal window_rehearsal;
  AnomalyDetector detector;
  DriftMonitor drift;
  UnknownEvents unknown;
  Metrics metrics;

  // What training left: no class, no statistics, the decoder's last layer and the settings of
  // the model, which must have been parsed and fit this build.
  void reset(const Model& model, uint16_t n_features);
};

}  // namespace tinyol
