// Who is asking, and may they: messages of live sessions are checked, requests are let through or
// refused, and the board's key is made, shown to be known, and forgotten. Payloads:
// docs/wire-protocol.md.
#include "tinyol/access_rules.h"
#include "tinyol/count_up.h"
#include "tinyol/request_payload.h"
#include "tinyol/secret_bytes.h"
#include "tinyol/server.h"

namespace tinyol {
namespace {

constexpr uint32_t kFactoryResetMagic = 0x54455352;  // "RSET"

bool all_zero(const uint8_t* bytes, uint32_t length) {
  uint8_t any = 0;
  for (uint32_t i = 0; i < length; ++i) any |= bytes[i];
  return any == 0;
}

}  // namespace

// Whether the message may be looked at further; else it has been answered, or must not be. Nothing
// of the session changes: what fails here may be anybody's.
bool Server::authentic(int link_index, const MessageHeader& header, const uint8_t* message,
                       uint32_t length, uint32_t now_ms) {
  LinkSession& session = sessions_[link_index];
  const bool live = session.auth.live();
  const bool begins = header.opcode == static_cast<uint8_t>(Request::kAuthenticate) && !live;
  const bool sealed = (header.flags & kFlagAuthenticated) != 0;
  if (!sealed && !live && !begins) return true;

  const uint32_t locked_ms = session.failures.wait_ms(now_ms);
  Refusal refusal;
  if (begins && locked_ms > 0) {
    refuse(&refusal, Status::kLocked, "key", locked_ms);
    answer_unheard(link_index, header, refusal);
    return false;
  }
  const bool checked = sealed && (live || (begins && session.auth.challenged()));
  if (checked && session.auth.verify(Direction::kToDevice, session.number_of(header.sequence),
                                     message, length)) {
    return true;
  }
  count_up(&counters_.wrong_macs);
  log_once_in_a_while(LogKind::kWrongMac);
  if (checked) {
    if (locked_ms > 0) return false;
    session.failures.failed(now_ms);
    if (begins) session.auth.forget();  // one try a challenge
  }
  refuse(&refusal, Status::kNotAuthenticated, "mac");
  answer_unheard(link_index, header, refusal);
  return false;
}

bool Server::may_read(const LinkSession& session) const {
  return key_ == nullptr || key_->reading_open() || session.link->is_physical() ||
         session.auth.live();
}

Status Server::check_access(const LinkSession& session, Request request, Refusal* refusal) {
  const bool paired = key_ != nullptr && key_->paired();
  const bool physical = session.link->is_physical();
  switch (access_need(request)) {
    case AccessNeed::kNothing:
      return Status::kOk;
    case AccessNeed::kReading:
      if (may_read(session)) return Status::kOk;
      return refuse(refusal, Status::kNotAuthenticated, "reading");
    case AccessNeed::kChange:
      if (session.auth.live() || (physical && !paired)) return Status::kOk;
      count_up(&counters_.no_key);
      log_once_in_a_while(LogKind::kNoKey);
      return refuse(refusal, Status::kNotAuthenticated, paired ? "key" : "pair");
    case AccessNeed::kPhysical:
      if (physical) return Status::kOk;
      return refuse(refusal, Status::kNotPhysical, "usb");
  }
  return Status::kOk;
}

Status Server::execute_allowed(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                               Refusal* refusal) {
  LinkSession& session = sessions_[link_index];
  const Request request = static_cast<Request>(opcode);
  const Status status = check_access(session, request, refusal);
  if (status != Status::kOk) return status;
  switch (request) {
    case Request::kChallenge:
      return challenge(&session, in, out, refusal);
    case Request::kAuthenticate:
      if (!complete(*in)) return malformed(refusal);
      session.auth.confirm();  // its MAC was right: authentic() lets no other pass
      session.failures.succeeded();
      write_identity(session, out);  // once more, and now nobody can have changed it
      return Status::kOk;
    case Request::kAccess:
      if (!complete(*in)) return malformed(refusal);
      write_access(&session, out);
      return Status::kOk;
    case Request::kAccessSet:
      return set_access(in, refusal);
    case Request::kPair:
      return pair(in, out, refusal);
    case Request::kFactoryReset:
      return reset_to_factory(link_index, in, refusal);
    default:
      return execute(link_index, opcode, in, out, refusal);
  }
}

Status Server::challenge(LinkSession* session, ByteReader* in, ByteWriter* out, Refusal* refusal) {
  const uint8_t* host = in->bytes(kChallengeBytes);
  if (!complete(*in)) return malformed(refusal);
  if (session->auth.live()) return refuse(refusal, Status::kExists, "session");
  if (key_ == nullptr || !key_->paired()) return refuse(refusal, Status::kNotFound, "key");
  const uint32_t locked_ms = session->failures.wait_ms(session->heard_ms);
  if (locked_ms > 0) return refuse(refusal, Status::kLocked, "key", locked_ms);
  uint8_t own[kChallengeBytes];
  if (random_ == nullptr || !random_->draw(own, sizeof(own))) {
    return refuse(refusal, Status::kUnsupported, "random");
  }
  session->auth.challenge(key_->key(), host, own, session->id, identity_.boot_id);
  out->bytes(own, sizeof(own));
  return Status::kOk;
}

Status Server::pair(ByteReader* in, ByteWriter* out, Refusal* refusal) {
  const uint8_t rotate = in->u8();
  const uint8_t* reserved = in->bytes(3);
  if (!complete(*in) || rotate > 1 || !all_zero(reserved, 3)) return malformed(refusal);
  if (key_ == nullptr) return refuse(refusal, Status::kUnsupported, "key");
  if (rotate == 0 && key_->paired()) return refuse(refusal, Status::kExists, "key");
  if (rotate == 1 && !key_->paired()) return refuse(refusal, Status::kNotFound, "key");
  uint8_t key[kKeyBytes];
  if (random_ == nullptr || !random_->draw(key, sizeof(key))) {
    return refuse(refusal, Status::kUnsupported, "random");
  }
  const Status status = key_->make(key, refusal);
  if (status == Status::kOk) out->bytes(key, sizeof(key));
  wipe(key, sizeof(key));
  return status;
}

Status Server::set_access(ByteReader* in, Refusal* refusal) {
  const uint8_t shut = in->u8();
  const uint8_t* reserved = in->bytes(3);
  if (!complete(*in) || shut > 1 || !all_zero(reserved, 3)) return malformed(refusal);
  if (key_ == nullptr) return refuse(refusal, Status::kUnsupported, "key");
  const Status status = key_->set_reading_open(shut == 0, refusal);
  for (LinkSession& session : sessions_) {
    if (session.link != nullptr && !may_read(session)) session.streams = 0;
  }
  return status;
}

Status Server::erase_learned(Refusal* refusal) const {
  if (store_ != nullptr) return store_->erase(refusal);
  if (learned_ == nullptr) return Status::kOk;
  StateStore whatever;  // the model is missing, or another one than what is there is of
  const uint8_t none[kModelIdBytes] = {};
  whatever.begin(learned_, none, 0, nullptr);
  return whatever.erase(refusal);
}

// The key goes last: while anything learned is left, so is what protects it.
Status Server::reset_to_factory(int link_index, ByteReader* in, Refusal* refusal) {
  const uint32_t magic = in->u32();
  if (!complete(*in)) return malformed(refusal);
  if (magic != kFactoryResetMagic) return refuse(refusal, Status::kBadValue, "confirmation");
  if (feeding() && feeder_ != link_index) return refuse(refusal, Status::kBusy, "feeding");
  if (taken_by_another(link_index)) return refuse(refusal, Status::kBusy, "image transfer");
  end_transfer();
  autosave_.saved(device_->changes() - 1);  // should it fail on its way: it is in no flash now
  Status status = erase_learned(refusal);
  if (status == Status::kOk && name_ != nullptr) status = name_->forget(refusal);
  if (status == Status::kOk && key_ != nullptr) status = key_->forget(refusal);
  if (status != Status::kOk || !device_->loaded()) return status;
  flush_samples(0);  // their indices count from before the reset
  forget_gaps();
  forget_windows();
  status = device_->reset(refusal);
  device_->forget_undo();               // what the next owner must not bring back
  autosave_.saved(device_->changes());  // at the next boot it would be the same
  tell_changed(link_index, static_cast<uint8_t>(Request::kReset), nullptr, 0);
  return status;
}

// The board's key is another one, or gone.
void Server::end_authentication(int link_index) {
  for (int i = 0; i < kMaxLinks; ++i) {
    sessions_[i].auth.forget();
    if (i != link_index) drop(i);
  }
}

// Nobody who holds back a message has it executed later; and what the peer had begun ends.
void Server::end_lapsed(int link_index, uint32_t now_ms) {
  if (!sessions_[link_index].lapsed(now_ms)) return;
  sessions_[link_index].auth.forget();
  drop(link_index);
}

uint8_t Server::access_flags(const LinkSession& session) const {
  uint8_t flags = 0;
  if (key_ != nullptr && key_->paired()) flags |= kAccessPaired;
  if (session.auth.live()) flags |= kAccessAuthenticated;
  if (session.link->is_physical()) flags |= kAccessPhysical;
  if (key_ != nullptr && !key_->reading_open()) flags |= kAccessReadingShut;
  return flags;
}

void Server::write_key_id(ByteWriter* out) const {
  const uint8_t none[kKeyIdBytes] = {};
  out->bytes(key_ != nullptr ? key_->id() : none, kKeyIdBytes);
}

void Server::write_access(LinkSession* session, ByteWriter* out) const {
  out->u8(access_flags(*session));
  out->u8(static_cast<uint8_t>(random_ != nullptr ? random_->source() : RandomSource::kNone));
  out->u16(0);
  write_key_id(out);
  out->u32(key_ != nullptr ? key_->pairings() : 0);
  out->u32(counters_.wrong_macs);
  out->u32(counters_.no_key);
  out->u32(session->failures.wait_ms(session->heard_ms));
}

}  // namespace tinyol
