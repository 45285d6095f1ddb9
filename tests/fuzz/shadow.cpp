#include "shadow.h"

#include "check.h"

namespace tinyol {
namespace fuzz {

void Shadow::begin(KeptModel* kept, const Image& image) {
  FUZZ_CHECK(device_.load(kept->model, &kept->net, nullptr) == Status::kOk);
  undo_.resize(device_.max_image_bytes());
  device_.keep_undo(undo_.data(), static_cast<uint32_t>(undo_.size()));
  const uint32_t length = static_cast<uint32_t>(image.size());
  FUZZ_CHECK(device_.import_state(image.data(), length, nullptr) == Status::kOk);
  changes_.clear();
  told_.clear();
  expected_.clear();
  follows_ = true;
}

const Device& Shadow::complete() {
  make_changes_until(UINT64_MAX);
  FUZZ_CHECK(told_ == expected_);
  return device_;
}

void Shadow::take(Event event, ByteReader payload) {
  if (!follows_) return;
  if (event == Event::kSamples) take_samples(payload);
  if (event == Event::kChanged) take_change(payload);
  if (event == Event::kNotice) take_notice(payload);
}

void Shadow::take_samples(ByteReader in) {
  const uint64_t first = in.u64();
  const uint8_t n = in.u8();
  const uint8_t gaps = in.u8();
  in.u16();
  FUZZ_CHECK(first == device_.state().counters.samples);
  FUZZ_CHECK(n > 0 && in.remaining() == 12u * n);
  if (gaps == 255) return lose();  // or more: how many is not told
  for (uint8_t i = 0; i < gaps; ++i) device_.gap();
  WindowResult result;
  for (uint8_t i = 0; i < n; ++i) {
    make_changes_until(first + i);
    const float sample[3] = {in.f32(), in.f32(), in.f32()};
    if (device_.push_sample(sample, &result)) expect_notices(result);
  }
}

void Shadow::take_notice(ByteReader in) {
  const uint8_t kind = in.u8();
  const uint8_t phase = in.u8();
  const int16_t class_index = static_cast<int16_t>(in.u16());
  told_.push_back({kind, phase, class_index, in.u32()});
}

void Shadow::expect_notices(const WindowResult& result) {
  const uint32_t alarm = device_.state().detector.alarms;
  const uint32_t unknown = device_.state().unknown.count;
  const Notice each[] = {{1, 1, kNoClass, alarm},     {1, 2, kNoClass, alarm},
                         {2, 1, kNoClass, unknown},   {2, 2, kNoClass, unknown},
                         {3, 1, kNoClass, 0},         {3, 2, kNoClass, 0},
                         {4, 1, result.predicted, 0}, {5, 2, kNoClass, 0}};
  for (int bit = 0; bit < 8; ++bit) {
    if ((result.notices >> bit & 1) != 0) expected_.push_back(each[bit]);
  }
}

void Shadow::take_change(ByteReader in) {
  const Request opcode = static_cast<Request>(in.u8());
  in.u8();
  in.u16();
  const uint64_t at = in.u64();
  const uint32_t n = in.remaining();
  const uint8_t* payload = in.bytes(n);
  changes_.push_back({at, opcode, std::vector<uint8_t>(payload, payload + n)});
  if (opcode == Request::kReset || opcode == Request::kUndo || opcode == Request::kSessionBegin) {
    make_changes_until(UINT64_MAX);
    FUZZ_CHECK(device_.state().counters.samples == at);
  }
  if (opcode == Request::kImageCommit) lose();  // the image is not told
}

void Shadow::make_changes_until(uint64_t index) {
  while (!changes_.empty() && changes_.front().at <= index) {
    make(changes_.front());
    changes_.pop_front();
  }
}

void Shadow::make(const Change& change) {
  ByteReader in(change.payload.data(), static_cast<uint32_t>(change.payload.size()));
  Status status = Status::kOk;
  uint16_t ignored;
  switch (change.opcode) {
    case Request::kSettingSet: {
      const uint16_t id = in.u16();
      in.u16();
      status = device_.set(id, in.f32(), nullptr);
      break;
    }
    case Request::kClassAdd: {
      const uint32_t n = in.u8();
      status = device_.add_class(reinterpret_cast<const char*>(in.bytes(n)), n, &ignored, nullptr);
      break;
    }
    case Request::kClassRename: {
      const uint16_t index = in.u16();
      const uint32_t n = in.u8();
      status = device_.rename_class(index, reinterpret_cast<const char*>(in.bytes(n)), n, nullptr);
      break;
    }
    case Request::kClassRemove:
      status = device_.remove_class(in.u16(), nullptr);
      break;
    case Request::kLabel: {
      const int16_t index = static_cast<int16_t>(in.u16());
      in.u16();
      status = device_.label(index, in.u32(), nullptr);
      break;
    }
    case Request::kLabelBack: {
      const int16_t index = static_cast<int16_t>(in.u16());
      status = device_.label_back(index, in.u16(), &ignored, nullptr);
      break;
    }
    case Request::kFineTune:
      status = device_.fine_tune(in.u32(), nullptr);
      break;
    case Request::kRelearn: {
      const int16_t index = static_cast<int16_t>(in.u16());
      status = device_.relearn(index, in.u16(), &ignored, nullptr);
      break;
    }
    case Request::kClassWeight: {
      const uint16_t index = in.u16();
      in.u16();
      status = device_.set_class_weight(index, in.f32(), nullptr);
      break;
    }
    case Request::kCalibrate: {
      const uint32_t steps = in.u32();
      status = device_.calibrate(steps, in.u32(), nullptr);
      break;
    }
    case Request::kUnknownName: {
      const uint32_t number = in.u32();
      const uint32_t n = in.u8();
      uint16_t lessons;
      status = device_.name_unknown(number, reinterpret_cast<const char*>(in.bytes(n)), n, &ignored,
                                    &lessons, nullptr);
      break;
    }
    case Request::kReset:
      status = device_.reset(nullptr);
      break;
    case Request::kUndo:
      FUZZ_CHECK(in.u32() == 0);  // one that only says is not told
      status = device_.undo(nullptr, nullptr);
      break;
    case Request::kSessionBegin: {  // another link's: ends what is under way
      const Image image = export_of(device_);
      status = device_.import_state(image.data(), static_cast<uint32_t>(image.size()), nullptr);
      in.u8();
      break;
    }
    case Request::kFeedBegin:
    case Request::kFeedEnd:
      break;  // their gaps are told with the next sample
    default:
      FUZZ_CHECK(false && "a request that changes nothing, or one that is unknown here");
  }
  FUZZ_CHECK(in.ok() && in.remaining() == 0);
  FUZZ_CHECK(status == Status::kOk);
}

}  // namespace fuzz
}  // namespace tinyol
