#include "churn.h"

#include <stdio.h>

#include "check.h"
#include "state_checks.h"
#include "tinyol/crc32.h"
#include "tinyol/xorshift.h"

// Of the sanitizer, where there is one.
extern "C" size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));

namespace tinyol {
namespace endurance {
namespace {

constexpr uint64_t kDayMs = 86400000;
constexpr uint64_t kMarathon = 70000;    // requests in one session: more than 2^16
constexpr size_t kMostGrowth = 1 << 14;  // bytes, of this program's own vectors

size_t allocated() {
  return __sanitizer_get_current_allocated_bytes != nullptr
             ? __sanitizer_get_current_allocated_bytes()
             : 0;
}

}  // namespace

uint32_t Churn::draw(uint32_t n) {
  return draw_below(n, &random_);
}

// What a host was told is what the board has done. What it was told nothing of was done once or not
// at all: at the latest when that link is back and its first byte ends a frame that lay there
// whole.
void Churn::settle(ChurnPeer* peer, Told told, bool changes) {
  bool* under_way = &under_way_[peer - peers_];
  const uint32_t found = board_.changes();
  const uint32_t least = made_ + (changes && told == Told::kDone ? 1 : 0);
  const uint32_t most = made_ + (changes && told != Told::kRefused ? 1 : 0) + (*under_way ? 1 : 0);
  changes_ += found - made_;
  doubled_ += found > most;
  lost_ += found < least;
  FUZZ_CHECK(found >= least && found <= most);
  *under_way = told == Told::kNotKnown && found < most;
  made_ = found;
}

void Churn::pair(bool rotate) {
  for (;;) {
    Bytes key;
    if (peers_[0].ask(Request::kPair, {static_cast<uint8_t>(rotate), 0, 0, 0}, &key) !=
        Told::kDone) {
      rotate = rotations_ > 0 || rotate;
      continue;
    }
    FUZZ_CHECK(key.size() == kKeyBytes);
    ++rotations_;
    for (ChurnPeer& peer : peers_) {
      peer.leave();
      peer.know(key);
    }
    return;
  }
}

Bytes Churn::any_change(Request* opcode) {
  const uint16_t n_classes = board_.device().state().classes.size;
  Bytes payload(12);
  ByteWriter out(payload.data(), 12);
  ++value_;
  const uint32_t kind = n_classes == 0 ? 0 : draw(4);
  if (kind == 0 && n_classes < board_.device().model().max_classes) {
    *opcode = Request::kClassAdd;
    char name[12];
    const int length = snprintf(name, sizeof(name), "k%x", value_);
    out.u8(static_cast<uint8_t>(length));
    out.bytes(name, static_cast<uint32_t>(length));
  } else if (kind == 0) {
    *opcode = Request::kClassRemove;
    out.u16(static_cast<uint16_t>(draw(n_classes)));
  } else if (kind == 1) {
    *opcode = Request::kClassWeight;
    out.u16(static_cast<uint16_t>(draw(n_classes)));
    out.u16(0);
    out.f32(static_cast<float>(1 + value_ % 1000));
  } else {
    *opcode = Request::kSettingSet;
    out.u16(1);
    out.u16(0);
    out.f32(static_cast<float>(value_ % 100));
  }
  payload.resize(out.length());
  return payload;
}

void Churn::change(ChurnPeer* peer) {
  Request opcode;
  const Bytes payload = any_change(&opcode);
  if (draw(3) == 0) peer->cut_after(draw(400));
  settle(peer, peer->ask(opcode, payload), true);
}

void Churn::visit() {
  ChurnPeer* peer = &peers_[draw(2)];
  if (draw(4) != 0) peer->leave();
  settle(peer, peer->ask(Request::kStream, {kStreamAll}), false);
  for (uint32_t n = 1 + draw(8); n > 0; --n) {
    if (draw(8) == 0) peer = &peers_[draw(2)];
    if (draw(4) == 0) {
      settle(peer, peer->ask(draw(2) == 0 ? Request::kPing : Request::kInfo, Bytes()), false);
    } else {
      change(peer);
    }
    board_.pass(draw(2000));
  }
  if (draw(20) == 0)
    settle(peer, peer->ask(Request::kLocate, {static_cast<uint8_t>(draw(60))}), false);
  if (draw(10) == 0) {
    for (uint32_t n = 4 + draw(8); n > 0; --n) peer->guess();
    settle(peer, Told::kRefused, false);
  }
  if (draw(2) == 0) settle(peer, peer->ask(Request::kGoodbye, Bytes()), false);
}

void Churn::reboot() {
  const bool power_fails = draw(2) == 0;
  power_cuts_ += power_fails;
  board_.boot(power_fails);
  ++reboots_;
  made_ = 0;
  under_way_[0] = under_way_[1] = false;
}

void Churn::live(uint64_t ms, uint32_t start_ms) {
  board_.now_ms = start_ms;
  board_.boot(false);
  pair(false);
  size_t before = 0;
  uint64_t visits = 0;
  for (; board_.lived_ms < ms; ++visits) {
    visit();
    board_.pass(1000 + draw(30000));
    if (draw(500) == 0) reboot();
    if (draw(5000) == 0) pair(true);
    if (before == 0 && board_.lived_ms > ms / 10) before = allocated();
    if (visits % 64 == 0) fuzz::check_sound(board_.device().state());
  }
  FUZZ_CHECK(allocated() <= before + kMostGrowth);
}

void Churn::marathon() {
  ChurnPeer& peer = peers_[0];
  peer.leave();
  peer.patient = true;
  const uint64_t handshakes = peer.counts().handshakes;
  for (uint64_t i = 0; i < kMarathon; ++i) {
    Request opcode;
    const Bytes payload = any_change(&opcode);
    if (draw(20) == 0) peer.cut_after(draw(400));
    const Told told = peer.ask(opcode, payload);
    FUZZ_CHECK(told != Told::kNotKnown);
    settle(&peer, told, true);
  }
  FUZZ_CHECK(peer.counts().handshakes == handshakes + 1 && peer.number() >= kMarathon);
}

void Churn::print() {
  ChurnPeer::Counts sum;
  for (const ChurnPeer& peer : peers_) {
    const ChurnPeer::Counts& counts = peer.counts();
    sum.connects += counts.connects;
    sum.cuts += counts.cuts;
    sum.requests += counts.requests;
    sum.repeats += counts.repeats;
    sum.handshakes += counts.handshakes;
    sum.events += counts.events;
    sum.not_known += counts.not_known;
    sum.guesses += counts.guesses;
  }
  const auto number = [](const char* name, uint64_t value, const char* behind = ", ") {
    printf("\"%s\": %llu%s", name, static_cast<unsigned long long>(value), behind);
  };
  printf("{\"days\": %.2f, ", static_cast<double>(board_.lived_ms) / kDayMs);
  number("connects", sum.connects);
  number("cuts", sum.cuts);
  number("requests", sum.requests);
  number("repeats", sum.repeats);
  number("handshakes", sum.handshakes);
  number("changes", changes_);
  number("lost", lost_);
  number("doubled", doubled_);
  number("not_known", sum.not_known);
  number("events", sum.events);
  number("guesses", sum.guesses);
  number("locating_s", board_.ticks_located);
  number("reboots", reboots_);
  number("power_cuts", power_cuts_);
  number("keys", rotations_);
  number("saves", board_.saves);
  number("wear", board_.store.wear());
  number("allocated", allocated(), "}\n");
}

uint32_t Churn::digest() {
  const Bytes image = fuzz::export_of(board_.device());
  const uint32_t crcs[] = {board_.wire(0).crc(), board_.wire(1).crc(), board_.saves,
                           static_cast<uint32_t>(board_.ticks_located),
                           crc32(image.data(), static_cast<uint32_t>(image.size()))};
  return crc32(reinterpret_cast<const uint8_t*>(crcs), sizeof(crcs));
}

}  // namespace endurance
}  // namespace tinyol
