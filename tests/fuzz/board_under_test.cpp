#include "board_under_test.h"

#include <string.h>

#include <new>

#include "check.h"
#include "state_checks.h"
#include "tinyol/restore.h"
#include "watch_checks.h"

namespace tinyol {
namespace fuzz {
namespace {

constexpr uint32_t kRefusalBytes = sizeof(Refusal::where) + 8;
constexpr char kFallback[] = "a fuzzer's board";
constexpr uint32_t kNameField = 24;
constexpr uint32_t kTextBytes = 80;

// Everything that a refused request must leave alone.
struct Snapshot {
  explicit Snapshot(const Device& device) {
    memcpy(state, &device.state(), sizeof(state));
    label = device.current_label();
    label_left = device.label_left();
    fine_tune_left = device.learner().fine_tune_left();
    memcpy(calibration, &device.learner().calibration(), sizeof(calibration));
  }
  bool still(const Device& device) const {
    return memcmp(state, &device.state(), sizeof(state)) == 0 && label == device.current_label() &&
           label_left == device.label_left() &&
           fine_tune_left == device.learner().fine_tune_left() &&
           memcmp(calibration, &device.learner().calibration(), sizeof(calibration)) == 0;
  }
  uint8_t state[sizeof(LearnedState)];
  int label;
  uint32_t label_left;
  uint32_t fine_tune_left;
  uint8_t calibration[sizeof(Calibration)];
};

// As at boot.
uint32_t boot(Device* device, KeptModel* kept, bool with_model) {
  device->~Device();
  new (device) Device;
  if (with_model) FUZZ_CHECK(device->load(kept->model, &kept->net, nullptr) == Status::kOk);
  return device->max_image_bytes();
}

// docs/wire-protocol.md, "Without a model"; the numbers between are of no request.
bool is_about_learning(uint8_t opcode) {
  return (opcode >= 8 && opcode <= 20) || (opcode >= 28 && opcode <= 40) ||
         (opcode >= 52 && opcode <= 58);
}

Status status_of(const std::vector<uint8_t>& reply) {
  return static_cast<Status>(static_cast<int8_t>(reply[kMessageHeaderBytes]));
}

}  // namespace

bool CheckedLink::send(const uint8_t* message, uint32_t length) {
  FUZZ_CHECK(length > 0 && length <= limit);
  MessageHeader header;
  ByteReader payload;
  FUZZ_CHECK(parse_message(message, length, &header, &payload));
  FUZZ_CHECK(header.flags == 0 && header.boot_id == kBootId);
  if (header.kind == MessageKind::kReply) {
    ++n_replies;
    reply.assign(message, message + length);
  } else {
    FUZZ_CHECK(header.kind == MessageKind::kEvent);
    FUZZ_CHECK(open && header.session == id && header.sequence == next_event);
    ++next_event;
    const Event event = static_cast<Event>(header.opcode);
    if (event == Event::kPrediction) check_prediction(payload);
    if (event == Event::kNotice) check_notice(payload);
    if (stuck) shadow->lose();
    shadow->take(event, payload);
  }
  return !stuck;
}

bool CheckedPort::notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) {
  FUZZ_CHECK(length > 0 && length <= room);
  const bool is_piece = (value[0] & kPieceMark) != 0;
  if (is_piece) {
    FUZZ_CHECK((value[0] & kPieceNumber) == n_pieces_ && length > 1);
    message_.insert(message_.end(), value + 1, value + length);
    ++n_pieces_;
    if ((value[0] & kLastPiece) == 0) {
      FUZZ_CHECK(length == room);
      return true;  // a stuck link fails at the last one
    }
  } else {
    FUZZ_CHECK(n_pieces_ == 0);
    message_.assign(value, value + length);
  }
  const std::vector<uint8_t> message = message_;
  message_.clear();
  n_pieces_ = 0;
  const bool event = message[1] == static_cast<uint8_t>(MessageKind::kEvent);
  FUZZ_CHECK(characteristic == (event ? GattCharacteristic::kEvents : written));
  return link->send(message.data(), static_cast<uint32_t>(message.size()));
}

Bench::Bench(KeptModel* model, const Equipment& equipment)
    : kept(model), has(equipment), staging(boot(&device, model, equipment.model)) {
  ServerIdentity identity;
  identity.boot_id = kBootId;
  identity.board = "a board of a fuzzer";
  if (has.led) identity.capabilities = kCapabilityLed;
  booted.begin(&device, identity, staging.data(), staging.length(), has.store ? &store : nullptr,
               has.name ? &name : nullptr);
}

Bench& bench(uint32_t index) {
  static Bench* const benches[] = {new Bench(&kept_model(0), {true, true, true, false}),
                                   new Bench(&kept_model(1), {true, false, false, true}),
                                   new Bench(&kept_model(0), {false, false, true, true})};
  return *benches[index];
}

BoardUnderTest::BoardUnderTest(Bench* bench)
    : kept(*bench->kept),
      device(bench->device),
      flash(bench->flash),
      has(bench->has),
      server(bench->booted),
      bench_(*bench),
      store_(bench->store) {
  boot(&device, &kept, has.model);
  flash.wipe();
  const uint32_t n_learned = flash.n_pages() - kNamePages;
  bench->learned_part.begin(&flash, 0, n_learned);
  bench->name_part.begin(&flash, n_learned, kNamePages);
  bench->name.begin(&bench->name_part, kFallback);
  if (has.name) name_ = kFallback;
  if (has.store) {
    FUZZ_CHECK(store_.begin(&bench->learned_part, kept.model.id, device.max_image_bytes(),
                            nullptr) == Status::kOk);
  }
  for (int i = 0; i < kMaxLinks; ++i) {
    links[i].shadow = &bench->shadows[i];
    links[i].shadow->lose();
    server.attach(i, &links[i]);
  }
}

void BoardUnderTest::use_gatt(uint32_t room) {
  port_.room = room;
  port_.link = &links[1];
  gatt_.begin(&server, 1, &port_);
  links[1].limit = gatt_.max_message();
  FUZZ_CHECK(links[1].limit >= kMinMessageBytes && links[1].limit <= kMaxMessageBytes);
  server.attach(1, &gatt_);
}

// Which of the two a value is written to is of no matter: now the one, now the other.
GattCharacteristic BoardUnderTest::one_of_both(uint32_t length) {
  return length % 2 == 0 ? GattCharacteristic::kControl : GattCharacteristic::kBulk;
}

void BoardUnderTest::receive_bytes(int link, const uint8_t* bytes, uint32_t n) {
  if (is_gatt(link)) return write_value(one_of_both(n), bytes, n);
  FrameParser& parser = parsers_[link];
  for (uint32_t i = 0; i < n; ++i) {
    if (parser.push(bytes[i])) deliver(link, parser.message(), parser.length());
  }
}

void BoardUnderTest::write_value(GattCharacteristic characteristic, const uint8_t* value,
                                 uint32_t length) {
  if (length == 0) return gatt_.on_write(characteristic, value, length, now_ms_);
  // Both characteristics take requests, each with all its pieces; the reply comes by the same.
  if (characteristic != port_.written) next_piece_ = 0;
  port_.written = characteristic;
  if ((value[0] & kPieceMark) == 0) {
    next_piece_ = 0;
    return deliver(1, value, length, value, length);
  }
  const uint32_t number = value[0] & kPieceNumber;
  if (number == 0) pieces_.clear();
  const bool fits = pieces_.size() + length <= kPiecedMessageBytes + 1;
  const bool continues = (number == 0 || number == next_piece_) && fits;
  if (continues) {
    pieces_.insert(pieces_.end(), value + 1, value + length);
    next_piece_ = number + 1;
    if ((value[0] & kLastPiece) != 0) {
      next_piece_ = 0;
      const std::vector<uint8_t> message = pieces_;
      return deliver(1, message.data(), static_cast<uint32_t>(message.size()), value, length);
    }
  } else {
    next_piece_ = 0;
  }
  const Snapshot before(device);
  const uint32_t replies = links[1].n_replies;
  gatt_.on_write(port_.written, value, length, now_ms_);
  FUZZ_CHECK(before.still(device) && links[1].n_replies == replies);
}

void BoardUnderTest::receive_message(int link, const uint8_t* message, uint32_t length) {
  if (is_gatt(link)) {
    uint8_t piece[kPiecedMessageBytes];
    const uint32_t room = port_.room < sizeof(piece) ? port_.room : sizeof(piece);
    const GattCharacteristic where = one_of_both(length);
    if (length <= port_.room) return write_value(where, message, length);
    uint32_t number = 0;
    for (uint32_t at = 0; at < length; at += room - 1, ++number) {
      const uint32_t n = length - at < room - 1 ? length - at : room - 1;
      piece[0] = static_cast<uint8_t>(kPieceMark | number | (at + n == length ? kLastPiece : 0));
      memcpy(piece + 1, message + at, n);
      write_value(where, piece, n + 1);
    }
    return;
  }
  uint8_t frame[kMaxFrameBytes];
  const uint32_t n = encode_frame(message, length, frame);
  FUZZ_CHECK(n > 0);
  const uint32_t bad_before = parsers_[link].bad_frames();
  const uint8_t zero = 0;
  receive_bytes(link, &zero, 1);  // whatever came before is over
  const uint32_t bad = parsers_[link].bad_frames();
  FUZZ_CHECK(bad - bad_before <= 1);
  receive_bytes(link, frame, n);
  FUZZ_CHECK(parsers_[link].bad_frames() == bad);
  FUZZ_CHECK(parsers_[link].length() == length);
}

MessageHeader BoardUnderTest::next_request(int link, uint8_t opcode) const {
  MessageHeader header;
  header.opcode = opcode;
  header.session = links[link].id;
  header.sequence = static_cast<uint16_t>(peers[link].last_sequence + 1);
  header.boot_id = kBootId;
  return header;
}

bool BoardUnderTest::ask(int link, uint8_t opcode, const uint8_t* payload, uint32_t length) {
  uint8_t message[kMaxMessageBytes];
  ByteWriter out(message, sizeof(message));
  begin_message(&out, next_request(link, opcode));
  const uint32_t room = kMaxMessageBytes - kMessageHeaderBytes;
  if (length > 0) out.bytes(payload, length < room ? length : room);
  const uint32_t n = end_message(&out);
  const uint32_t before = links[link].n_replies;
  receive_message(link, message, n);
  return links[link].n_replies > before && status_of(links[link].reply) == Status::kOk;
}

ByteReader BoardUnderTest::body(int link) const {
  const std::vector<uint8_t>& reply = links[link].reply;
  constexpr uint32_t kBodyAt = kMessageHeaderBytes + 12;
  if (reply.size() < kBodyAt) return ByteReader();
  return ByteReader(reply.data() + kBodyAt, static_cast<uint32_t>(reply.size()) - kBodyAt);
}

void BoardUnderTest::deliver(int link, const uint8_t* message, uint32_t length,
                             const uint8_t* value, uint32_t value_bytes) {
  MessageHeader header;
  ByteReader payload;
  const bool request =
      parse_message(message, length, &header, &payload) && header.kind == MessageKind::kRequest;
  if (request && header.opcode == static_cast<uint8_t>(Request::kSelfTest)) {
    if (!self_tests) {
      // Whatever came in pieces is over on both sides.
      const uint8_t nothing = 0;
      if (value != nullptr) gatt_.on_write(port_.written, &nothing, 1, now_ms_);
      return;
    }
    self_tests = false;
  }
  const Snapshot before(device);
  const uint32_t other_replies = links[1 - link].n_replies;
  const uint32_t replies = links[link].n_replies;
  const bool hello = request && header.opcode == static_cast<uint8_t>(Request::kHello);
  // A HELLO of another session first of all ends the old one.
  if (hello && payload.remaining() == 16) {
    ByteReader reader = payload;
    if (peers[link].nonce != reader.u64() || !peers[link].known) close(link);
  }
  const bool due = hello ? payload.remaining() == 16 : request;
  if (value != nullptr) {
    gatt_.on_write(port_.written, value, value_bytes, now_ms_);
  } else {
    server.receive(link, message, length, now_ms_);
  }
  const bool unchanged = before.still(device);
  look_at_store();
  const bool names = request && header.opcode == static_cast<uint8_t>(Request::kNameSet);
  FUZZ_CHECK(!has.name || names || name_ == bench_.name.text());
  FUZZ_CHECK(links[1 - link].n_replies == other_replies);
  FUZZ_CHECK(links[link].n_replies == replies + (due ? 1 : 0));
  if (!due) {
    FUZZ_CHECK(unchanged);
    return;
  }
  const std::vector<uint8_t>& reply = links[link].reply;
  MessageHeader answer;
  ByteReader in;
  FUZZ_CHECK(parse_message(reply.data(), static_cast<uint32_t>(reply.size()), &answer, &in));
  FUZZ_CHECK(answer.sequence == header.sequence);
  FUZZ_CHECK(in.remaining() >= 12);
  if (hello) {
    check_hello(link, answer, payload);
  } else {
    check_reply(link, header, payload, unchanged);
  }
}

void BoardUnderTest::check_hello(int link, const MessageHeader& answer, ByteReader payload) {
  CheckedLink& wire = links[link];
  Peer& peer = peers[link];
  const uint64_t nonce = payload.u64();
  FUZZ_CHECK(status_of(wire.reply) == Status::kOk);
  FUZZ_CHECK(answer.session != 0);
  if (!peer.known || peer.nonce != nonce) {
    for (const CheckedLink& any : links) FUZZ_CHECK(any.id != answer.session);
    peer = Peer();
    wire.next_event = 1;
    wire.id = answer.session;
  }
  FUZZ_CHECK(answer.session == wire.id);
  ByteReader in = body(link);
  FUZZ_CHECK(in.u16() == peer.last_sequence);
  FUZZ_CHECK(in.u16() == wire.limit);
  in.u32();
  FUZZ_CHECK(((in.u32() & kCapabilityModel) != 0) == has.model);
  peer.known = true;
  peer.nonce = nonce;
  peer.heard_ms = now_ms_;
  wire.open = true;
}

void BoardUnderTest::check_reply(int link, const MessageHeader& header, ByteReader payload,
                                 bool unchanged) {
  CheckedLink& wire = links[link];
  Peer& peer = peers[link];
  const std::vector<uint8_t>& reply = wire.reply;
  const Status status = status_of(reply);
  ByteReader in = body(link);
  const bool in_session = header.boot_id == kBootId && wire.open && header.session == wire.id;
  if (in_session) peer.heard_ms = now_ms_;
  const uint16_t due = static_cast<uint16_t>(peer.last_sequence + 1);
  const bool repeat = header.sequence == peer.last_sequence && !peer.remembered.empty();
  if (in_session && repeat) {
    FUZZ_CHECK(reply == peer.remembered);
    FUZZ_CHECK(unchanged);
    return;
  }
  FUZZ_CHECK(reply[2] == header.opcode);
  ByteReader outcome(reply.data() + kMessageHeaderBytes + 4, 8);
  FUZZ_CHECK(outcome.u64() == device.state().counters.samples);
  if (status != Status::kOk) {
    FUZZ_CHECK(unchanged);
    FUZZ_CHECK(in.remaining() == kRefusalBytes);
    const uint8_t* where = in.bytes(sizeof(Refusal::where));
    FUZZ_CHECK(where[0] != 0 && where[sizeof(Refusal::where) - 1] == 0);
  }
  if (header.boot_id != kBootId) {
    FUZZ_CHECK(status == Status::kRebooted);
  } else if (!in_session) {
    FUZZ_CHECK(status == Status::kNoSession);
  } else if (header.sequence != due) {
    FUZZ_CHECK(status == Status::kBadSequence && in.u32() == due);
  } else {
    FUZZ_CHECK(status == Status::kUnknownRequest ||
               (status <= Status::kOk && status >= Status::kBusy) || status == Status::kFlash);
    FUZZ_CHECK(!has.model || status != Status::kNoModel);
    if (!has.model && status != Status::kUnknownRequest) {
      FUZZ_CHECK((status == Status::kNoModel) == is_about_learning(header.opcode));
    }
    peer.last_sequence = due;
    peer.remembered = reply;
    if (status == Status::kOk) check_granted(link, static_cast<Request>(header.opcode), payload);
  }
  if (has.name) FUZZ_CHECK(name_ == bench_.name.text());
}

void BoardUnderTest::check_granted(int link, Request opcode, ByteReader payload) {
  if (has.model) check_lasting(device, opcode, payload, body(link));
  switch (opcode) {
    case Request::kGoodbye:
      return close(link);
    case Request::kStream:
    case Request::kSessionBegin:
      return links[link].shadow->lose();
    case Request::kFeedBegin:
      FUZZ_CHECK(server.feeding());
      return;
    case Request::kFeedEnd:
      FUZZ_CHECK(!server.feeding());
      return;
    case Request::kImagePut:
      peers[link].announced = payload.u32();
      return;
    case Request::kImageWrite:
      FUZZ_CHECK(body(link).u32() <= peers[link].announced);
      return;
    case Request::kHardware:
      return check_hardware(body(link));
    case Request::kNameSet: {
      const uint32_t n = payload.u8();
      const char* name = reinterpret_cast<const char*>(payload.bytes(n));
      FUZZ_CHECK(has.name && n <= kMaxBoardNameBytes && payload.remaining() == 0);
      for (uint32_t i = 0; i < n; ++i) FUZZ_CHECK(name[i] >= ' ' && name[i] != 0x7F);
      name_ = n > 0 ? std::string(name, n) : kFallback;
      return;
    }
    case Request::kLocate:
      FUZZ_CHECK(has.led && server.locating(now_ms_) == (payload.u8() > 0));
      return;
    case Request::kCondition:
      return check_condition(payload.u8(), body(link));
    default:
      return;
  }
}

void BoardUnderTest::check_hardware(ByteReader in) const {
  FUZZ_CHECK(in.remaining() == 20 + kNameField);
  in.u8();
  FUZZ_CHECK(in.u8() == standing());
  in.bytes(18);
  char name[kNameField] = {};
  memcpy(name, name_.data(), name_.size());
  FUZZ_CHECK(memcmp(in.bytes(kNameField), name, kNameField) == 0);
}

void BoardUnderTest::check_condition(uint8_t number, ByteReader in) const {
  int slot = 0;
  for (uint8_t passed = 0; slot < kMaxConditions; ++slot) {
    if (!conditions_[slot].empty() && passed++ == number) break;
  }
  FUZZ_CHECK(slot < kMaxConditions);
  const std::string& given = conditions_[slot];
  FUZZ_CHECK(in.u8() == levels_[slot]);
  FUZZ_CHECK(in.u8() == standing());
  FUZZ_CHECK(in.u16() == 0);
  const uint32_t n = in.remaining();
  FUZZ_CHECK(n == given.size() || (n <= kTextBytes && given.size() > kTextBytes));
  FUZZ_CHECK(given.compare(0, n, reinterpret_cast<const char*>(in.bytes(n)), n) == 0);
}

uint8_t BoardUnderTest::standing() const {
  uint8_t n = 0;
  for (const std::string& text : conditions_) n += text.empty() ? 0 : 1;
  return n;
}

void BoardUnderTest::condition(int slot, uint8_t level, const uint8_t* text, uint32_t length) {
  const std::string bytes(reinterpret_cast<const char*>(text), length);
  const std::string until_zero = bytes.c_str();
  server.set_condition(slot, static_cast<LogLevel>(level), until_zero.c_str());
  if (slot < 0 || slot >= kMaxConditions) return;
  conditions_[slot] = until_zero;
  levels_[slot] = level;
}

void BoardUnderTest::sense(const float sample[3], bool gap) {
  const uint64_t before = device.state().counters.samples;
  const bool feeding = server.feeding();
  server.push_sample(sample, gap);
  const uint64_t counted = feeding || before == kMostSamples ? 0 : 1;
  FUZZ_CHECK(device.state().counters.samples == before + counted);
}

void BoardUnderTest::pass(uint32_t ms) {
  now_ms_ += ms;
  // Events may still go to the one link while the other is dropped.
  bool gone[kMaxLinks];
  for (int i = 0; i < kMaxLinks; ++i) gone[i] = now_ms_ - peers[i].heard_ms > kPeerTimeoutMs;
  server.tick(now_ms_);
  look_at_store();
  for (int i = 0; i < kMaxLinks; ++i) {
    if (gone[i]) close(i);
  }
}

void BoardUnderTest::drop(int link) {
  close(link);
  if (is_gatt(link)) {
    next_piece_ = 0;
    port_.written = GattCharacteristic::kControl;
    gatt_.on_disconnected();
  } else {
    server.drop(link);
  }
}

void BoardUnderTest::look_at_store() {
  if (!has.store || store_.saves() == saves_) return;
  FUZZ_CHECK(store_.saves() == saves_ + 1);
  saves_ = store_.saves();
  saved_ = export_of(device);
}

void BoardUnderTest::check_store(Device* other) {
  if (!has.store) return;
  flash.fails_after = 0;
  StateStore after;
  FUZZ_CHECK(after.begin(&bench_.learned_part, kept.model.id, device.max_image_bytes(), nullptr) ==
             Status::kOk);
  std::vector<uint8_t> memory(device.max_image_bytes());
  const uint32_t n = static_cast<uint32_t>(memory.size());
  const Status status = restore(after, other, memory.data(), n, nullptr);
  FUZZ_CHECK(status == (saved_.empty() ? Status::kNotFound : Status::kOk));
  if (!saved_.empty()) FUZZ_CHECK(export_of(*other) == saved_);
}

void BoardUnderTest::check_name() {
  flash.fails_after = 0;
  BoardName after;
  after.begin(&bench_.name_part, kFallback);
  FUZZ_CHECK(!has.name || name_ == after.text());
}

void BoardUnderTest::check_nothing_learned() const {
  const LearnedState& state = device.state();
  FUZZ_CHECK(state.counters.windows == 0 && state.counters.refused_windows == 0);
  FUZZ_CHECK(state.classes.size == 0 && state.statistics.n_features == 0);
  FUZZ_CHECK(device.changes() == 0 && device.max_image_bytes() == 0);
  FUZZ_CHECK(!server.feeding() && server.alarms().count() == 0);
}

void BoardUnderTest::close(int link) {
  links[link].open = false;
  links[link].shadow->lose();
}

void BoardUnderTest::follow(int link, const std::vector<uint8_t>& image) {
  // Where the count stops, the indices of a stream mean nothing.
  if (device.state().counters.samples > kMostSamples / 2) return;
  links[link].shadow->begin(&kept, image);
}

void BoardUnderTest::check_shadow(int link) {
  Shadow& shadow = *links[link].shadow;
  if (!shadow.follows() || links[link].stuck) return;
  ask(1 - link, static_cast<uint8_t>(Request::kGoodbye), nullptr, 0);  // should it be feeding
  // A gap is told with the sample behind it.
  const uint8_t feed[16] = {1};
  if (server.feeding()) {
    FUZZ_CHECK(ask(link, static_cast<uint8_t>(Request::kFeed), feed, sizeof(feed)));
  } else {
    const float sample[3] = {};
    sense(sample, false);
  }
  // The end of the stream: what is still pending is sent before.
  const uint8_t streams[1] = {0};
  FUZZ_CHECK(ask(link, static_cast<uint8_t>(Request::kStream), streams, 1));
  FUZZ_CHECK(export_of(shadow.complete()) == export_of(device));
}

}  // namespace fuzz
}  // namespace tinyol
