#include "float64_mirror.h"

#include <math.h>

namespace tinyol {
namespace endurance {
namespace {

constexpr double kLeastLoss = 1e-3;

void note(double difference, double* largest) {
  difference = fabs(difference);
  // A NaN is the largest of all.
  if (!(difference <= *largest)) *largest = difference;
}

// ln of the determinant of the leading d x d, by elimination; what is given is spoiled.
double log_determinant(double (*a)[kMaxFeatures], int d) {
  double sum = 0;
  for (int j = 0; j < d; ++j) {
    sum += log(a[j][j]);
    for (int i = j + 1; i < d; ++i) {
      const double share = a[i][j] / a[j][j];
      for (int k = j; k < d; ++k) a[i][k] -= share * a[j][k];
    }
  }
  return sum;
}

// Entry i, j (j <= i) of the covariance that the head keeps as L, or as its diagonal.
double spread(const GaussianHead& head, uint16_t index, int i, int j) {
  const float* at = head.spread + index * head.spread_length();
  if (!head.full) return i == j ? at[i] : 0.0;
  double sum = 0;
  for (int k = 0; k <= j; ++k) {
    sum += static_cast<double>(at[i * (i + 1) / 2 + k]) * at[j * (j + 1) / 2 + k];
  }
  return sum;
}

}  // namespace

void Mean64::update(double x, uint32_t horizon) {
  ++count;
  mean += (x - mean) / static_cast<double>(count < horizon ? count : horizon);
}

template <int n>
void Moments64<n>::update(const double* x, uint32_t horizon, double prior_count) {
  ++count;
  const double samples = static_cast<double>(count < horizon ? count : horizon);
  double before[n];
  double after[n];
  for (int i = 0; i < used; ++i) {
    before[i] = x[i] - mean[i];
    mean[i] += before[i] / samples;
    after[i] = x[i] - mean[i];
  }
  for (int i = 0; i < used; ++i) {
    for (int j = 0; j < used; ++j) {
      covariance[i][j] += (before[i] * after[j] - covariance[i][j]) / (samples + prior_count);
    }
  }
}

Float64Mirror::Float64Mirror(const Device& device) : device_(device) {
  features_.used = device.state().statistics.n_features;
}

void Float64Mirror::window(const WindowResult& result, const double mean[3]) {
  const LearnedState& state = device_.state();
  const Settings& settings = state.settings;
  const uint32_t horizon = settings.whole(Setting::kStatisticsHorizon);
  double x[kMaxFeatures];
  for (int j = 0; j < features_.used; ++j) x[j] = device_.learner().features()[j];
  if (settings[Setting::kStatisticsLearn] != 0.0f) features_.update(x, horizon, 0);
  error_.update(result.tuned_error, horizon);
  if (result.label != kNoClass) {
    if (result.predicted >= 0) loss_.update(result.loss, horizon);
    if (settings[Setting::kClassifierLearn] != 0.0f) {
      classes_[result.label].update(x, settings.whole(Setting::kGaussianHorizon),
                                    settings[Setting::kGaussianPriorCount]);
    }
  }

  // Which windows are normal is the device's decision; what they amount to is not.
  const uint32_t learned = state.detector.normal.count;
  if ((result.notices & kNoticeCalibrated) != 0) {
    take_over_normal();
  } else if (learned != normal_.count) {
    double v[2] = {log_of_error(result.tuned_error), result.log_variance};
    if (result.anomaly) {
      const double within = 1.0 / sqrt(static_cast<double>(result.score));
      for (int i = 0; i < 2; ++i) v[i] = normal_.mean[i] + (v[i] - normal_.mean[i]) * within;
    }
    normal_.update(v, settings.whole(Setting::kAnomalyHorizon), 0);
  }

  const uint32_t averaged = state.drift.recent_count;
  if (averaged == 0) take_over_gravity();
  if (averaged == averaged_ || averaged == 0) return;
  averaged_ = averaged;
  const uint32_t most = settings.whole(Setting::kDriftWindows);
  const double n = static_cast<double>(averaged < most ? averaged : most);
  for (int i = 0; i < 3; ++i) gravity_[i] += (mean[i] - gravity_[i]) / n;
}

void Float64Mirror::forget_class(uint16_t index) {
  for (uint16_t k = index; k + 1 < kMaxClasses; ++k) classes_[k] = classes_[k + 1];
}

void Float64Mirror::take_over_class(uint16_t index) {
  const GaussianHead& head = device_.state().classifier.gaussian;
  Moments64<kMaxFeatures>& to = classes_[index];
  to.used = head.n_features;
  to.count = head.lessons[index];
  for (int i = 0; i < to.used; ++i) {
    to.mean[i] = head.mean[index * head.n_features + i];
    for (int j = 0; j <= i; ++j)
      to.covariance[i][j] = to.covariance[j][i] = spread(head, index, i, j);
  }
}

void Float64Mirror::take_over_normal() {
  const NormalStats& normal = device_.state().detector.normal;
  normal_.count = normal.count;
  for (int i = 0; i < 2; ++i) normal_.mean[i] = normal.mean[i];
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) normal_.covariance[i][j] = normal.covariance[i + j];
  }
}

