// Samples that arrive, and what the links are told without having asked.
#include "tinyol/server.h"

#include <string.h>

namespace tinyol {

void Server::push_sample(const float sample[3], bool gap) {
  if (feeding()) return;
  if (gap) mark_gap();
  accept_sample(sample);
}

void Server::mark_gap() {
  device_->gap();
  flush_samples(0);  // a gap is told at the head of an event only
  pending_gap_ = true;
}

void Server::accept_sample(const float sample[3]) {
  WindowResult result;
  send_samples(sample);
  if (device_->push_sample(sample, &result)) send_prediction(result);
}

void Server::send_prediction(const WindowResult& result) {
  uint8_t payload[48];
  ByteWriter out(payload, sizeof(payload));
  out.u64(result.sample_index);
  out.u64(result.window_index);
  const float numbers[] = {result.error, result.tuned_error, result.log_variance, result.confidence,
                           result.loss};
  out.f32s(numbers, 5);
  out.u16(static_cast<uint16_t>(result.predicted));
  out.u16(static_cast<uint16_t>(result.label));
  out.u8(result.anomaly ? 1 : 0);
  out.u8(result.learned ? 1 : 0);
  out.u8(result.fine_tuned ? 1 : 0);
  out.u8(0);
  for (LinkSession& session : sessions_) {
    if (session.open && session.stream_predictions) {
      send_event(&session, Event::kPrediction, payload, out.length());
    }
  }
}

void Server::send_samples(const float sample[3]) {
  bool wanted = false;
  for (const LinkSession& session : sessions_) wanted |= session.open && session.stream_samples;
  if (!wanted) {
    n_pending_ = 0;
    return;
  }
  memcpy(pending_ + 3 * n_pending_, sample, 3 * sizeof(float));
  if (++n_pending_ == kSamplesPerEvent) flush_samples(1);
}

void Server::flush_samples(uint16_t still_to_count) {
  if (n_pending_ == 0) return;
  uint8_t payload[12 + 12 * kSamplesPerEvent];
  ByteWriter out(payload, sizeof(payload));
  out.u64(device_->state().counters.samples + still_to_count - n_pending_);
  out.u8(static_cast<uint8_t>(n_pending_));
  out.u8(pending_gap_ ? 1 : 0);
  out.u16(0);
  out.f32s(pending_, 3u * n_pending_);
  n_pending_ = 0;
  pending_gap_ = false;
  for (LinkSession& session : sessions_) {
    if (session.open && session.stream_samples) {
      send_event(&session, Event::kSamples, payload, out.length());
    }
  }
}

void Server::tell_others(int link_index, uint8_t opcode) {
  uint8_t payload[12];
  ByteWriter out(payload, sizeof(payload));
  out.u8(opcode);
  for (int i = 0; i < 3; ++i) out.u8(0);
  out.u64(device_->state().counters.samples);
  for (int i = 0; i < kMaxLinks; ++i) {
    if (i != link_index && sessions_[i].open) {
      send_event(&sessions_[i], Event::kChanged, payload, out.length());
    }
  }
}

void Server::send_event(LinkSession* session, Event event, const uint8_t* payload, uint32_t bytes) {
  MessageHeader header;
  header.kind = MessageKind::kEvent;
  header.opcode = static_cast<uint8_t>(event);
  header.session = session->id;
  header.sequence = session->next_event++;
  header.boot_id = identity_.boot_id;
  uint8_t message[kMessageHeaderBytes + 12 + 12 * kSamplesPerEvent];
  ByteWriter out(message, sizeof(message));
  begin_message(&out, header);
  out.bytes(payload, bytes);
  if (!session->link->send(message, end_message(&out)) && counters_.lost_events != UINT32_MAX) {
    ++counters_.lost_events;
  }
}

}  // namespace tinyol
