#include "watch_checks.h"

#include "check.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace fuzz {
namespace {

bool finite(float value) {
  return is_finite_f32(value);
}

// A page's head and length; returns how many entries there are.
uint16_t check_page(uint16_t first, uint32_t all, uint32_t entry_bytes, ByteReader* in) {
  FUZZ_CHECK(in->u16() == all);
  const uint16_t n = in->u16();
  FUZZ_CHECK(in->ok() && in->remaining() == n * entry_bytes);
  FUZZ_CHECK(first + n <= all || n == 0);
  FUZZ_CHECK(n > 0 || first >= all);  // else asking again would never end
  return n;
}

void check_settings(const Settings& settings, uint16_t first, ByteReader in) {
  const uint16_t n = check_page(first, kSettingCount, 8, &in);
  for (int i = first; i < first + n; ++i) {
    FUZZ_CHECK(find_setting(in.u16()) == i);
    in.u16();
    FUZZ_CHECK(in.f32() == settings.value[i]);
  }
}

void check_classes(const GaussianHead& head, uint16_t first, ByteReader in) {
  const uint16_t n = check_page(first, head.n_classes, 12, &in);
  for (int k = first; k < first + n; ++k) {
    FUZZ_CHECK(in.u32() == head.lessons[k]);
    FUZZ_CHECK(in.f32() == head.weight[k]);
    const float limit = in.f32();
    FUZZ_CHECK(finite(limit) && (limit > 0.0f) == (head.lessons[k] >= kYoungLessons));
  }
}

void check_unknowns(const UnknownEvents& unknown, ByteReader in) {
  const uint32_t count = in.u32();
  const bool goes_on = in.u8() != 0;
  const uint8_t n = in.u8();
  in.u16();
  FUZZ_CHECK(count == unknown.count && goes_on == unknown.open && (count > 0 || !goes_on));
  FUZZ_CHECK(n == (count < kUnknownEvents ? count : kUnknownEvents));
  for (uint8_t age = 0; age < n; ++age) {
    const UnknownEvent* event = unknown.find(count - age);
    FUZZ_CHECK(event != nullptr && in.u32() == count - age);
    const uint64_t first = in.u64();
    FUZZ_CHECK(first == event->first_sample && in.u64() == event->last_sample);
    FUZZ_CHECK(in.u32() == event->windows && finite(in.f32()));
    FUZZ_CHECK((in.u8() != 0) == event->named);
    in.u8();
    FUZZ_CHECK(in.u16() == event->kept && event->kept <= kUnknownVectors);
  }
  FUZZ_CHECK(in.ok() && in.remaining() == 0);
}

void check_watch(const Device& device, ByteReader in) {
  const LearnedState& state = device.state();
  constexpr uint32_t kWatchBytes = 84;
  FUZZ_CHECK(in.remaining() == kWatchBytes);
  FUZZ_CHECK(in.u32() == state.detector.normal.count);
  for (int i = 0; i < 7; ++i) FUZZ_CHECK(finite(in.f32()));
  FUZZ_CHECK(in.u32() == state.detector.alarms);
  FUZZ_CHECK((in.u8() != 0) == state.detector.alarm);
  FUZZ_CHECK((in.u8() != 0) == state.drift.moved);
  FUZZ_CHECK((in.u8() != 0) == state.drift.changed);
  FUZZ_CHECK(in.u8() <= 1);
  const uint32_t steps = in.u32();
  const uint32_t windows = in.u32();
  FUZZ_CHECK(windows == device.learner().calibration().windows_left);
  FUZZ_CHECK(windows > 0 || steps == 0);
  for (int i = 0; i < 9; ++i) FUZZ_CHECK(finite(in.f32()));
}

// What a label contradicts, at the end of a reply.
void check_contradiction(const Device& device, uint16_t truth, ByteReader* in) {
  const int16_t index = static_cast<int16_t>(in->u16());
  const uint16_t windows = in->u16();
  const float confidence = in->f32();
  FUZZ_CHECK(in->ok() && in->remaining() == 0);
  FUZZ_CHECK(index >= kNoClass && index < device.state().classes.size && index != truth);
  FUZZ_CHECK((index == kNoClass) == (windows == 0));
  FUZZ_CHECK(windows == 0 ? confidence == 0.0f
                          : confidence >= kSureConfidence && confidence <= 1.0f);
}

void check_undone(const Device& device, bool only_say, ByteReader in) {
  constexpr uint32_t kUndoneBytes = 44;
  FUZZ_CHECK(in.remaining() == kUndoneBytes && in.u8() > 0 && in.u8() == 0);
  FUZZ_CHECK(static_cast<int16_t>(in.u16()) >= kNoClass);
  in.u64();
  for (int i = 0; i < 4; ++i) in.u32();
  FUZZ_CHECK(in.bytes(kMaxNameBytes + 1)[kMaxNameBytes] == 0);
  if (only_say) return;
  FUZZ_CHECK(device.current_label() == kNoClass && device.learner().fine_tune_left() == 0);
  FUZZ_CHECK(device.learner().calibration().windows_left == 0);
  Undone nothing;
  FUZZ_CHECK(device.would_undo(&nothing, nullptr) == Status::kNotFound);
}

}  // namespace

