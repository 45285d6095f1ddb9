#include "tinyol/learned_state.h"

namespace tinyol {

void LearnedState::reset(const Model& model, uint16_t n_features) {
  counters = Counters();
  settings.reset();
  classes = ClassTable();
  classes.limit = model.max_classes;
  statistics.reset(n_features);
  classifier.reset(n_features);
  metrics.reset(0);
  // Both payloads were validated by Model::parse.
  ByteReader in = model.settings;
  Settings::read(&in, Settings::Which::kSome, &settings, nullptr);
  in = model.head;
  ReconstructionHead::read(&in, model.n_hidden, model.n_outputs, model.has_bias, &reconstruction,
                           nullptr);
}

}  // namespace tinyol
