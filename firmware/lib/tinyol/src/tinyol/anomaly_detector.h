// Is this window normal? Two detectors, chosen by anomaly.detector:
//   0  the paper's: the reconstruction error in force against the fixed anomaly.threshold
//   1  two-sided, from normal data only: v = (ln error, ln window variance), its running mean m
//      and covariance S over normal windows, d2 = (v - m)' S^-1 (v - m). A machine that has gone
//      quiet is as far away as one that has grown loud.
// The limit of d2 for a chosen share of false alarms r comes from the field. From kSettling
// windows until kFewestTails / r of their d2 are known (P2Quantile::kMaxCount / 2 at most) it is
// what a new window of a bivariate normal distribution exceeds with probability r, its mean and
// population covariance taken from n others (Hotelling, Annals of Mathematical Statistics 2(3),
// 1931):
//   (n + 1) (r^(-2 / (n - 2)) - 1)
// then the running quantile of d2 at 1 - r (P-square), which assumes no distribution.
// A fault must not become normal: nothing is learned while an alarm stands, nor from the second
// anomaly in a row on; and what an anomaly teaches is cut to the limit (v' = m + (v - m) /
// sqrt(d2 / limit), as in Huber's robust estimates), so that one knock does not widen what is
// normal. The quantile learns d2 uncut: without its tail it would shrink.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/p2_quantile.h"
#include "tinyol/status.h"

namespace tinyol {

// Running mean and population covariance of (ln error, ln variance), as RunningStats has them.
struct NormalStats {
  uint32_t count = 0;        // windows; stops at 2^32 - 1
  float mean[2] = {};        // ln error, ln variance
  float covariance[3] = {};  // error-error, error-variance, variance-variance

  void update(float log_error, float log_variance, uint32_t horizon);
  // d2; the covariance's diagonal is held above kLeastNormalVariance and its determinant above
  // 1e-3 of the diagonal's product.
  float squared_distance(float log_error, float log_variance) const;
  // (log_error - mean) / deviation
  float standard_log_error(float log_error) const;

  // u32 count, f32[2] mean, f32[3] covariance: in NORM of both images. All zero while the count is.
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, NormalStats* into, Refusal* refusal);
};
constexpr float kLeastNormalVariance = 1e-4f;

// (n + 1) (r^(-2 / (n - 2)) - 1) for n > 2; towards -2 ln r, chi-square's, as n grows.
float hotelling_limit(uint32_t n, float false_rate);

struct AnomalyRule {
  bool two_sided;
  float threshold;   // of the error, for the paper's
  float false_rate;  // r
  uint32_t horizon;  // windows: forgetting of NormalStats
  bool learn;        // two-sided: windows go on to teach what is normal. Not while the drift
                     // monitor's `changed` stands: a fault that comes slowly would become normal
  uint16_t raise;    // anomalies in a row that raise an alarm
  uint16_t clear;    // normal windows in a row that end it
};

struct AnomalyResult {
  float score = 0.0f;  // d2 / limit, or error / threshold; above 1: an anomaly. 0 while settling
  bool anomaly = false;
  bool alarm = false;  // an alarm stands, this window included
  bool began = false;  // ... since this window
  bool ended = false;
};

struct AnomalyDetector {
  static constexpr uint32_t kSettling = 30;  // windows before it judges
  static constexpr float kFewestTails = 5.0f;

  NormalStats normal;    // starts from the model's
  P2Quantile distances;  // of d2 of the windows learned, before they were, at 1 - false_rate
  uint16_t over = 0;     // anomalies in a row
  uint16_t under = 0;    // others in a row
  bool alarm = false;
  uint32_t alarms = 0;  // raised so far; stops at 2^32 - 1

  void reset(const NormalStats& start);
  void restart_quantile();  // where false_rate changes
  // What counts as normal from here on (a calibration's end); ends an alarm.
  void take_over(const NormalStats& fresh);
  bool end_alarm();                     // whether one stood
  float limit(float false_rate) const;  // of d2; 0 while settling

  // error: in force, its square unit; logs are natural.
  AnomalyResult update(float error, float log_error, float log_variance, const AnomalyRule& rule);

  // Section NORM: NormalStats, quantile (u32 count, u32[5], f32[5]), u16 over, u16 under, u8 alarm,
  // u8[3] 0, u32 alarms.
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, AnomalyDetector* into, Refusal* refusal);
};

}  // namespace tinyol