void check_lasting(const Device& device, Request request, ByteReader payload, ByteReader reply) {
  const LearnedState& state = device.state();
  switch (request) {
    case Request::kSettingsList:
      return check_settings(state.settings, payload.u16(), reply);
    case Request::kClassStatus:
      return check_classes(state.classifier.gaussian, payload.u16(), reply);
    case Request::kUnknowns:
      return check_unknowns(state.unknown, reply);
    case Request::kWatch:
      return check_watch(device, reply);
    case Request::kLabel: {
      const uint16_t truth = payload.u16();
      return check_contradiction(device, truth, &reply);
    }
    case Request::kLabelBack: {
      const uint16_t truth = payload.u16();
      FUZZ_CHECK(reply.u16() <= payload.u16() && reply.u16() == 0);
      return check_contradiction(device, truth, &reply);
    }
    case Request::kFineTune:
      FUZZ_CHECK(reply.u32() <= 1 && reply.ok() && reply.remaining() == 0);
      return;
    case Request::kUndo:
      return check_undone(device, payload.u8() == 1, reply);
    case Request::kRelearn: {
      const uint16_t index = payload.u16();
      const uint16_t lessons = reply.u16();
      FUZZ_CHECK(lessons > 0 && lessons <= payload.u16());
      const bool learns = state.settings[Setting::kClassifierLearn] != 0.0f;
      FUZZ_CHECK(state.classifier.gaussian.lessons[index] == (learns ? lessons : 0));
      return;
    }
    case Request::kClassWeight: {
      const uint16_t index = payload.u16();
      payload.u16();
      FUZZ_CHECK(state.classifier.gaussian.weight[index] == payload.f32());
      return;
    }
    case Request::kCalibrate: {
      const uint32_t steps = payload.u32();
      const uint32_t windows = payload.u32();
      FUZZ_CHECK(device.learner().calibration().windows_left == windows);
      FUZZ_CHECK(windows == 0 || device.learner().fine_tune_left() == steps);
      FUZZ_CHECK(reply.u32() <= 1 && reply.ok() && reply.remaining() == 0);
      return;
    }
    case Request::kUnknownName: {
      const UnknownEvent* event = state.unknown.find(payload.u32());
      FUZZ_CHECK(event != nullptr && event->named);
      FUZZ_CHECK(reply.u16() < state.classes.size && reply.u16() == event->kept);
      return;
    }
    default:
      return;
  }
}

void check_prediction(ByteReader in) {
  constexpr uint32_t kPredictionBytes = 52;
  FUZZ_CHECK(in.remaining() == kPredictionBytes);
  in.u64();
  in.u64();
  for (int i = 0; i < 5; ++i) FUZZ_CHECK(finite(in.f32()));
  const float score = in.f32();
  const float novelty = in.f32();
  FUZZ_CHECK(finite(score) && score >= 0.0f && finite(novelty) && novelty >= 0.0f);
  in.u16();
  const bool labelled = static_cast<int16_t>(in.u16()) != kNoClass;
  FUZZ_CHECK((in.u8() != 0) == (score > 1.0f));
  FUZZ_CHECK(in.u8() <= 1 && in.u8() <= 1);
  const uint8_t bits = in.u8();
  FUZZ_CHECK(bits <= (kPredictionAlarm | kPredictionUnknown));
  FUZZ_CHECK(((bits & kPredictionUnknown) != 0) == (novelty > 1.0f && !labelled));
}

void check_notice(ByteReader in) {
  constexpr uint32_t kNoticeBytes = 32;
  FUZZ_CHECK(in.remaining() == kNoticeBytes);
  const NoticeKind kind = static_cast<NoticeKind>(in.u8());
  const NoticePhase phase = static_cast<NoticePhase>(in.u8());
  FUZZ_CHECK(kind >= NoticeKind::kAlarm && kind <= NoticeKind::kCalibrated);
  FUZZ_CHECK(phase == NoticePhase::kBegan || phase == NoticePhase::kEnded);
  FUZZ_CHECK(kind != NoticeKind::kChanged || phase == NoticePhase::kBegan);
  FUZZ_CHECK(kind != NoticeKind::kCalibrated || phase == NoticePhase::kEnded);
  const int16_t class_index = static_cast<int16_t>(in.u16());
  FUZZ_CHECK(class_index >= kNoClass && (class_index == kNoClass || kind == NoticeKind::kChanged));
  const uint32_t number = in.u32();
  const bool numbered = kind == NoticeKind::kAlarm || kind == NoticeKind::kUnknown;
  FUZZ_CHECK((number > 0) == numbered);
  const uint64_t first = in.u64();
  FUZZ_CHECK(first <= in.u64() && in.u32() > 0);
  FUZZ_CHECK(finite(in.f32()));
}

}  // namespace fuzz
}  // namespace tinyol
