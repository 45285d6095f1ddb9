#include "tinyol/learned_state.h"

namespace tinyol {

void LearnedState::reset(const Model& model, uint16_t n_features) {
  counters = Counters();
  settings.reset();
  classes = ClassTable();
  classes.limit = model.max_classes;
  statistics.reset(n_features);
  // Every payload was validated by Model::parse.
  float priors[kMaxFeatures];
  ByteReader in = model.priors;
  for (uint16_t j = 0; j < n_features; ++j) priors[j] = model.n_priors == 0 ? 1.0f : in.f32();
  classifier.lessons = 0;
  classifier.softmax.reset(n_features);
  classifier.gaussian.reset(n_features, model.full_covariance, priors);
  classifier.rehearsal.reset(n_features, model.rehearsal_rows);
  least_squares.reset();
  window_rehearsal.reset(model.n_outputs, model.rehearsal_windows);
  detector.reset(model.normal);
  drift.reset();
  unknown.reset(n_features);
  metrics.reset(0);
  in = model.settings;
  Settings::read(&in, Settings::Which::kSome, &settings, nullptr);
  in = model.head;
  ReconstructionHead::read(&in, model.n_hidden, model.n_outputs, model.has_bias, &reconstruction,
                           nullptr);
}

}  // namespace tinyol
