// The learner's running statistics again, in float64 and by the textbook: the covariance itself
// where the learner keeps a Cholesky factor. Fed with the same windows, it says how far float32
// has strayed.
#pragma once

#include <stdint.h>

#include "tinyol.h"

namespace tinyol {
namespace endurance {

// The largest differences so far; each has no unit (see compare()).
struct Strayed {
  double mean = 0;        // STAT: |difference| / (|mean| + deviation)
  double variance = 0;    // STAT: |difference| / variance
  double centre = 0;      // GAUS: |difference| / (|mean| + deviation)
  double covariance = 0;  // GAUS: |difference| / product of the two deviations
  double log_det = 0;     // GAUS: |difference|
  double normal = 0;      // NORM: mean and covariance, as GAUS has them
  double running = 0;     // METR: |difference| / mean, of loss and error
  double gravity = 0;     // DRIF: |difference| in g
};

struct Mean64 {
  uint64_t count = 0;
  double mean = 0;
  void update(double x, uint32_t horizon);
};

template <int n>
struct Moments64 {
  uint64_t count = 0;
  double mean[n] = {};
  double covariance[n][n] = {};
  int used = n;

  void update(const double* x, uint32_t horizon, double prior_count);
};

class Float64Mirror {
 public:
  explicit Float64Mirror(const Device& device);

  // After each usable window. `mean`: of the window's samples, g. `lessons`: taken from this
  // window alone (labels given for it beforehand).
  void window(const WindowResult& result, const double mean[3]);
  // The learner took lessons that were not windows of the moment (late labels, an event named), or
  // a class changed its place: class by class what it has now is taken over.
  void take_over_class(uint16_t index);
  void take_over_normal();
  void take_over_metrics();
  void take_over_gravity();
  void forget_class(uint16_t index);

  // Compares with what the device has now, and notes the largest differences.
  void compare(Strayed* strayed) const;

 private:
  const Device& device_;
  Moments64<kMaxFeatures> features_;
  Moments64<kMaxFeatures> classes_[kMaxClasses];
  Moments64<2> normal_;
  Mean64 loss_;
  Mean64 error_;
  double gravity_[3] = {};
  uint32_t averaged_ = 0;  // DriftMonitor::recent_count when it was last looked at
};

}  // namespace endurance
}  // namespace tinyol
