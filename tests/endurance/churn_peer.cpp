#include "churn_peer.h"

#include <string.h>

#include "check.h"
#include "tinyol/xorshift.h"

namespace tinyol {
namespace endurance {
namespace {

constexpr int kPatience = 200;  // tries; only a fault of the board's can use them up

Status status_of(const Bytes& reply) {
  return static_cast<Status>(static_cast<int8_t>(reply[kMessageHeaderBytes]));
}

}  // namespace

ChurnPeer::ChurnPeer(ChurnBoard* board, int link, uint32_t seed)
    : board_(*board), link_(link), random_(seed) {
  leave();
}

uint32_t ChurnPeer::draw(uint32_t n) {
  return draw_below(n, &random_);
}

void ChurnPeer::leave() {
  nonce_ = (uint64_t{xorshift32(&random_)} << 32) | xorshift32(&random_);
  session_ = 0;
  number_ = events_ = 0;
  auth_.forget();
}

Bytes ChurnPeer::request(Request opcode, const Bytes& payload, bool sealed) {
  MessageHeader header;
  header.opcode = static_cast<uint8_t>(opcode);
  header.flags = sealed ? kFlagAuthenticated : 0;
  header.session = session_;
  header.sequence = static_cast<uint16_t>(number_);
  header.boot_id = boot_id_;
  Bytes message(kMaxMessageBytes);
  ByteWriter out(message.data(), kMaxMessageBytes - kAuthTrailerBytes);
  begin_message(&out, header);
  out.bytes(payload.data(), static_cast<uint32_t>(payload.size()));
  uint32_t length = end_message(&out);
  if (sealed) {
    auth_.seal(Direction::kToDevice, number_, message.data(), length);
    length += kAuthTrailerBytes;
  }
  message.resize(length);
  return message;
}

// Of what came: events are counted, and the reply to `asked` is found.
void ChurnPeer::take_events(const std::vector<Bytes>& came, const Bytes& asked, bool sealed,
                            Bytes* reply) {
  for (const Bytes& message : came) {
    MessageHeader header;
    ByteReader payload;
    const uint32_t length = static_cast<uint32_t>(message.size());
    FUZZ_CHECK(parse_message(message.data(), length, &header, &payload));
    const bool has_mac = (header.flags & kFlagAuthenticated) != 0;
    if (header.kind == MessageKind::kEvent) {
      if (header.session != session_ || header.boot_id != boot_id_) continue;
      if (auth_.live() && !has_mac) continue;  // the session is over, as this host will learn
      const int16_t ahead = static_cast<int16_t>(header.sequence - static_cast<uint16_t>(events_));
      FUZZ_CHECK(ahead > 0);  // none comes twice
      events_ += static_cast<uint64_t>(ahead);
      FUZZ_CHECK(!has_mac || auth_.verify(Direction::kToHost, events_, message.data(), length));
      ++counts_.events;
      continue;
    }
    if (header.opcode != asked[kMessageOpcodeAt] || memcmp(&message[6], &asked[6], 2) != 0)
      continue;
    if (has_mac) {
      FUZZ_CHECK(sealed);
      Bytes again(message);
      auth_.seal(Direction::kToHost, number_, again.data(), length - kAuthTrailerBytes,
                 asked.data() + asked.size() - kAuthTrailerBytes);
      FUZZ_CHECK(again == message);
    }
    *reply = message;
  }
}

bool ChurnPeer::exchange(const Bytes& message, Bytes* reply, bool sealed) {
  Wire& wire = board_.wire(link_);
  reply->clear();
  if (!connected_) return false;
  wire.write(message, board_.now_ms);
  board_.pass(1 + draw(20));
  take_events(wire.take(), message, sealed, reply);
  if (!reply->empty()) return true;
  if (wire.whole()) board_.pass(500);
  return false;
}

// The cable is back, the radio in range: the board may or may not have noticed that it was gone.
void ChurnPeer::reconnect() {
  Wire& wire = board_.wire(link_);
  if (connected_ && wire.whole()) return;
  if (connected_) {
    ++counts_.cuts;
    // A host gives up after 15 s: not always is it soon enough for the session to go on.
    board_.pass(patient ? draw(5000) : draw(16) == 0 ? 40000 : draw(14000));
    if (draw(2) == 0) wire.unplug();
  }
  wire.plug();
  connected_ = true;
  ++counts_.connects;
}

bool ChurnPeer::connect() {
  for (int tries = 0; tries < kPatience; ++tries) {
    reconnect();
    Bytes payload(16);
    memcpy(payload.data(), &nonce_, sizeof(nonce_));
    const uint64_t number = number_;
    number_ = 0;
    const Bytes hello = request(Request::kHello, payload, false);
    number_ = number;
    Bytes reply;
    if (!exchange(hello, &reply, false)) continue;
    FUZZ_CHECK(status_of(reply) == Status::kOk);
    MessageHeader header;
    ByteReader in;
    parse_message(reply.data(), static_cast<uint32_t>(reply.size()), &header, &in);
    const bool same = header.session == session_ && header.boot_id == boot_id_;
    session_ = header.session;
    boot_id_ = header.boot_id;
    if (!same) {
      number_ = events_ = 0;
      auth_.forget();
    }
    return same;
  }
  FUZZ_CHECK(false);
  return false;
}

bool ChurnPeer::challenge() {
  Bytes own(kChallengeBytes);
  for (uint8_t& byte : own) byte = static_cast<uint8_t>(xorshift32(&random_));
  Bytes body;
  if (ask(Request::kChallenge, own, &body) != Told::kDone) return false;
  auth_.challenge(key_.data(), own.data(), body.data(), session_, boot_id_);
  return true;
}

void ChurnPeer::authenticate() {
  for (int tries = 0; tries < kPatience; ++tries) {
    ++counts_.handshakes;
    if (challenge() && ask(Request::kAuthenticate, Bytes()) == Told::kDone) return;
    board_.pass(1000);  // locked, perhaps: somebody has guessed
    leave();
  }
  FUZZ_CHECK(false);
}

void ChurnPeer::guess() {
  leave();
  const Bytes right = key_;
  for (uint8_t& byte : key_) byte = static_cast<uint8_t>(xorshift32(&random_));
  if (challenge()) FUZZ_CHECK(ask(Request::kAuthenticate, Bytes()) != Told::kDone);
  key_ = right;
  ++counts_.guesses;
  leave();
}

Told ChurnPeer::ask(Request opcode, const Bytes& payload, Bytes* body) {
  const bool shows = opcode == Request::kChallenge || opcode == Request::kAuthenticate;
  if (session_ == 0 || !connected_) {
    if (!connect() && opcode == Request::kAuthenticate) return Told::kNotKnown;
  }
  if (!key_.empty() && !auth_.live() && !shows) authenticate();
  const bool sealed = auth_.live() || opcode == Request::kAuthenticate;
  ++number_;
  const Bytes message = request(opcode, payload, sealed);
  ++counts_.requests;
  for (int tries = 0; tries < kPatience; ++tries) {
    Bytes reply;
    if (tries > 0) ++counts_.repeats;
    if (!exchange(message, &reply, sealed)) {
      if ((patient || draw(200) != 0) && connect()) continue;
      leave();
      ++counts_.not_known;
      return Told::kNotKnown;
    }
    const Status status = status_of(reply);
    const bool has_mac = (reply[kMessageFlagsAt] & kFlagAuthenticated) != 0;
    const bool over = status == Status::kRebooted || status == Status::kNoSession;
    // Where a seal is due, what has none is never taken for an answer.
    FUZZ_CHECK(has_mac || !sealed || over || status == Status::kNotAuthenticated ||
               status == Status::kLocked);
    if (over || has_mac != sealed) {
      // Silent for too long: the board has closed the session, but it may go on.
      if (status == Status::kNoSession && connect()) continue;
      leave();
      ++counts_.not_known;
      return Told::kNotKnown;
    }
    FUZZ_CHECK(status != Status::kBadSequence);
    if (opcode == Request::kAuthenticate && status == Status::kOk) auth_.confirm();
    if (body != nullptr) {
      const uint32_t behind = has_mac ? kAuthTrailerBytes : 0;
      body->assign(reply.begin() + kMessageHeaderBytes + kOutcomeBytes, reply.end() - behind);
    }
    return status == Status::kOk ? Told::kDone : Told::kRefused;
  }
  FUZZ_CHECK(false);
  return Told::kNotKnown;
}

}  // namespace endurance
}  // namespace tinyol
