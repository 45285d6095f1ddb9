// What a board says of itself: HELLO's own fields and INFO's. Bytes: docs/wire-protocol.md.
#include "tinyol/capacity.h"
#include "tinyol/image.h"
#include "tinyol/server.h"

namespace tinyol {
namespace {

constexpr uint32_t kBoardBytes = 16;

}  // namespace

void Server::write_identity(const LinkSession& session, ByteWriter* out) const {
  const bool loaded = device_->loaded();
  const Model& model = device_->model();  // without one all of it is 0
  out->u16(static_cast<uint16_t>(session.executed));
  out->u16(static_cast<uint16_t>(session.max_message()));
  out->u32(identity_.firmware_version);
  out->u32((identity_.capabilities & ~kCapabilityModel) | (loaded ? kCapabilityModel : 0));
  out->u16(kArithmeticVersion);
  out->u16(kStateFormat);
  out->bytes(model.id, kModelIdBytes);
  out->f32(loaded ? model.pipeline.rate_hz : identity_.sensor_hz);
  out->u16(model.pipeline.window_len);
  out->u16(model.pipeline.hop);
  out->u16(device_->learner().n_features());
  out->u16(model.n_hidden);
  out->u16(model.n_outputs);
  out->u16(model.max_classes);
  out->u16(model.ring_len);
  out->u16(0);
  out->u32(device_->max_image_bytes());
  char board[kBoardBytes] = {};
  for (uint32_t i = 0; i + 1 < kBoardBytes && identity_.board[i] != '\0'; ++i) {
    board[i] = identity_.board[i];
  }
  out->bytes(board, sizeof(board));
  out->u8(access_flags(session));
  for (int i = 0; i < 3; ++i) out->u8(0);
  write_key_id(out);
}

uint32_t Server::read_identity(int link_index, uint8_t* out, uint32_t capacity) const {
  LinkSession nobody;  // who reads this has no session
  nobody.link = sessions_[link_index].link;
  ByteWriter writer(out, capacity);
  write_identity(nobody, &writer);
  return writer.ok() ? writer.length() : 0;
}

void Server::write_info(ByteWriter* out) const {
  const LearnedState& state = device_->state();
  out->u64(state.counters.windows);
  out->u32(state.counters.gaps);
  out->u32(state.counters.refused_samples);
  out->u32(state.counters.refused_windows);
  // What the classifier learned is lessons of all its heads; only the softmax head's steps are
  // ever skipped.
  out->u32(state.classifier.lessons);
  out->u32(state.classifier.softmax.steps.not_finite);
  out->u32(state.classifier.softmax.steps.over_limit);
  out->u32(state.reconstruction.steps.applied);
  out->u32(state.reconstruction.steps.not_finite);
  out->u32(state.reconstruction.steps.over_limit);
  out->u32(state.reconstruction.clamped_targets);
  out->u32(device_->learner().fine_tune_left());
  out->u16(static_cast<uint16_t>(static_cast<int16_t>(device_->current_label())));
  out->u16(state.classes.size);
  out->u8(feeding() ? 1 : 0);
  for (int i = 0; i < 3; ++i) out->u8(0);
  out->u32(device_->label_left());
  out->u32(counters_.malformed);
  out->u32(counters_.repeated);
  out->u32(counters_.refused);
  out->u32(counters_.lost_peers);
  out->u32(counters_.lost_events);
  out->u32(self_test_);
  out->u32(store_ != nullptr ? store_->saves() : 0);
  out->u32(store_ != nullptr ? store_->wear() : 0);
  out->u32(store_flags());
}

}  // namespace tinyol