void Float64Mirror::take_over_metrics() {
  const Metrics& metrics = device_.state().metrics;
  loss_ = {metrics.loss.count, metrics.loss.mean};
  error_ = {metrics.error.count, metrics.error.mean};
}

void Float64Mirror::take_over_gravity() {
  for (int i = 0; i < 3; ++i) gravity_[i] = device_.state().drift.recent[i];
  averaged_ = device_.state().drift.recent_count;
}

void Float64Mirror::compare(Strayed* strayed) const {
  const LearnedState& state = device_.state();
  for (int j = 0; j < features_.used; ++j) {
    const double mean = features_.mean[j];
    const double variance = features_.covariance[j][j];
    note((state.statistics.mean[j] - mean) / (fabs(mean) + sqrt(variance)), &strayed->mean);
    note((state.statistics.variance[j] - variance) / variance, &strayed->variance);
  }
  const GaussianHead& head = state.classifier.gaussian;
  for (uint16_t k = 0; k < head.n_classes; ++k) {
    const Moments64<kMaxFeatures>& ours = classes_[k];
    double spoiled[kMaxFeatures][kMaxFeatures];
    for (int i = 0; i < ours.used; ++i) {
      const double deviation = sqrt(ours.covariance[i][i]);
      const double mean = ours.mean[i];
      note((head.mean[k * ours.used + i] - mean) / (fabs(mean) + deviation), &strayed->centre);
      for (int j = 0; j <= i; ++j) {
        const double own = ours.covariance[i][j];
        spoiled[i][j] = spoiled[j][i] = own;
        if (j < i && !head.full) spoiled[i][j] = spoiled[j][i] = 0;
        if (j < i && !head.full) continue;
        note((spread(head, k, i, j) - own) / (deviation * sqrt(ours.covariance[j][j])),
             &strayed->covariance);
      }
    }
    note(head.log_det[k] - log_determinant(spoiled, ours.used), &strayed->log_det);
  }
  const NormalStats& normal = state.detector.normal;
  for (int i = 0; i < 2 && normal.count > 1; ++i) {
    const double deviation = sqrt(normal_.covariance[i][i]);
    note((normal.mean[i] - normal_.mean[i]) / (fabs(normal_.mean[i]) + deviation),
         &strayed->normal);
    for (int j = 0; j <= i; ++j) {
      note((normal.covariance[i + j] - normal_.covariance[i][j]) /
               (deviation * sqrt(normal_.covariance[j][j])),
           &strayed->normal);
    }
  }
  note((state.metrics.error.mean - error_.mean) / error_.mean, &strayed->running);
  note((state.metrics.loss.mean - loss_.mean) / (loss_.mean + kLeastLoss), &strayed->running);
  for (int i = 0; i < 3; ++i) note(state.drift.recent[i] - gravity_[i], &strayed->gravity);
}

}  // namespace endurance
}  // namespace tinyol
