// What a person can be wrong about: labels, fine-tuning, calibrating. Their replies say what speaks
// against it, and UNDO takes it back.
#include "tinyol/request_payload.h"
#include "tinyol/server.h"

namespace tinyol {
namespace {

constexpr bool is(Undoable what, Request request) {
  return static_cast<uint8_t>(what) == static_cast<uint8_t>(request);
}
static_assert(is(Undoable::kClassRemove, Request::kClassRemove) &&
                  is(Undoable::kLabel, Request::kLabel) &&
                  is(Undoable::kLabelBack, Request::kLabelBack) &&
                  is(Undoable::kFineTune, Request::kFineTune) &&
                  is(Undoable::kReset, Request::kReset) &&
                  is(Undoable::kRelearn, Request::kRelearn) &&
                  is(Undoable::kCalibrate, Request::kCalibrate) &&
                  is(Undoable::kUnknownName, Request::kUnknownName),
              "numbered as the requests");

void write_contradiction(const Contradiction& found, ByteWriter* out) {
  out->u16(static_cast<uint16_t>(found.class_index));
  out->u16(found.windows);
  out->f32(found.confidence);
}

// Whether what begins now makes normal what the device calls an anomaly.
void write_alarm(bool begins, const Device& device, ByteWriter* out) {
  out->u8(begins && device.state().detector.alarm ? 1 : 0);
  for (int i = 0; i < 3; ++i) out->u8(0);
}

void write_undone(const Undone& undone, ByteWriter* out) {
  out->u8(static_cast<uint8_t>(undone.what));
  out->u8(0);
  out->u16(static_cast<uint16_t>(undone.class_index));
  out->u64(undone.sample_index);
  out->u32(undone.lessons);
  out->u32(undone.steps);
  out->u32(undone.windows);
  out->u32(undone.other_changes);
  out->bytes(undone.class_name, sizeof(undone.class_name));
}

}  // namespace

bool Server::only_says(Request request, ByteReader in) {
  return request == Request::kUndo && in.u8() == 1;
}

Status Server::teach(Request request, ByteReader* in, ByteWriter* out, Refusal* refusal) {
  switch (request) {
    case Request::kLabel: {
      const int16_t index = static_cast<int16_t>(in->u16());
      const uint16_t reserved = in->u16();
      const uint32_t windows = in->u32();
      if (!complete(*in) || reserved != 0) return malformed(refusal);
      const Contradiction found =
          index != kNoClass && windows > 0 ? device_->contradiction(index) : Contradiction();
      const Status status = device_->label(index, windows, refusal);
      write_contradiction(found, out);
      return status;
    }
    case Request::kLabelBack: {
      const int16_t index = static_cast<int16_t>(in->u16());
      const uint16_t windows = in->u16();
      if (!complete(*in)) return malformed(refusal);
      const Contradiction found = device_->contradiction_back(index, windows);
      uint16_t lessons = 0;
      const Skipped before = skipped();
      const Status status = device_->label_back(index, windows, &lessons, refusal);
      log_skipped_since(before);
      out->u16(lessons);
      out->u16(0);
      write_contradiction(found, out);
      return status;
    }
    case Request::kFineTune: {
      const uint32_t steps = in->u32();
      if (!complete(*in)) return malformed(refusal);
      write_alarm(steps > 0, *device_, out);
      return device_->fine_tune(steps, refusal);
    }
    case Request::kCalibrate: {
      const uint32_t fine_tune_steps = in->u32();
      const uint32_t windows = in->u32();
      if (!complete(*in)) return malformed(refusal);
      write_alarm(windows > 0, *device_, out);
      return device_->calibrate(fine_tune_steps, windows, refusal);
    }
    default:
      return undo(in, out, refusal);
  }
}

Status Server::undo(ByteReader* in, ByteWriter* out, Refusal* refusal) {
  const uint8_t only_say = in->u8();
  const uint32_t reserved = in->u8() | in->u16();
  if (!complete(*in) || only_say > 1 || reserved != 0) return malformed(refusal);
  Undone undone;
  Status status;
  if (only_say == 1) {
    status = device_->would_undo(&undone, refusal);
  } else {
    flush_samples(0);  // the indices of what follows a RESET that is taken back are others
    status = device_->undo(&undone, refusal);
  }
  if (status == Status::kOk && only_say == 0 && undone.what == Undoable::kReset) {
    forget_windows();
  }
  write_undone(undone, out);
  return status;
}

}  // namespace tinyol
