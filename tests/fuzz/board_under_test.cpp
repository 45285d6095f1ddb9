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
constexpr uint32_t kOwnFieldsBytes = 76;  // HELLO's

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
  // The same but for gaps: whoever can cut a link can end its feeding.
  bool still_but_for_gaps(const Device& device) const {
    LearnedState was;
    memcpy(&was, state, sizeof(state));
    was.counters.gaps = device.state().counters.gaps;
    Snapshot before(*this);
    memcpy(before.state, &was, sizeof(state));
    return before.still(device);
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
         (opcode >= 52 && opcode <= 58) || opcode == 66;
}

bool is(uint8_t opcode, Request request) {
  return opcode == static_cast<uint8_t>(request);
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
  FUZZ_CHECK(header.boot_id == kBootId);
  const uint32_t trailer = header.flags != 0 ? kAuthTrailerBytes : 0;
  if (header.kind == MessageKind::kReply) {
    ++n_replies;
    const bool repeated = sent == std::vector<uint8_t>(message, message + length);
    sent.assign(message, message + length);
    reply.assign(message, message + length - trailer);
    const bool ends =
        is(header.opcode, Request::kPair) || is(header.opcode, Request::kFactoryReset);
    if (ends && !repeated && status_of(reply) == Status::kOk) board->reply_ends_authentication();
  } else {
    FUZZ_CHECK(header.kind == MessageKind::kEvent);
    check_event(header, payload, length, message);
    const Event event = static_cast<Event>(header.opcode);
    if (event == Event::kPrediction) check_prediction(payload);
    if (event == Event::kNotice) check_notice(payload);
    if (stuck) shadow->lose();
    shadow->take(event, payload);
  }
  return !stuck;
}

// In a live session it has its MAC, and nobody is told who may not read.
void CheckedLink::check_event(const MessageHeader& header, ByteReader payload, uint32_t length,
                              const uint8_t* message) {
  ++access->events;
  FUZZ_CHECK(open && header.session == id);
  FUZZ_CHECK(header.sequence == static_cast<uint16_t>(access->events));
  if (header.flags != 0) {
    FUZZ_CHECK(access->live() && access->is_right(access->events, nullptr, message, length));
  } else {
    FUZZ_CHECK(!access->live());
  }
  FUZZ_CHECK(board->may_read(access == &board->access[0] ? 0 : 1));
  FUZZ_CHECK(payload.remaining() > 0);
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
  ServerParts parts;
  parts.store = has.store ? &store : nullptr;
  parts.name = has.name ? &name : nullptr;
  parts.key = has.key ? &key : nullptr;
  parts.random = has.key ? &random : nullptr;
  booted.begin(&device, identity, staging.data(), staging.length(), parts);
}

Bench& bench(uint32_t index) {
  static Bench* const benches[] = {new Bench(&kept_model(0), {true, true, true, false, true}),
                                   new Bench(&kept_model(1), {true, false, false, true, true}),
                                   new Bench(&kept_model(0), {false, false, true, true, true}),
                                   new Bench(&kept_model(0), {true, true, true, false, false})};
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
  bench->undo.resize(boot(&device, &kept, has.model));
  device.keep_undo(bench->undo.data(), static_cast<uint32_t>(bench->undo.size()));
  flash.wipe();
  BoardRegion& region = bench->region;
  region.begin(&flash);
  bench->name.begin(&region.name, kFallback);
  bench->key.begin(&region.key);
  uint8_t seed[kSeedBytes];
  for (uint32_t i = 0; i < kSeedBytes; ++i) seed[i] = static_cast<uint8_t>(i);
  bench->random.begin(RandomSource::kHost, seed);
  key_.kept = has.key;
  key_.random = has.key;
  if (has.name) name_ = kFallback;
  if (has.store) {
    FUZZ_CHECK(store_.begin(&region.learned, kept.model.id, device.max_image_bytes(), nullptr) ==
               Status::kOk);
  }
  for (int i = 0; i < kMaxLinks; ++i) {
    links[i].board = this;
    links[i].access = &access[i];
    access[i].physical = true;
    links[i].shadow = &bench->shadows[i];
    links[i].shadow->lose();
    server.attach(i, &links[i]);
  }
}

void BoardUnderTest::use_gatt(uint32_t room) {
  access[1].physical = false;
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
  header.sequence = static_cast<uint16_t>(access[link].executed + 1);
  header.boot_id = kBootId;
  return header;
}

