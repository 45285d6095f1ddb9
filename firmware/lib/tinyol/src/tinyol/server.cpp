#include "tinyol/server.h"

#include <string.h>

#include "tinyol/count_up.h"
#include "tinyol/net_self_test.h"
#include "tinyol/self_test.h"

namespace tinyol {
namespace {

MessageHeader reply_header(const MessageHeader& request, uint16_t session, uint32_t boot_id) {
  MessageHeader header = request;
  header.kind = MessageKind::kReply;
  header.flags = 0;
  header.session = session;
  header.boot_id = boot_id;
  return header;
}

// Every reply begins so: i8 status, u8[3] 0, u64 index of the next sample.
void write_outcome(ByteWriter* out, Status status, uint64_t samples) {
  out->u8(static_cast<uint8_t>(static_cast<int8_t>(status)));
  for (int i = 0; i < 3; ++i) out->u8(0);
  out->u64(samples);
}

void write_refusal(ByteWriter* out, const Refusal& refusal) {
  out->bytes(refusal.where, sizeof(refusal.where));
  out->u32(refusal.need);
  out->u32(refusal.have);
}

}  // namespace

void Server::begin(Device* device, const ServerIdentity& identity, uint8_t* staging,
                   uint32_t staging_bytes, const ServerParts& parts) {
  device_ = device;
  identity_ = identity;
  staging_ = staging;
  staging_bytes_ = staging_bytes;
  store_ = parts.store;
  learned_ = parts.learned;
  name_ = parts.name;
  key_ = parts.key;
  random_ = parts.random;
  autosave_.saved(device->changes());
  for (uint64_t& index : logged_at_) index = 0 - kLogEverySamples;
  self_test_ = run_self_test().passed() ? kSelfTestArithmetic : 0;
  if (!device->loaded() ||
      run_net_self_test(device->learner().net(), device->model().golden).passed()) {
    self_test_ |= kSelfTestNet;
  }
}

void Server::attach(int link_index, Link* link) {
  sessions_[link_index].link = link;
}

void Server::receive(int link_index, const uint8_t* message, uint32_t length, uint32_t now_ms) {
  MessageHeader header;
  ByteReader payload;
  if (!parse_message(message, length, &header, &payload) || header.kind != MessageKind::kRequest) {
    count_up(&counters_.malformed);
    return;
  }
  LinkSession& session = sessions_[link_index];
  end_lapsed(link_index, now_ms);
  if (header.opcode == static_cast<uint8_t>(Request::kHello)) {
    hello(link_index, header, payload, now_ms);
    return;
  }
  if (header.boot_id != identity_.boot_id) {
    answer_out_of_order(link_index, header, Status::kRebooted);
    return;
  }
  if (!session.open || header.session != session.id) {
    answer_out_of_order(link_index, header, Status::kNoSession);
    return;
  }
  if (!authentic(link_index, header, message, length, now_ms)) return;
  const bool sealed = (header.flags & kFlagAuthenticated) != 0;
  const uint8_t* mac = sealed ? message + length - kAuthTrailerBytes : nullptr;
  session.heard_ms = now_ms;
  const uint64_t number = session.number_of(header.sequence);
  if (number == session.executed && session.reply_bytes > 0) {
    count_up(&counters_.repeated);
    session.link->send(session.reply, session.reply_bytes);
    return;
  }
  if (number != session.executed + 1) {
    answer_out_of_order(link_index, header, Status::kBadSequence, mac);
    return;
  }
  session.executed = number;
  session.renewed_ms = now_ms;
  reply_to(link_index, header, payload, mac);
}

void Server::hello(int link_index, const MessageHeader& header, ByteReader payload,
                   uint32_t now_ms) {
  const uint64_t nonce = payload.u64();
  payload.u64();  // the peer's UTC in ms: for records, never for learning
  if (!payload.ok() || payload.remaining() != 0 || header.flags != 0) {
    count_up(&counters_.malformed);
    return;
  }
  LinkSession& session = sessions_[link_index];
  // The same nonce: the peer is back after a cut, or its first HELLO was answered in vain. The
  // session goes on, and with it the memory of what was executed.
  if (session.id == 0 || session.nonce != nonce) {
    drop(link_index);
    session.nonce = nonce;
    session.id = next_session_++;
    if (next_session_ == 0) next_session_ = 1;
    session.executed = 0;
    session.forget_reply();
    session.events = 0;
    session.untold_gaps = 0;
    session.auth.forget();
  }
  session.open = true;
  session.heard_ms = now_ms;

  uint8_t reply[kMinMessageBytes];
  ByteWriter out(reply, sizeof(reply));
  begin_message(&out, reply_header(header, session.id, identity_.boot_id));
  write_outcome(&out, Status::kOk, device_->state().counters.samples);
  write_identity(session, &out);
  session.link->send(reply, end_message(&out));
}

void Server::answer_out_of_order(int link_index, const MessageHeader& header, Status status,
                                 const uint8_t* mac) {
  const LinkSession& session = sessions_[link_index];
  Refusal refusal;
  refuse(&refusal, status, "sequence", static_cast<uint16_t>(session.executed + 1),
         header.sequence);
  answer_unheard(link_index, header, refusal, mac);
}

// To a request that leaves everything as it is. `mac`: its own, if that was right; else the answer
// has none either.
void Server::answer_unheard(int link_index, const MessageHeader& header, const Refusal& refusal,
                            const uint8_t* mac) {
  const LinkSession& session = sessions_[link_index];
  count_up(&counters_.refused);
  uint8_t reply[kMinMessageBytes];
  ByteWriter out(reply, sizeof(reply));
  begin_message(&out, reply_header(header, session.id, identity_.boot_id));
  write_outcome(&out, refusal.status, device_->state().counters.samples);
  write_refusal(&out, refusal);
  uint32_t length = end_message(&out);
  if (mac != nullptr) {
    length = session.seal(session.number_of(header.sequence), reply, length, mac);
  }
  session.link->send(reply, length);
}

void Server::reply_to(int link_index, const MessageHeader& header, ByteReader payload,
                      const uint8_t* mac) {
  LinkSession& session = sessions_[link_index];
  // The body goes to its place behind the outcome; the outcome is known only afterwards. The
  // trailer's room is left free in any session, so that what fits is the same.
  uint8_t body[kMaxMessageBytes - kMessageHeaderBytes - kOutcomeBytes - kAuthTrailerBytes];
  const uint32_t longest = session.max_message() - kAuthTrailerBytes;
  ByteWriter body_out(body, longest - kMessageHeaderBytes - kOutcomeBytes);
  Refusal refusal;
  Status status = execute_allowed(link_index, header.opcode, &payload, &body_out, &refusal);
  if (status == Status::kOk && !body_out.ok()) {
    status =
        refuse(&refusal, Status::kFull, "reply", kMaxMessageBytes - kAuthTrailerBytes, longest);
  }

  session.forget_reply();
  ByteWriter out(session.reply, sizeof(session.reply));
  begin_message(&out, reply_header(header, session.id, identity_.boot_id));
  write_outcome(&out, status, device_->state().counters.samples);
  if (status == Status::kOk) {
    out.bytes(body, body_out.length());
  } else {
    count_up(&counters_.refused);
    write_refusal(&out, refusal);
  }
  session.reply_bytes = session.seal(session.executed, session.reply, end_message(&out), mac);
  session.link->send(session.reply, session.reply_bytes);

  const Request request = static_cast<Request>(header.opcode);
  if (status == Status::kOk && (request == Request::kPair || request == Request::kFactoryReset)) {
    wipe(body, sizeof(body));
    end_authentication(link_index);  // with the reply: that had to be sealed as the request was
  }
}

void Server::drop(int link_index) {
  LinkSession& session = sessions_[link_index];
  if (session.open) autosave_.peer_left();
  session.open = false;
  session.streams = 0;
  if (session.reply_has_key()) session.forget_reply();
  if (feeder_ == link_index) {
    feeder_ = kNobody;
    mark_gap();
    tell_changed(link_index, static_cast<uint8_t>(Request::kFeedEnd), nullptr, 0);
  }
  if (transfer_link_ == link_index) end_transfer();
}

void Server::tick(uint32_t now_ms) {
  for (int i = 0; i < kMaxLinks; ++i) {
    sessions_[i].failures.wait_ms(now_ms);  // ends a lock that the clock would else begin anew
    end_lapsed(i, now_ms);
    // The difference stays right when the clock wraps; it is negative when a message came in
    // after the caller had read the clock.
    const int32_t silent_ms = static_cast<int32_t>(now_ms - sessions_[i].heard_ms);
    if (sessions_[i].open && silent_ms > static_cast<int32_t>(kPeerTimeoutMs)) {
      count_up(&counters_.lost_peers);
      drop(i);
      log_once_in_a_while(LogKind::kPeerLost);
    }
  }
  end_locating(now_ms);
  save_if_due(now_ms);
}

}  // namespace tinyol
