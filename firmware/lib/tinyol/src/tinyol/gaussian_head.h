// A Gaussian a class over the unscaled features: the head that does not forget, since learning
// one class touches no other.
//   log p(x, k) = log w_k - 1/2 (log det S_k + d2_k),   d2_k = (x - m_k)' S_k^-1 (x - m_k)
// (quadratic discriminant analysis: Hastie, Tibshirani, Friedman, The Elements of Statistical
// Learning, 2nd ed., eq. 4.12). Mean and covariance are running ones, with a prior that counts as
// `prior_count` lessons of covariance P = diag(prior), n = min(lessons, horizon):
//   b = x - m;  m += b / n;  S += (b (x - m)' - S) / (n + prior_count)
// which for n up to the horizon is (n S_sample + n0 P) / (n + n0). Diagonal: the variances alone.
// Full: S = L L', kept as its Cholesky factor by rank-one updates with plane rotations (Gill,
// Golub, Murray, Saunders, Mathematics of Computation 28, 1974), so that it stays positive
// definite. An L_jj does not fall below sqrt(kLeastSpread prior_j).
//
// Each class also follows the quantile of its own lessons' d2, taken before they are learned:
// beyond it a window is none of this class, and beyond all of them it is unknown.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/p2_quantile.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint32_t kYoungLessons = 10;      // a class with fewer explains everything: no novelty
constexpr uint32_t kTrustedDistances = 20;  // before, the limit of d2 is kUntriedLimit a feature
constexpr float kUntriedLimit = 4.0f;
constexpr float kLeastSpread = 1e-4f;  // no variance falls below this share of the prior
constexpr float kLeastPrior = 1e-12f;  // smallest prior variance, and largest
constexpr float kMostPrior = 1e12f;
constexpr float kLeastClassWeight = 1e-6f;  // smallest relative prior probability, and largest
constexpr float kMostClassWeight = 1e6f;

struct GaussianRule {
  uint32_t horizon;   // lessons; see above
  float prior_count;  // lessons that the prior counts as
  float false_rate;   // share of its own lessons beyond a class's limit, in (0, 1)
};

struct GaussianHead {
  uint16_t n_features = 0;
  uint16_t n_classes = 0;
  bool full = false;                   // covariance: full, else diagonal
  float prior[kMaxFeatures] = {};      // variances that a class starts from: the model's
  uint32_t lessons[kMaxClasses] = {};  // stop at 2^32 - 1
  float weight[kMaxClasses] = {};      // relative prior probability, 1 unless a person sets it
  float mean[kMaxClasses * kMaxFeatures] = {};  // row-major (n_classes, n_features)
  // row-major (n_classes, spread_length()): variances, or L's rows up to the diagonal
  float spread[kMaxClasses * kMaxSpread] = {};
  float log_det[kMaxClasses] = {};   // of S_k: worked out from `spread`, not in the image
  P2Quantile distance[kMaxClasses];  // of d2_k at 1 - false_rate

  // `variances`: (features), each in [kLeastPrior, kMostPrior].
  void reset(uint16_t features, bool full_covariance, const float* variances);
  uint16_t spread_length() const;  // numbers a class

  void add_class();
  void remove_class(uint16_t index);   // those behind it move up
  void restart_class(uint16_t index);  // no lesson; its weight stays
  void restart_limits();               // where false_rate changes: the quantiles begin anew

  // probabilities: (n_classes), sum 1; 0 for a class without a lesson. *novelty: the least
  // d2_k / limit(k) over the classes with a lesson: above 1 no class explains the window; 0
  // while there is no class, or a young one. Returns the likeliest class, the first of equals;
  // -1 when none had a lesson (then all probabilities are 0).
  int predict(const float* features, float* probabilities, float* novelty) const;
  float novelty(const float* features) const;  // predict()'s alone

  // One lesson of class `truth`. `features`: finite, at most 1e12 in size.
  void learn(const float* features, uint16_t truth, const GaussianRule& rule);

  float squared_distance(const float* features, uint16_t index) const;  // d2_k
  // The largest d2_k that counts as this class; 0 while it is young.
  float limit(uint16_t index) const;

  // Section GAUS: u16 d, u16 k, u8 full, u8[3] 0, then per class u32 lessons, f32 weight,
  // f32[d] mean, f32[spread_length()] spread, P-square quantile (u32 count, u32[5], f32[5]).
  void write(ByteWriter* out) const;
  // `model` has the shape and the prior; changes `into` only if it is not null.
  static Status read(ByteReader* in, const GaussianHead& model, uint16_t n_classes,
                     GaussianHead* into, Refusal* refusal);

 private:
  void measure(uint16_t index);  // log_det
  // Log probabilities but for a constant, (n_classes), and the novelty as its result; *taught:
  // whether any class had a lesson.
  float score(const float* features, float* scores, bool* taught) const;
};

}  // namespace tinyol
