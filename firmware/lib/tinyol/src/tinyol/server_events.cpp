// Samples that arrive, and what the links are told without having asked.
#include "tinyol/server.h"

#include <string.h>

#include "tinyol/count_up.h"

namespace tinyol {
namespace {

constexpr uint32_t kMaxEventBytes = 12 + 12 * kSamplesPerEvent;  // of payload
constexpr uint32_t kGapsAt = 9;                                  // in a SAMPLES event's payload
static_assert(kMessageHeaderBytes + kMaxEventBytes + kAuthTrailerBytes <= kMinMessageBytes,
              "every link carries them");
static_assert(kMaxSampleG == 1e4f, "the text below says so");

struct LogText {
  LogLevel level;
  const char* text;
};
// In the order of LogKind.
constexpr LogText kTexts[] = {
    {LogLevel::kWarning, "sample refused: not finite or beyond 10000 g"},
    {LogLevel::kWarning, "step skipped: not finite"},
    {LogLevel::kWarning, "step skipped: weight limit"},
    {LogLevel::kInformation, "peer lost: silent for 10 s"},
    {LogLevel::kError, "self-test failed: other numbers than expected"},
    {LogLevel::kError, "save failed: the flash does not hold what was written"},
    {LogLevel::kWarning, "alarm: what the sensor hears is not normal"},
    {LogLevel::kWarning, "unknown: no class explains this state; name it to make it one"},
    {LogLevel::kWarning, "moved: the sensor hangs otherwise than it did; calibrate"},
    {LogLevel::kWarning, "changed: the reconstruction error has shifted; fine-tune or relearn"},
    {LogLevel::kWarning, "refused: a message with a wrong MAC"},
    {LogLevel::kWarning, "refused: a change without the board's key"},
};

}  // namespace

void Server::push_sample(const float sample[3], bool gap) {
  if (feeding()) return;
  if (gap) mark_gap();
  accept_sample(sample);
}

void Server::mark_gap() {
  flush_samples(0);  // gaps are told at the head of an event only
  device_->gap();
  for (LinkSession& session : sessions_) {
    count_up(&session.untold_gaps);
  }
}

// The state that they were counted in is replaced.
void Server::forget_gaps() {
  for (LinkSession& session : sessions_) session.untold_gaps = 0;
}

void Server::accept_sample(const float sample[3]) {
  WindowResult result;
  send_samples(sample);
  const Skipped before = skipped();
  if (device_->push_sample(sample, &result)) take_window(result);
  log_skipped_since(before);
}

void Server::send_prediction(const WindowResult& result) {
  uint8_t payload[52];
  ByteWriter out(payload, sizeof(payload));
  out.u64(result.sample_index);
  out.u64(result.window_index);
  const float numbers[] = {result.error, result.tuned_error, result.log_variance, result.confidence,
                           result.loss,  result.score,       result.novelty};
  out.f32s(numbers, 7);
  out.u16(static_cast<uint16_t>(result.predicted));
  out.u16(static_cast<uint16_t>(result.label));
  out.u8(result.anomaly ? 1 : 0);
  out.u8(result.learned ? 1 : 0);
  out.u8(result.fine_tuned ? 1 : 0);
  out.u8((result.alarm ? kPredictionAlarm : 0) | (result.unknown ? kPredictionUnknown : 0));
  for (LinkSession& session : sessions_) {
    if (session.wants(kStreamPredictions)) {
      send_event(&session, Event::kPrediction, payload, out.length());
    }
  }
}

void Server::send_samples(const float sample[3]) {
  bool wanted = false;
  for (LinkSession& session : sessions_) {
    if (session.wants(kStreamSamples)) {
      wanted = true;
    } else {
      session.untold_gaps = 0;  // the sample behind them will not be told either
    }
  }
  if (!wanted) {
    n_pending_ = 0;
    return;
  }
  memcpy(pending_ + 3 * n_pending_, sample, 3 * sizeof(float));
  if (++n_pending_ == kSamplesPerEvent) flush_samples(1);
}

void Server::flush_samples(uint16_t still_to_count) {
  if (n_pending_ == 0) return;
  uint8_t payload[kMaxEventBytes];
  ByteWriter out(payload, sizeof(payload));
  out.u64(device_->state().counters.samples + still_to_count - n_pending_);
  out.u8(static_cast<uint8_t>(n_pending_));
  out.u8(0);  // gaps: each link's own
  out.u16(0);
  out.f32s(pending_, 3u * n_pending_);
  n_pending_ = 0;
  for (LinkSession& session : sessions_) {
    if (!session.wants(kStreamSamples)) continue;
    payload[kGapsAt] = session.untold_gaps;
    session.untold_gaps = 0;
    send_event(&session, Event::kSamples, payload, out.length());
  }
}

void Server::tell_changed(int link_index, uint8_t opcode, const uint8_t* payload, uint32_t bytes) {
  uint8_t told[kMaxEventBytes];
  for (int i = 0; i < kMaxLinks; ++i) {
    const bool own = i == link_index;
    if (own ? !sessions_[i].wants(kStreamChanges) : !sessions_[i].open) continue;
    if (!may_read(sessions_[i])) continue;
    ByteWriter out(told, sizeof(told));
    out.u8(opcode);
    out.u8(own ? 1 : 0);
    out.u16(0);
    out.u64(device_->state().counters.samples);
    if (bytes <= out.remaining()) out.bytes(payload, bytes);
    send_event(&sessions_[i], Event::kChanged, told, out.length());
  }
}

void Server::log(LogLevel level, const char* text) {
  for (LinkSession& session : sessions_) {
    if (session.wants(kStreamLog)) log_to(&session, level, text);
  }
}

void Server::log_to(LinkSession* session, LogLevel level, const char* text) {
  uint8_t payload[kOutcomeBytes + kMaxTextBytes];
  ByteWriter out(payload, sizeof(payload));
  out.u8(static_cast<uint8_t>(level));
  for (int i = 0; i < 3; ++i) out.u8(0);
  out.u64(device_->state().counters.samples);
  while (*text != '\0' && out.remaining() > 0) out.u8(static_cast<uint8_t>(*text++));
  send_event(session, Event::kLog, payload, out.length());
}

void Server::log_once_in_a_while(LogKind kind) {
  bool wanted = false;
  for (const LinkSession& session : sessions_) wanted |= session.wants(kStreamLog);
  uint64_t& logged_at = logged_at_[static_cast<int>(kind)];
  const uint64_t now = device_->state().counters.samples;
  // After a reset `now` may lie before `logged_at`: the difference is then large too.
  if (!wanted || now - logged_at < kLogEverySamples) return;
  logged_at = now;
  const LogText& line = kTexts[static_cast<int>(kind)];
  log(line.level, line.text);
}

Server::Skipped Server::skipped() const {
  const LearnedState& state = device_->state();
  const StepCounts& c = state.classifier.softmax.steps;
  const StepCounts& r = state.reconstruction.steps;
  return {state.counters.refused_samples, c.not_finite + r.not_finite, c.over_limit + r.over_limit};
}

void Server::log_skipped_since(const Skipped& before) {
  const Skipped now = skipped();
  if (now.samples != before.samples) log_once_in_a_while(LogKind::kSampleRefused);
  if (now.not_finite != before.not_finite) log_once_in_a_while(LogKind::kStepNotFinite);
  if (now.over_limit != before.over_limit) log_once_in_a_while(LogKind::kStepOverLimit);
}

void Server::send_event(LinkSession* session, Event event, const uint8_t* payload, uint32_t bytes) {
  MessageHeader header;
  header.kind = MessageKind::kEvent;
  header.opcode = static_cast<uint8_t>(event);
  header.session = session->id;
  header.sequence = static_cast<uint16_t>(++session->events);
  header.boot_id = identity_.boot_id;
  uint8_t message[kMessageHeaderBytes + kMaxEventBytes + kAuthTrailerBytes];
  ByteWriter out(message, kMessageHeaderBytes + kMaxEventBytes);
  begin_message(&out, header);
  out.bytes(payload, bytes);
  const uint32_t length = session->seal(session->events, message, end_message(&out));
  if (!session->link->send(message, length)) count_up(&counters_.lost_events);
}

}  // namespace tinyol
