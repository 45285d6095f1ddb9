// What each request does. Payloads: docs/wire-protocol.md.
#include "tinyol/server.h"

#include <initializer_list>

#include "tinyol/net_self_test.h"
#include "tinyol/request_payload.h"
#include "tinyol/self_test.h"

namespace tinyol {
namespace {

void write_metrics(const Metrics& m, ByteWriter* out) {
  out->u32(m.loss.count);
  out->f32(m.accuracy());
  out->f32(m.macro_f1());
  out->f32(m.loss.mean);
  out->f32(m.error.mean);
  for (int i = 0; i < kErrorQuantiles; ++i) {
    out->f32(m.error_quantile[i].value(kErrorProbability[i]));
  }
  out->u16(m.n_classes);
  out->u16(0);
  for (uint16_t k = 0; k < m.n_classes; ++k) out->f32(m.f1(k));
}

}  // namespace

Status Server::execute(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                       Refusal* refusal) {
  const Request request = static_cast<Request>(opcode);
  if (needs_model(request) && !device_->loaded()) {
    return refuse(refusal, Status::kNoModel, "model");
  }
  switch (request) {
    case Request::kPing:
      return complete(*in) ? Status::kOk : malformed(refusal);
    case Request::kGoodbye:
      if (!complete(*in)) return malformed(refusal);
      drop(link_index);
      return Status::kOk;
    case Request::kInfo:
      if (!complete(*in)) return malformed(refusal);
      write_info(out);
      return Status::kOk;
    case Request::kSettingsList:
    case Request::kClassesList:
    case Request::kClassStatus:
      return write_list(request, in, out, refusal);
    case Request::kMetrics:
      if (!complete(*in)) return malformed(refusal);
      write_metrics(device_->state().metrics, out);
      return Status::kOk;
    case Request::kAlarms:
    case Request::kUnknowns:
    case Request::kWatch:
      return complete(*in) ? write_watched(request, out) : malformed(refusal);
    case Request::kStream: {
      const uint8_t streams = in->u8();
      if (!complete(*in) || streams > kStreamAll) return malformed(refusal);
      set_streams(&sessions_[link_index], streams);
      return Status::kOk;
    }
    case Request::kSelfTest: {
      if (!complete(*in)) return malformed(refusal);
      SelfTest net = {0, 0};  // without a model there is none that could fail: 0, as expected
      if (device_->loaded()) {
        net = run_net_self_test(device_->learner().net(), device_->model().golden);
      }
      for (const SelfTest& result : {run_self_test(), net}) {
        out->u32(result.expected_crc);
        out->u32(result.found_crc);
      }
      return Status::kOk;
    }
    case Request::kSave:
      return complete(*in) ? save_requested(link_index, out, refusal) : malformed(refusal);
    case Request::kImageGet:
    case Request::kImageRead:
    case Request::kImagePut:
    case Request::kImageWrite:
      return transfer(link_index, opcode, in, out, refusal);
    case Request::kHardware:
    case Request::kNameSet:
    case Request::kLocate:
    case Request::kCondition:
      return execute_hardware(link_index, request, in, out, refusal);
    default:
      break;
  }
  if (only_says(request, *in)) return undo(in, out, refusal);
  if (feeding() && feeder_ != link_index) return refuse(refusal, Status::kBusy, "feeding");
  const uint8_t* payload = in->here();
  const uint32_t payload_bytes = in->remaining();
  const Status status = execute_change(link_index, opcode, in, out, refusal);
  if (status == Status::kOk && opcode != static_cast<uint8_t>(Request::kFeed)) {
    tell_changed(link_index, opcode, payload, payload_bytes);
  }
  return status;
}

Status Server::execute_change(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                              Refusal* refusal) {
  switch (static_cast<Request>(opcode)) {
    case Request::kSettingSet: {
      const uint16_t id = in->u16();
      const uint16_t reserved = in->u16();
      const float value = in->f32();
      if (!complete(*in) || reserved != 0) return malformed(refusal);
      return device_->set(id, value, refusal);
    }
    case Request::kClassAdd: {
      const WireName name = read_name(in);
      if (!complete(*in)) return malformed(refusal);
      uint16_t index = 0;
      const Status status = device_->add_class(name.text, name.length, &index, refusal);
      out->u16(index);
      out->u16(0);
      return status;
    }
    case Request::kClassRename: {
      const uint16_t index = in->u16();
      const WireName name = read_name(in);
      if (!complete(*in)) return malformed(refusal);
      return device_->rename_class(index, name.text, name.length, refusal);
    }
    case Request::kClassRemove: {
      const uint16_t index = in->u16();
      if (!complete(*in)) return malformed(refusal);
      return device_->remove_class(index, refusal);
    }
    case Request::kLabel:
    case Request::kLabelBack:
    case Request::kFineTune:
    case Request::kCalibrate:
    case Request::kUndo:
      return teach(static_cast<Request>(opcode), in, out, refusal);
    case Request::kRelearn: {
      const int16_t index = static_cast<int16_t>(in->u16());
      const uint16_t windows = in->u16();
      if (!complete(*in)) return malformed(refusal);
      uint16_t lessons = 0;
      const Skipped before = skipped();
      const Status status = device_->relearn(index, windows, &lessons, refusal);
      log_skipped_since(before);
      out->u16(lessons);
      out->u16(0);
      return status;
    }
    case Request::kClassWeight: {
      const uint16_t index = in->u16();
      const uint16_t reserved = in->u16();
      const float weight = in->f32();
      if (!complete(*in) || reserved != 0) return malformed(refusal);
      return device_->set_class_weight(index, weight, refusal);
    }
    case Request::kUnknownName: {
      const uint32_t number = in->u32();
      const WireName name = read_name(in);
      if (!complete(*in)) return malformed(refusal);
      uint16_t index = 0;
      uint16_t lessons = 0;
      const Skipped before = skipped();
      const Status status =
          device_->name_unknown(number, name.text, name.length, &index, &lessons, refusal);
      log_skipped_since(before);
      out->u16(index);
      out->u16(lessons);
      return status;
    }
    case Request::kReset:
      if (!complete(*in)) return malformed(refusal);
      flush_samples(0);  // their indices count from before the reset
      forget_gaps();
      forget_windows();
      return device_->reset(refusal);
    case Request::kSessionBegin:
      return begin_session(link_index, in, out, refusal);
    case Request::kFeedBegin:
      if (!complete(*in)) return malformed(refusal);
      feeder_ = link_index;
      mark_gap();
      return Status::kOk;
    case Request::kFeed:
      return feed(in, out, refusal);
    case Request::kFeedEnd:
      if (!complete(*in)) return malformed(refusal);
      if (feeder_ != link_index) return refuse(refusal, Status::kNotFound, "feed");
      feeder_ = kNobody;
      mark_gap();
      return Status::kOk;
    case Request::kImageCommit:
      return transfer(link_index, opcode, in, out, refusal);
    default:
      return refuse(refusal, Status::kUnknownRequest, "opcode", 0, opcode);
  }
}

void Server::set_streams(LinkSession* session, uint8_t streams) {
  flush_samples(0);  // what is pending belongs to those who listened so far
  const bool begins_log = (streams & ~session->streams & kStreamLog) != 0;
  session->streams = streams;
  if (begins_log) log_conditions(session);
  if (self_test_ != kSelfTestPassed) log_once_in_a_while(LogKind::kSelfTest);
}

Status Server::begin_session(int link_index, ByteReader* in, ByteWriter* out, Refusal* refusal) {
  const uint8_t streams = in->u8();
  if (!complete(*in) || streams > kStreamAll) return malformed(refusal);
  Status status = stage_image(link_index, out, refusal);
  if (status != Status::kOk) return status;
  // The device now starts from the image, as a twin does that imports it: nothing that the image
  // does not hold is left. The gap comes afterwards, so that it is in the stream and not in the
  // image: a twin that is fed the stream counts it too.
  const bool unsaved = autosave_.unsaved(device_->changes());
  status = device_->import_state(staging_, image_bytes_, refusal);
  if (status != Status::kOk) return status;
  if (!unsaved) autosave_.saved(device_->changes());  // the same was learned as before
  LinkSession& session = sessions_[link_index];
  set_streams(&session, streams);
  session.untold_gaps = 0;  // those before are in the image
  mark_gap();
  return Status::kOk;
}

Status Server::feed(ByteReader* in, ByteWriter* out, Refusal* refusal) {
  if (!feeding()) return refuse(refusal, Status::kNotFound, "feed");
  const uint8_t n = in->u8();
  const uint8_t gap_before = in->u8();
  const uint16_t reserved = in->u16();
  if (!in->ok() || gap_before > 1 || reserved != 0 || in->remaining() != 12u * n) {
    return malformed(refusal);
  }
  const uint64_t windows_before = device_->state().counters.windows;
  if (gap_before != 0) mark_gap();
  for (uint8_t i = 0; i < n; ++i) {
    // Not checked here: the device itself refuses and counts what is not finite.
    const float sample[3] = {in->f32(), in->f32(), in->f32()};
    accept_sample(sample);
  }
  out->u32(static_cast<uint32_t>(device_->state().counters.windows - windows_before));
  return Status::kOk;
}

}  // namespace tinyol
