#include "tinyol/unknown_events.h"

#include <string.h>

#include "tinyol/count_up.h"

namespace tinyol {
namespace {

constexpr float kMostFeature = 1e15f;  // as STAT's means
constexpr float kMostNovelty = 1e30f;

float larger(float peak, float novelty) {
  const float bounded = novelty < kMostNovelty ? novelty : kMostNovelty;
  return bounded > peak ? bounded : peak;
}

// The event's window number `window`, from 0. While there is room every stride-th is kept; then
// every second one of those makes room, so that what is kept stays spread over the whole event.
void keep(UnknownEvent* event, uint32_t window, const float* vector, uint16_t n_features) {
  if (window % event->stride != 0) return;
  if (event->kept == kUnknownVectors) {
    event->kept /= 2;
    for (uint16_t row = 1; row < event->kept; ++row) {
      memcpy(event->vectors + row * n_features, event->vectors + 2 * row * n_features,
             n_features * sizeof(float));
    }
    event->stride *= 2;
    if (window % event->stride != 0) return;
  }
  memcpy(event->vectors + event->kept * n_features, vector, n_features * sizeof(float));
  ++event->kept;
}

// Checks one event and reads it into `into` unless that is null.
Status read_event(ByteReader* in, uint16_t n_features, UnknownEvent* into, UnknownEvent* head,
                  Refusal* refusal) {
  head->number = in->u32();
  head->first_sample = in->u64();
  head->last_sample = in->u64();
  head->windows = in->u32();
  head->peak_novelty = in->bounded_f32(kMostNovelty);
  const uint8_t named = in->u8();
  const uint8_t reserved = in->u8();
  head->kept = in->u16();
  head->stride = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "UNKN");
  head->named = named == 1;
  const bool power_of_2 = head->stride != 0 && (head->stride & (head->stride - 1)) == 0;
  // The stride doubles only when the event is as long as the room is, and no more than every
  // stride-th window is kept.
  if (named > 1 || reserved != 0 || !(head->peak_novelty >= 0.0f) || head->windows == 0 ||
      head->first_sample > head->last_sample || !power_of_2 || head->kept > kUnknownVectors ||
      head->kept > (head->windows - 1) / head->stride + 1 ||
      (head->stride > 1 && head->windows / head->stride < kUnknownVectors / 2)) {
    return refuse(refusal, Status::kMalformed, "UNKN event");
  }
  const uint32_t values = static_cast<uint32_t>(head->kept) * n_features;
  if (in->remaining() / sizeof(float) < values) {
    return refuse(refusal, Status::kTruncated, "UNKN", values, in->remaining() / sizeof(float));
  }
  if (into != nullptr) {
    into->number = head->number;
    into->first_sample = head->first_sample;
    into->last_sample = head->last_sample;
    into->windows = head->windows;
    into->peak_novelty = head->peak_novelty;
    into->named = head->named;
    into->kept = head->kept;
    into->stride = head->stride;
  }
  for (uint32_t i = 0; i < values; ++i) {
    const float value = in->bounded_f32(kMostFeature);
    if (into != nullptr) into->vectors[i] = value;
  }
  return in->ok() ? Status::kOk : refuse(refusal, Status::kNotFinite, "UNKN");
}

// One pass over the section: with `into` null it only validates.
Status walk(ByteReader* in, uint16_t n_features, uint64_t samples, UnknownEvents* into,
            Refusal* refusal) {
  const uint16_t d = in->u16();
  const uint16_t written = in->u16();
  UnknownEvents* const to = into;
  const uint32_t count = in->u32();
  const uint16_t in_a_row = in->u16();
  const uint16_t known_in_a_row = in->u16();
  const uint8_t open = in->u8();
  const uint32_t reserved = in->u8() | (in->u8() << 8) | (in->u8() << 16);
  const uint64_t run_began = in->u64();
  const float run_peak = in->bounded_f32(kMostNovelty);
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "UNKN");
  const uint32_t due = count < kUnknownEvents ? count : kUnknownEvents;
  if (d != n_features) return refuse(refusal, Status::kMalformed, "UNKN features", n_features, d);
  if (written != due) return refuse(refusal, Status::kMalformed, "UNKN events", due, written);
  const bool none_begins = in_a_row == 0 && run_began == 0 && run_peak == 0.0f;
  if (open > 1 || reserved != 0 || !(run_peak >= 0.0f) || (in_a_row == 0 && !none_begins) ||
      (open == 1 && (count == 0 || in_a_row != 0)) || (open == 0 && known_in_a_row != 0)) {
    return refuse(refusal, Status::kMalformed, "UNKN");
  }
  if (to != nullptr) {
    to->reset(n_features);
    to->count = count;
    to->in_a_row = in_a_row;
    to->known_in_a_row = known_in_a_row;
    to->open = open == 1;
    to->run_began = run_began;
    to->run_peak = run_peak;
  }
  uint64_t behind = 0;  // the older event's last sample
  for (uint16_t i = 0; i < written; ++i) {
    const uint32_t number = count - written + 1u + i;
    UnknownEvent* const event =
        to != nullptr ? &to->events[(number - 1) % kUnknownEvents] : nullptr;
    UnknownEvent head;
    const Status status = read_event(in, n_features, event, &head, refusal);
    if (status != Status::kOk) return status;
    if (head.number != number || head.first_sample < behind) {
      return refuse(refusal, Status::kMalformed, "UNKN order", number, head.number);
    }
    behind = head.last_sample;
  }
  if (in_a_row > 0 && run_began < behind) return refuse(refusal, Status::kMalformed, "UNKN run");
  if ((written > 0 && behind >= samples) || (in_a_row > 0 && run_began >= samples)) {
    return refuse(refusal, Status::kMalformed, "UNKN index");
  }
  return Status::kOk;
}

}  // namespace

