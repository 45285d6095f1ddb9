// What the device noticed by itself: on request, and told as it happens. Bytes:
// docs/wire-protocol.md.
#include "tinyol/server.h"

namespace tinyol {
namespace {

struct Notice {
  uint16_t bit;  // of WindowResult::notices
  NoticeKind kind;
  NoticePhase phase;
};
constexpr Notice kNotices[] = {
    {kNoticeAlarmBegan, NoticeKind::kAlarm, NoticePhase::kBegan},
    {kNoticeAlarmEnded, NoticeKind::kAlarm, NoticePhase::kEnded},
    {kNoticeUnknownBegan, NoticeKind::kUnknown, NoticePhase::kBegan},
    {kNoticeUnknownEnded, NoticeKind::kUnknown, NoticePhase::kEnded},
    {kNoticeMovedBegan, NoticeKind::kMoved, NoticePhase::kBegan},
    {kNoticeMovedEnded, NoticeKind::kMoved, NoticePhase::kEnded},
    {kNoticeChanged, NoticeKind::kChanged, NoticePhase::kBegan},
    {kNoticeCalibrated, NoticeKind::kCalibrated, NoticePhase::kEnded},
};

// What a notice tells of. The kinds that are no run of windows are about one window.
struct Told {
  int class_index = kNoClass;
  uint32_t number = 0;
  uint64_t first_sample = 0;
  uint64_t last_sample = 0;
  uint32_t windows = 1;
  float size = 0.0f;
};

// `alarm`: the latest, or null where its beginning is not remembered.
Told describe(NoticeKind kind, const WindowResult& result, const LearnedState& state,
              const Alarm* alarm) {
  Told told;
  told.first_sample = result.sample_index;
  told.last_sample = result.sample_index;
  switch (kind) {
    case NoticeKind::kAlarm:
      told.number = state.detector.alarms;
      if (alarm == nullptr) return told;
      told.first_sample = alarm->first_sample;
      told.last_sample = alarm->last_sample;
      told.windows = alarm->windows;
      told.size = alarm->peak_score;
      return told;
    case NoticeKind::kUnknown: {
      told.number = state.unknown.count;
      const UnknownEvent* event = state.unknown.find(told.number);
      if (event == nullptr) return told;
      told.first_sample = event->first_sample;
      told.last_sample = event->last_sample;
      told.windows = event->windows;
      told.size = event->peak_novelty;
      return told;
    }
    case NoticeKind::kMoved:
      told.size = state.drift.tilt_deg();
      return told;
    case NoticeKind::kChanged:
      told.class_index = result.predicted;
      told.size = state.drift.up - state.drift.down;
      return told;
    default:  // kCalibrated
      return told;
  }
}

}  // namespace

void Server::take_window(const WindowResult& result) {
  alarms_.window(result.sample_index, result.alarm, (result.notices & kNoticeAlarmBegan) != 0,
                 result.score);
  last_score_ = result.score;
  last_unknown_ = result.unknown;
  send_prediction(result);
  if (result.notices != 0) send_notices(result);
}

void Server::forget_windows() {
  alarms_.clear();
  last_score_ = 0.0f;
  last_unknown_ = false;
}

void Server::send_notices(const WindowResult& result) {
  const Alarm* alarm = alarms_.size() > 0 ? &alarms_.latest(0) : nullptr;
  for (const Notice& notice : kNotices) {
    if ((result.notices & notice.bit) == 0) continue;
    const Told told = describe(notice.kind, result, device_->state(), alarm);
    uint8_t payload[32];
    ByteWriter out(payload, sizeof(payload));
    out.u8(static_cast<uint8_t>(notice.kind));
    out.u8(static_cast<uint8_t>(notice.phase));
    out.u16(static_cast<uint16_t>(static_cast<int16_t>(told.class_index)));
    out.u32(told.number);
    out.u64(told.first_sample);
    out.u64(told.last_sample);
    out.u32(told.windows);
    out.f32(told.size);
    for (LinkSession& session : sessions_) {
      if (session.wants(kStreamNotices)) {
        send_event(&session, Event::kNotice, payload, out.length());
      }
    }
    if (notice.phase == NoticePhase::kBegan) log_notice(notice.kind);
  }
}

void Server::log_notice(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::kAlarm:
      return log_once_in_a_while(LogKind::kAlarm);
    case NoticeKind::kUnknown:
      return log_once_in_a_while(LogKind::kUnknown);
    case NoticeKind::kMoved:
      return log_once_in_a_while(LogKind::kMoved);
    case NoticeKind::kChanged:
      return log_once_in_a_while(LogKind::kChanged);
    case NoticeKind::kCalibrated:
      return;
  }
}

