// A C face for what keeps strangers out (hash, random numbers, session, lock), so that tests in
// Python can hold each against hashlib and against what it promises. Every pointer is the caller's.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
/* BLAKE2s of `length` bytes that are added `step` at a time. */
void tinyol_access_hash(const uint8_t* key, uint32_t key_bytes, const uint8_t* text,
                        uint32_t length, uint32_t step, uint8_t* digest, uint32_t digest_bytes);
int tinyol_access_same(const uint8_t* a, const uint8_t* b, uint32_t length);
void tinyol_access_wipe(uint8_t* bytes, uint32_t length);

typedef struct tinyol_random tinyol_random;
tinyol_random* tinyol_random_new(uint8_t source, const uint8_t* seed);
void tinyol_random_free(tinyol_random* pool);
uint8_t tinyol_random_source(const tinyol_random* pool);
int tinyol_random_draw(tinyol_random* pool, uint8_t* out, uint32_t length);

typedef struct tinyol_limit tinyol_limit;
tinyol_limit* tinyol_limit_new(void);
void tinyol_limit_free(tinyol_limit* limit);
void tinyol_limit_failed(tinyol_limit* limit, uint32_t now_ms);
void tinyol_limit_succeeded(tinyol_limit* limit);
uint32_t tinyol_limit_wait_ms(tinyol_limit* limit, uint32_t now_ms);

typedef struct tinyol_auth tinyol_auth;
tinyol_auth* tinyol_auth_new(void);
void tinyol_auth_free(tinyol_auth* auth);
void tinyol_auth_forget(tinyol_auth* auth);
void tinyol_auth_challenge(tinyol_auth* auth, const uint8_t* key, const uint8_t* host,
                           const uint8_t* device, uint16_t session, uint32_t boot_id);
void tinyol_auth_confirm(tinyol_auth* auth);
int tinyol_auth_challenged(const tinyol_auth* auth);
int tinyol_auth_live(const tinyol_auth* auth);
int tinyol_auth_verify(const tinyol_auth* auth, uint8_t direction, uint64_t counter,
                       const uint8_t* message, uint32_t length);
/* `answered` may be NULL; `message` has room for 8 bytes more. */
void tinyol_auth_seal(const tinyol_auth* auth, uint8_t direction, uint64_t counter,
                      uint8_t* message, uint32_t length, const uint8_t* answered);
/* All bytes of the session's secrets are 0. */
int tinyol_auth_is_wiped(const tinyol_auth* auth);

/* The number that a request has by the 16 bits of it, where `executed` was the last one. */
uint64_t tinyol_access_number(uint64_t executed, uint16_t sequence);
// cdef end

#ifdef __cplusplus
}
#endif