void UnknownEvents::reset(uint16_t features) {
  *this = UnknownEvents();
  n_features = features;
}

UnknownResult UnknownEvents::update(bool unknown, float novelty, uint64_t sample_index,
                                    uint16_t least, const FeatureRing& ring) {
  UnknownResult result;
  if (open) {
    UnknownEvent* const event = &events[(count - 1) % kUnknownEvents];
    if (!unknown) {
      count_up(&known_in_a_row);
      result.ended = known_in_a_row >= least;
      if (result.ended) close();
      return result;
    }
    known_in_a_row = 0;
    event->last_sample = sample_index;
    event->peak_novelty = larger(event->peak_novelty, novelty);
    if (ring.size > 0) keep(event, event->windows, ring.at(ring.slot(0)), n_features);
    count_up(&event->windows);
    return result;
  }

  if (!unknown) {
    close();
    return result;
  }
  if (in_a_row == 0) run_began = sample_index;
  run_peak = larger(run_peak, novelty);
  count_up(&in_a_row);
  if (in_a_row < least) return result;

  count_up(&count);
  UnknownEvent* const event = &events[(count - 1) % kUnknownEvents];
  *event = UnknownEvent();
  event->number = count;
  event->first_sample = run_began;
  event->last_sample = sample_index;
  event->windows = in_a_row;
  event->peak_novelty = run_peak;
  uint16_t reach = in_a_row < ring.size ? in_a_row : ring.size;
  for (; reach > 0; --reach) {
    keep(event, in_a_row - reach, ring.at(ring.slot(static_cast<uint16_t>(reach - 1))), n_features);
  }
  close();
  open = true;
  result.began = true;
  return result;
}

const UnknownEvent* UnknownEvents::find(uint32_t number) const {
  if (number == 0) return nullptr;
  const UnknownEvent* const event = &events[(number - 1) % kUnknownEvents];
  return event->number == number ? event : nullptr;
}

void UnknownEvents::mark_named(uint32_t number) {
  if (find(number) == nullptr) return;
  events[(number - 1) % kUnknownEvents].named = true;
  if (open && number == count) close();
}

void UnknownEvents::close() {
  open = false;
  in_a_row = 0;
  known_in_a_row = 0;
  run_began = 0;
  run_peak = 0.0f;
}

void UnknownEvents::write(ByteWriter* out) const {
  const uint16_t written = static_cast<uint16_t>(count < kUnknownEvents ? count : kUnknownEvents);
  out->u16(n_features);
  out->u16(written);
  out->u32(count);
  out->u16(in_a_row);
  out->u16(known_in_a_row);
  out->u8(open ? 1 : 0);
  for (int i = 0; i < 3; ++i) out->u8(0);
  out->u64(run_began);
  out->f32(run_peak);
  for (uint16_t i = 0; i < written; ++i) {
    const UnknownEvent& event = events[(count - written + i) % kUnknownEvents];
    out->u32(event.number);
    out->u64(event.first_sample);
    out->u64(event.last_sample);
    out->u32(event.windows);
    out->f32(event.peak_novelty);
    out->u8(event.named ? 1 : 0);
    out->u8(0);
    out->u16(event.kept);
    out->u32(event.stride);
    out->f32s(event.vectors, static_cast<uint32_t>(event.kept) * n_features);
  }
}

Status UnknownEvents::read(ByteReader* in, uint16_t n_features, uint64_t samples,
                           UnknownEvents* into, Refusal* refusal) {
  ByteReader ahead = *in;
  const Status status = walk(&ahead, n_features, samples, nullptr, refusal);
  if (status == Status::kOk && into != nullptr) walk(in, n_features, samples, into, nullptr);
  *in = ahead;
  return status;
}

}  // namespace tinyol
