#include "access_api.h"

#include <string.h>

#include "tinyol/blake2s.h"
#include "tinyol/failure_limit.h"
#include "tinyol/link_session.h"
#include "tinyol/random_pool.h"
#include "tinyol/secret_bytes.h"
#include "tinyol/session_auth.h"

using tinyol::Blake2s;
using tinyol::Direction;
using tinyol::FailureLimit;
using tinyol::LinkSession;
using tinyol::RandomPool;
using tinyol::RandomSource;
using tinyol::SessionAuth;

struct tinyol_random {
  RandomPool pool;
};
struct tinyol_limit {
  FailureLimit limit;
};
struct tinyol_auth {
  SessionAuth session;
};

extern "C" {

void tinyol_access_hash(const uint8_t* key, uint32_t key_bytes, const uint8_t* text,
                        uint32_t length, uint32_t step, uint8_t* digest, uint32_t digest_bytes) {
  Blake2s hash;
  hash.begin(digest_bytes, key, key_bytes);
  for (uint32_t at = 0; at < length; at += step) {
    hash.add(text + at, length - at < step ? length - at : step);
  }
  hash.finish(digest);
}

int tinyol_access_same(const uint8_t* a, const uint8_t* b, uint32_t length) {
  return tinyol::same_bytes(a, b, length) ? 1 : 0;
}

void tinyol_access_wipe(uint8_t* bytes, uint32_t length) {
  tinyol::wipe(bytes, length);
}

tinyol_random* tinyol_random_new(uint8_t source, const uint8_t* seed) {
  auto* made = new tinyol_random;
  made->pool.begin(static_cast<RandomSource>(source), seed);
  return made;
}
void tinyol_random_free(tinyol_random* pool) {
  delete pool;
}
uint8_t tinyol_random_source(const tinyol_random* pool) {
  return static_cast<uint8_t>(pool->pool.source());
}
int tinyol_random_draw(tinyol_random* pool, uint8_t* out, uint32_t length) {
  return pool->pool.draw(out, length) ? 1 : 0;
}

tinyol_limit* tinyol_limit_new(void) {
  return new tinyol_limit;
}
void tinyol_limit_free(tinyol_limit* limit) {
  delete limit;
}
void tinyol_limit_failed(tinyol_limit* limit, uint32_t now_ms) {
  limit->limit.failed(now_ms);
}
void tinyol_limit_succeeded(tinyol_limit* limit) {
  limit->limit.succeeded();
}
uint32_t tinyol_limit_wait_ms(tinyol_limit* limit, uint32_t now_ms) {
  return limit->limit.wait_ms(now_ms);
}

tinyol_auth* tinyol_auth_new(void) {
  return new tinyol_auth;
}
void tinyol_auth_free(tinyol_auth* auth) {
  delete auth;
}
void tinyol_auth_forget(tinyol_auth* auth) {
  auth->session.forget();
}
void tinyol_auth_challenge(tinyol_auth* auth, const uint8_t* key, const uint8_t* host,
                           const uint8_t* device, uint16_t session, uint32_t boot_id) {
  auth->session.challenge(key, host, device, session, boot_id);
}
void tinyol_auth_confirm(tinyol_auth* auth) {
  auth->session.confirm();
}
int tinyol_auth_challenged(const tinyol_auth* auth) {
  return auth->session.challenged() ? 1 : 0;
}
int tinyol_auth_live(const tinyol_auth* auth) {
  return auth->session.live() ? 1 : 0;
}
int tinyol_auth_verify(const tinyol_auth* auth, uint8_t direction, uint64_t counter,
                       const uint8_t* message, uint32_t length) {
  return auth->session.verify(static_cast<Direction>(direction), counter, message, length) ? 1 : 0;
}
void tinyol_auth_seal(const tinyol_auth* auth, uint8_t direction, uint64_t counter,
                      uint8_t* message, uint32_t length, const uint8_t* answered) {
  auth->session.seal(static_cast<Direction>(direction), counter, message, length, answered);
}
int tinyol_auth_is_wiped(const tinyol_auth* auth) {
  const SessionAuth fresh;
  return memcmp(static_cast<const void*>(&auth->session), &fresh, sizeof(fresh)) == 0 ? 1 : 0;
}

uint64_t tinyol_access_number(uint64_t executed, uint16_t sequence) {
  LinkSession session;
  session.executed = executed;
  return session.number_of(sequence);
}

}  // extern "C"
