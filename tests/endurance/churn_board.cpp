#include "churn_board.h"

#include <new>

#include "check.h"
#include "state_checks.h"
#include "tinyol/crc32.h"
#include "tinyol/xorshift.h"

namespace tinyol {
namespace endurance {

std::vector<Bytes> Wire::take() {
  std::vector<Bytes> taken;
  taken.swap(came_);
  return taken;
}

void Wire::came(const Bytes& message) {
  crc_ = crc32(message.data(), static_cast<uint32_t>(message.size()), crc_);
  came_.push_back(message);
}

uint32_t Wire::pass(uint32_t bytes) {
  const uint32_t n = bytes < left_ ? bytes : left_;
  if (left_ != UINT32_MAX) left_ -= n;
  return n;
}

void SerialWire::begin(Server* server, int link_index) {
  server_ = server;
  link_index_ = link_index;
  at_board_ = FrameParser();
  server->attach(link_index, this);
}

void SerialWire::write(const Bytes& message, uint32_t now_ms) {
  uint8_t frame[1 + kMaxFrameBytes] = {0};  // ends what a cut has left at the board
  const uint32_t length =
      1 + encode_frame(message.data(), static_cast<uint32_t>(message.size()), frame + 1);
  const uint32_t n = pass(length);
  for (uint32_t i = 0; i < n; ++i) {
    if (!at_board_.push(frame[i])) continue;
    server_->receive(link_index_, at_board_.message(), at_board_.length(), now_ms);
  }
}

void SerialWire::plug() {
  cut_after(UINT32_MAX);
  at_host_ = FrameParser();
  forget();
}

void SerialWire::unplug() {
  server_->drop(link_index_);
}

bool SerialWire::send(const uint8_t* message, uint32_t length) {
  uint8_t frame[kMaxFrameBytes];
  const uint32_t n = pass(encode_frame(message, length, frame));
  for (uint32_t i = 0; i < n; ++i) {
    if (!at_host_.push(frame[i])) continue;
    came(Bytes(at_host_.message(), at_host_.message() + at_host_.length()));
  }
  return true;  // the board cannot know what becomes of it
}

void GattWire::begin(Server* server, int link_index) {
  link_.begin(server, link_index, this);
  server->attach(link_index, &link_);
}

void GattWire::write(const Bytes& message, uint32_t now_ms) {
  const uint32_t length = static_cast<uint32_t>(message.size());
  const uint32_t step = max_notification() - 1;
  const bool whole_message = length <= max_notification();
  uint8_t number = 0;
  for (uint32_t at = 0; at < length; at += step, ++number) {
    const uint32_t n = whole_message ? length : length - at < step ? length - at : step;
    Bytes value(message.begin() + at, message.begin() + at + n);
    if (!whole_message) {
      const uint8_t last = at + n == length ? kLastPiece : 0;
      value.insert(value.begin(), static_cast<uint8_t>(kPieceMark | number | last));
    }
    const uint32_t size = static_cast<uint32_t>(value.size());
    if (pass(size) < size) return;  // a value comes whole or not at all
    link_.on_write(GattCharacteristic::kControl, value.data(), size, now_ms);
    if (whole_message) return;
  }
}

void GattWire::plug() {
  cut_after(UINT32_MAX);
  pieces_.clear();
  forget();
}

void GattWire::unplug() {
  link_.on_disconnected();
}

bool GattWire::notify(GattCharacteristic, const uint8_t* value, uint32_t length) {
  FUZZ_CHECK(length <= max_notification());
  if (pass(length) < length) return false;
  if ((value[0] & kPieceMark) == 0) {
    came(Bytes(value, value + length));
    return true;
  }
  if ((value[0] & kPieceNumber) == 0) pieces_.clear();
  pieces_.insert(pieces_.end(), value + 1, value + length);
  if ((value[0] & kLastPiece) != 0) came(pieces_);
  return true;
}

bool ChurnBoard::load(const char* model_path) {
  flash.wipe();
  return loaded_.load(model_path);
}

void ChurnBoard::boot(bool power_fails) {
  if (server != nullptr) {
    const bool save = power_fails || xorshift32(&noise_) % 2 == 0;
    if (save) {
      flash.fails_after = power_fails ? 1 + xorshift32(&noise_) % 400 : 0;
      const Bytes image = fuzz::export_of(device());
      const Status status = store.save(image.data(), static_cast<uint32_t>(image.size()), nullptr);
      flash.fails_after = 0;
      if (status == Status::kOk) saved_ = image;
    }
    server->~Server();
  }
  FUZZ_CHECK(device().load(loaded_.model, &loaded_.net, nullptr) == Status::kOk);
  const uint32_t pages = flash.n_pages();
  learned_.begin(&flash, 0, pages - kKeyPages - kNamePages);
  key_part_.begin(&flash, pages - kKeyPages - kNamePages, kKeyPages);
  name_part_.begin(&flash, pages - kNamePages, kNamePages);
  const uint32_t most = device().max_image_bytes();
  staging_.resize(most);
  FUZZ_CHECK(store.begin(&learned_, loaded_.model.id, most, nullptr) == Status::kOk);
  uint32_t length = 0;
  if (store.load(staging_.data(), most, &length, nullptr) == Status::kOk) {
    FUZZ_CHECK(device().import_state(staging_.data(), length, nullptr) == Status::kOk);
  }
  // What was saved last is there, to the byte.
  FUZZ_CHECK(saved_.empty() ? length == 0 : fuzz::export_of(device()) == saved_);
  saves_seen_ = store.saves();
  changes_at_boot_ = device().changes();

  key_ = DeviceKey();
  key_.begin(&key_part_);
  name_ = BoardName();
  name_.begin(&name_part_, "churn");
  uint8_t seed[kSeedBytes];
  for (uint8_t& byte : seed) byte = static_cast<uint8_t>(xorshift32(&noise_));
  random_.begin(RandomSource::kHost, seed);
  ServerIdentity identity;
  identity.boot_id = ++boot_id;
  identity.board = "churn";
  identity.capabilities = kCapabilityLed;
  ServerParts parts;
  parts.store = &store;
  parts.name = &name_;
  parts.key = &key_;
  parts.random = &random_;
  server = new (memory_) Server;
  server->begin(&device(), identity, staging_.data(), most, parts);
  serial_.begin(server, 0);
  gatt_.begin(server, 1);
}

void ChurnBoard::look_at_store() {
  if (store.saves() == saves_seen_) return;
  saves += store.saves() - saves_seen_;
  saves_seen_ = store.saves();
  saved_ = fuzz::export_of(device());
}

void ChurnBoard::pass(uint32_t ms) {
  lived_ms += ms;
  while (ms > 0) {
    const uint32_t step = ms < until_tick_ms_ ? ms : until_tick_ms_;
    ms -= step;
    now_ms += step;
    until_tick_ms_ -= step;
    if (until_tick_ms_ > 0) continue;
    until_tick_ms_ = 1000;
    float sample[3];
    fuzz::noise(&noise_, 0.5f, sample);
    server->push_sample(sample, false);
    server->tick(now_ms);
    ticks_located += server->locating(now_ms) ? 1 : 0;
    look_at_store();
  }
}

}  // namespace endurance
}  // namespace tinyol