Status Server::write_watched(Request request, ByteWriter* out) const {
  switch (request) {
    case Request::kAlarms:
      write_alarms(out);
      return Status::kOk;
    case Request::kUnknowns:
      write_unknowns(out);
      return Status::kOk;
    default:  // kWatch
      write_watch(out);
      return Status::kOk;
  }
}

void Server::write_alarms(ByteWriter* out) const {
  constexpr uint32_t kAlarmBytes = 24;
  const uint32_t room = (out->remaining() - 8) / kAlarmBytes;
  const uint16_t n = alarms_.size() < room ? alarms_.size() : static_cast<uint16_t>(room);
  out->u32(alarms_.count());
  out->u16(n);
  out->u16(0);
  for (uint16_t age = 0; age < n; ++age) {
    const Alarm& alarm = alarms_.latest(age);
    out->u64(alarm.first_sample);
    out->u64(alarm.last_sample);
    out->u32(alarm.windows);
    out->f32(alarm.peak_score);
  }
}

void Server::write_unknowns(ByteWriter* out) const {
  constexpr uint32_t kUnknownBytes = 32;
  static_assert(kMessageHeaderBytes + kOutcomeBytes + 8 + kUnknownEvents * kUnknownBytes +
                        kAuthTrailerBytes <=
                    kMinMessageBytes,
                "every link carries them");
  const UnknownEvents& unknown = device_->state().unknown;
  const uint32_t n = unknown.count < kUnknownEvents ? unknown.count : kUnknownEvents;
  out->u32(unknown.count);
  out->u8(unknown.open ? 1 : 0);
  out->u8(static_cast<uint8_t>(n));
  out->u16(0);
  for (uint32_t age = 0; age < n; ++age) {
    const UnknownEvent& event = unknown.events[(unknown.count - 1 - age) % kUnknownEvents];
    out->u32(event.number);
    out->u64(event.first_sample);
    out->u64(event.last_sample);
    out->u32(event.windows);
    out->f32(event.peak_novelty);
    out->u8(event.named ? 1 : 0);
    out->u8(0);
    out->u16(event.kept);
  }
}

void Server::write_watch(ByteWriter* out) const {
  const LearnedState& state = device_->state();
  const AnomalyDetector& detector = state.detector;
  const Calibration& calibration = device_->learner().calibration();
  const bool calibrating = calibration.windows_left > 0;
  out->u32(detector.normal.count);
  out->f32s(detector.normal.mean, 2);
  out->f32s(detector.normal.covariance, 3);
  out->f32(detector.limit(state.settings[Setting::kAnomalyFalseRate]));
  out->f32(last_score_);
  out->u32(detector.alarms);
  out->u8(detector.alarm ? 1 : 0);
  out->u8(state.drift.moved ? 1 : 0);
  out->u8(state.drift.changed ? 1 : 0);
  out->u8(last_unknown_ ? 1 : 0);
  out->u32(calibrating ? device_->learner().fine_tune_left() : 0);
  out->u32(calibration.windows_left);
  out->f32s(state.drift.reference, 3);
  out->f32s(state.drift.recent, 3);
  out->f32(state.drift.tilt_deg());
  out->f32(state.drift.up);
  out->f32(state.drift.down);
}

}  // namespace tinyol