bool BoardUnderTest::ask(int link, uint8_t opcode, const uint8_t* payload, uint32_t length) {
  uint8_t message[kMaxMessageBytes];
  ByteWriter out(message, sizeof(message));
  begin_message(&out, next_request(link, opcode));
  const uint32_t room = kMaxMessageBytes - kMessageHeaderBytes - kAuthTrailerBytes;
  if (length > 0) out.bytes(payload, length < room ? length : room);
  uint32_t n = end_message(&out);
  const bool sealed = access[link].live() || is(opcode, Request::kAuthenticate);
  if (sealed && !is(opcode, Request::kHello)) n = seal(link, kToDevice, 0, message, n);
  const uint32_t before = links[link].n_replies;
  receive_message(link, message, n);
  return links[link].n_replies > before && status_of(links[link].reply) == Status::kOk;
}

uint32_t BoardUnderTest::seal(int link, uint8_t direction, uint64_t beyond, uint8_t* message,
                              uint32_t length) const {
  message[3] |= kFlagAuthenticated;
  const uint16_t sequence = static_cast<uint16_t>(message[6] | message[7] << 8);
  access[link].seal(direction, access[link].number_of(sequence) + beyond, message, length);
  return length + kAuthTrailerBytes;
}

bool BoardUnderTest::authenticate(int link, uint8_t challenge) {
  uint8_t bytes[kChallengeBytes];
  memset(bytes, challenge, sizeof(bytes));
  return ask(link, static_cast<uint8_t>(Request::kChallenge), bytes, sizeof(bytes)) &&
         ask(link, static_cast<uint8_t>(Request::kAuthenticate), nullptr, 0);
}

void BoardUnderTest::pair() {
  const uint8_t first[4] = {};
  const bool physical = access[0].physical;
  access[0].physical = true;
  FUZZ_CHECK(ask(0, static_cast<uint8_t>(Request::kPair), first, sizeof(first)) == has.key);
  access[0].physical = physical;
}

void BoardUnderTest::reply_ends_authentication() {
  for (AccessShadow& each : access) each.forget();
}

bool BoardUnderTest::may_read(int link) const {
  return access[link].physical || key_.reading_open || access[link].live();
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
  if (request && access[link].stale(now_ms())) lapse(link);
  const bool hello = request && is(header.opcode, Request::kHello);
  const bool good_hello = hello && payload.remaining() == 16 && header.flags == 0;
  // A HELLO of another session first of all ends the old one.
  if (good_hello) {
    ByteReader reader = payload;
    if (peers[link].nonce != reader.u64() || !peers[link].known) {
      close(link);
      access[link].begin_session();
    }
  }
  const bool in_session = request && !hello && header.boot_id == kBootId && links[link].open &&
                          header.session == links[link].id;
  const AccessShadow::Verdict verdict = in_session
                                            ? access[link].judge(header, message, length, now_ms())
                                            : AccessShadow::Verdict::kHeard;
  const bool heard = verdict == AccessShadow::Verdict::kHeard;
  const bool sealed = request && in_session && heard && header.flags != 0;
  const std::vector<uint8_t> mac(sealed ? message + length - kAuthTrailerBytes : message,
                                 sealed ? message + length : message);
  const Status need = request ? access[link].allowed(key_, header.opcode) : Status::kOk;
  const bool by_touch = access[link].physical && is(header.opcode, Request::kFactoryReset);
  const bool was_paired = key_.paired;
  if (sealed && recorded.size() < kMostRecorded) recorded.emplace_back(message, message + length);
  const bool due = hello ? good_hello : request && verdict != AccessShadow::Verdict::kIgnored;
  if (value != nullptr) {
    gatt_.on_write(port_.written, value, value_bytes, now_ms_);
  } else {
    server.receive(link, message, length, now_ms_);
  }
  const bool unchanged = before.still(device);
  // What all of it is for.
  if (was_paired && !sealed && !by_touch) FUZZ_CHECK(before.still_but_for_gaps(device));
  look_at_store();
  const bool names = request && (is(header.opcode, Request::kNameSet) ||
                                 is(header.opcode, Request::kFactoryReset));
  FUZZ_CHECK(!has.name || names || name_ == bench_.name.text());
  FUZZ_CHECK(links[1 - link].n_replies == other_replies);
  FUZZ_CHECK(links[link].n_replies == replies + (due ? 1 : 0));
  if (!due) {
    FUZZ_CHECK(unchanged);
    return;
  }
  const std::vector<uint8_t>& reply = links[link].sent;
  MessageHeader answer;
  ByteReader in;
  FUZZ_CHECK(parse_message(reply.data(), static_cast<uint32_t>(reply.size()), &answer, &in));
  FUZZ_CHECK(answer.sequence == header.sequence);
  FUZZ_CHECK(in.remaining() >= 12);
  if (hello) {
    check_hello(link, answer, payload);
  } else if (!heard) {
    FUZZ_CHECK(unchanged && answer.flags == 0 && reply[2] == header.opcode);
    check_unheard(link, verdict);
  } else {
    // An AUTHENTICATE with the right MAC, refused for what else is in it, leaves no live session.
    const bool in_vain = is(header.opcode, Request::kAuthenticate) && answer.flags == 0 &&
                         status_of(links[link].reply) == Status::kMalformed;
    const bool expected = sealed && !in_vain;
    FUZZ_CHECK(answer.flags == (expected ? kFlagAuthenticated : 0) ||
               (!links[link].reply.empty() && links[link].sent == peers[link].remembered));
    check_reply(link, header, payload, unchanged, expected ? mac.data() : nullptr, need);
  }
}

