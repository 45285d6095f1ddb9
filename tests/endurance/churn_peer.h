// A host on one of the board's links: says HELLO, shows that it knows the key, asks for changes,
// and after a cut asks again until it knows what became of each. Its own book of what was done is
// held against the board's.
#pragma once

#include <stdint.h>

#include "churn_board.h"

namespace tinyol {
namespace endurance {

enum class Told : uint8_t { kDone, kRefused, kNotKnown };

class ChurnPeer {
 public:
  struct Counts {
    uint64_t connects = 0;
    uint64_t cuts = 0;
    uint64_t requests = 0;
    uint64_t repeats = 0;
    uint64_t handshakes = 0;
    uint64_t events = 0;
    uint64_t not_known = 0;
    uint64_t guesses = 0;
  };

  ChurnPeer(ChurnBoard* board, int link, uint32_t seed);

  // A request, sealed where the session is; repeated over every cut. kNotKnown where the session
  // ended under it, by a reboot or because the peer gave up.
  Told ask(Request request, const Bytes& payload, Bytes* body = nullptr);
  // The next cut: in so many bytes.
  void cut_after(uint32_t bytes) { board_.wire(link_).cut_after(bytes); }
  // Somebody without the key tries one.
  void guess();
  // Another session begins with the next request.
  void leave();
  // The board's key, once there is one.
  void know(const Bytes& key) { key_ = key; }

  const Counts& counts() const { return counts_; }
  uint64_t number() const { return number_; }  // of the session's last request

  bool patient = false;  // never gives a request up, and is back before the session is over

 private:
  bool connect();       // false: the session is another one than before
  bool challenge();     // whether the board has answered it
  void authenticate();  // until it is done
  bool exchange(const Bytes& message, Bytes* reply, bool sealed);
  void take_events(const std::vector<Bytes>& came, const Bytes& asked, bool sealed, Bytes* reply);
  void reconnect();
  Bytes request(Request opcode, const Bytes& payload, bool sealed);
  uint32_t draw(uint32_t n);

  ChurnBoard& board_;
  const int link_;
  Bytes key_;
  uint32_t random_;
  uint64_t nonce_ = 0;
  uint16_t session_ = 0;
  uint32_t boot_id_ = 0;
  uint64_t number_ = 0;  // of the last request
  uint64_t events_ = 0;  // number of the last event
  bool connected_ = false;
  SessionAuth auth_;
  Counts counts_;
};

}  // namespace endurance
}  // namespace tinyol