void BoardUnderTest::check_unheard(int link, AccessShadow::Verdict verdict) const {
  const Status status = status_of(links[link].reply);
  ByteReader in = body(link);
  FUZZ_CHECK(in.remaining() == kRefusalBytes);
  in.bytes(sizeof(Refusal::where));
  if (verdict == AccessShadow::Verdict::kLocked) {
    FUZZ_CHECK(status == Status::kLocked && in.u32() > 0);
  } else {
    FUZZ_CHECK(status == Status::kNotAuthenticated);
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
    wire.id = answer.session;
  }
  FUZZ_CHECK(answer.session == wire.id);
  check_identity(link, body(link));
  peer.known = true;
  peer.nonce = nonce;
  peer.heard_ms = now_ms();
  wire.open = true;
}

void BoardUnderTest::check_identity(int link, ByteReader in) const {
  FUZZ_CHECK(in.remaining() == kOwnFieldsBytes);
  FUZZ_CHECK(in.u16() == static_cast<uint16_t>(access[link].executed));
  FUZZ_CHECK(in.u16() == links[link].limit);
  in.u32();
  FUZZ_CHECK(((in.u32() & kCapabilityModel) != 0) == has.model);
  in.bytes(in.remaining() - 12);
  check_access(link, in);
}

void BoardUnderTest::check_access(int link, ByteReader in) const {
  const int flags = (key_.paired ? 1 : 0) | (access[link].live() ? 2 : 0) |
                    (access[link].physical ? 4 : 0) | (key_.reading_open ? 0 : 8);
  FUZZ_CHECK(in.u8() == flags);
  in.bytes(3);
  uint8_t id[kKeyIdBytes];
  key_.id(id);
  FUZZ_CHECK(memcmp(in.bytes(kKeyIdBytes), id, kKeyIdBytes) == 0);
}

void BoardUnderTest::check_reply(int link, const MessageHeader& header, ByteReader payload,
                                 bool unchanged, const uint8_t* mac, Status need) {
  CheckedLink& wire = links[link];
  Peer& peer = peers[link];
  const std::vector<uint8_t>& reply = wire.reply;
  const Status status = status_of(reply);
  ByteReader in = body(link);
  const bool in_session = header.boot_id == kBootId && wire.open && header.session == wire.id;
  if (in_session) peer.heard_ms = now_ms();
  const uint64_t number = access[link].number_of(header.sequence);
  const uint64_t due = access[link].executed + 1;
  if (in_session && number + 1 == due && !peer.remembered.empty()) {
    FUZZ_CHECK(wire.sent == peer.remembered);
    FUZZ_CHECK(unchanged);
    return;
  }
  if (mac != nullptr) {
    const uint32_t n = static_cast<uint32_t>(wire.sent.size());
    FUZZ_CHECK(access[link].is_right(number, mac, wire.sent.data(), n));
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
  } else if (number != due) {
    FUZZ_CHECK(status == Status::kBadSequence && in.u32() == static_cast<uint16_t>(due));
  } else {
    access[link].was_executed(now_ms());
    peer.remembered = wire.sent;
    if (need != Status::kOk) {
      FUZZ_CHECK(status == need);
    } else {
      const bool locked = is(header.opcode, Request::kChallenge) && access[link].locked(now_ms());
      FUZZ_CHECK(status == Status::kUnknownRequest || status == Status::kFlash ||
                 (status <= Status::kOk && status >= Status::kBusy) ||
                 (locked && status == Status::kLocked));
      FUZZ_CHECK(!has.model || status != Status::kNoModel);
      if (!has.model && status != Status::kUnknownRequest) {
        FUZZ_CHECK((status == Status::kNoModel) == is_about_learning(header.opcode));
      }
    }
    if (status == Status::kOk) check_granted(link, static_cast<Request>(header.opcode), payload);
    if (is(header.opcode, Request::kFactoryReset)) check_reset_to_factory(status);
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
    case Request::kChallenge: {
      ByteReader in = body(link);
      FUZZ_CHECK(in.remaining() == kChallengeBytes && key_.random);
      return access[link].was_challenged(key_, payload.here(), in.here(), links[link].id, kBootId);
    }
    case Request::kAuthenticate:
      access[link].was_authenticated();
      return check_identity(link, body(link));
    case Request::kAccess: {
      ByteReader in = body(link);
      FUZZ_CHECK(in.remaining() == 28);
      return check_access(link, in);
    }
    case Request::kAccessSet:
      FUZZ_CHECK(key_.paired);
      key_.reading_open = payload.u8() == 0;
      for (int i = 0; i < kMaxLinks; ++i) {
        if (!may_read(i)) links[i].shadow->lose();
      }
      return;
    case Request::kPair: {
      const bool rotates = payload.u8() != 0;
      ByteReader in = body(link);
      FUZZ_CHECK(key_.kept && key_.paired == rotates && in.remaining() == kKeyBytes);
      FUZZ_CHECK(memcmp(in.here(), key_.key, kKeyBytes) != 0);
      memcpy(key_.key, in.here(), kKeyBytes);
      key_.paired = true;
      ++key_.pairings;
      return close(1 - link);
    }
    case Request::kFactoryReset:
      return close(1 - link);
    case Request::kCondition:
      return check_condition(payload.u8(), body(link));
    default:
      return;
  }
}

// What is learned goes first and the key last, so that what is left has its key.
void BoardUnderTest::check_reset_to_factory(Status status) {
  if (status == Status::kFlash) half_reset_ = true;
  if (has.name && status == Status::kFlash) name_ = bench_.name.text();
  if (status != Status::kOk) return;
  const bool random = key_.random;
  key_ = KeyShadow();
  key_.kept = key_.random = random;
  saved_.clear();
  half_reset_ = false;
  if (has.name) name_ = kFallback;
  FUZZ_CHECK(!has.key || !bench_.key.paired());
  FUZZ_CHECK(device.state().counters.windows == 0 && device.state().classes.size == 0);
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
  passed_ms_ += ms;
  // Events may still go to the one link while the other is dropped.
  bool gone[kMaxLinks];
  for (int i = 0; i < kMaxLinks; ++i) gone[i] = now_ms() - peers[i].heard_ms > kPeerTimeoutMs;
  server.tick(now_ms_);
  for (int i = 0; i < kMaxLinks; ++i) {
    if (access[i].stale(now_ms())) lapse(i);
  }
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
  FUZZ_CHECK(after.begin(&bench_.region.learned, kept.model.id, device.max_image_bytes(),
                         nullptr) == Status::kOk);
  std::vector<uint8_t> memory(device.max_image_bytes());
  const uint32_t n = static_cast<uint32_t>(memory.size());
  const Status status = restore(after, other, memory.data(), n, nullptr);
  if (half_reset_ && status == Status::kNotFound) return;
  FUZZ_CHECK(status == (saved_.empty() ? Status::kNotFound : Status::kOk));
  if (!saved_.empty()) FUZZ_CHECK(export_of(*other) == saved_);
}

void BoardUnderTest::check_name() {
  flash.fails_after = 0;
  BoardName after;
  after.begin(&bench_.region.name, kFallback);
  FUZZ_CHECK(!has.name || half_reset_ || name_ == after.text());
}

void BoardUnderTest::check_key() {
  FUZZ_CHECK(has.key || !key_.paired);
  if (!has.key) return;
  flash.fails_after = 0;
  DeviceKey after;
  after.begin(&bench_.region.key);
  if (half_reset_ && !after.paired()) return;
  FUZZ_CHECK(after.paired() == key_.paired && after.pairings() == key_.pairings);
  FUZZ_CHECK(memcmp(after.key(), key_.key, kKeyBytes) == 0);
  FUZZ_CHECK(after.reading_open() == key_.reading_open);
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
  // A key is not kept longer than it takes to hand it over.
  std::vector<uint8_t>& remembered = peers[link].remembered;
  if (!remembered.empty() && is(remembered[2], Request::kPair)) remembered.clear();
}

// A live session that nobody used.
void BoardUnderTest::lapse(int link) {
  access[link].expire(now_ms());
  close(link);
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
